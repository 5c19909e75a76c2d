"""Index entries that are deleted after the answer: a step less, larger batches, and nothing that a reader notices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ssshelf import MemoryStorage
from ssshelf.keys import Key
from ssshelf.storages.base import IfMatch, scan_pages
from ssshelf.storages.deferring import DeferringStorage
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage, run_in_virtual_time
from tests.bookmarks import Bookmarks, assert_in_step, bookmark

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

OLD, NEW = bookmark("a", 2024, "x", "y"), bookmark("a", 1999, "z")
MANY = [bookmark(f"{number:04}", number, "x") for number in range(700)]


async def entries(storage: Storage) -> int:
    return len([row async for rows in scan_pages(storage, Key("collections")) for row in rows])


@pytest.mark.parametrize(("deferring", "steps"), [(False, 4), (True, 3)])
def test_a_write_that_moves_a_key_is_one_step_shorter(deferring: bool, steps: int) -> None:  # noqa: FBT001
    async def main() -> tuple[float, dict[str, int]]:
        memory = MemoryStorage(transactions=False)
        await Bookmarks(memory).add_item(OLD)
        counting = CountingStorage(FaultyStorage(memory, lambda _: 1.0))
        storage = DeferringStorage(counting)
        await Bookmarks(storage if deferring else counting).update_item("a", lambda _: NEW)
        took = asyncio.get_running_loop().time()
        await storage.drain()
        assert await entries(memory) == 3
        await assert_in_step(Bookmarks(memory), [NEW])
        return took, dict(counting.counts)

    assert run_in_virtual_time(main()) == (steps, {"get": 1, "put": 3, "delete_many": 1})


def test_many_removals_share_deletions() -> None:
    async def main() -> dict[str, int]:
        memory = MemoryStorage(transactions=False)
        await Bookmarks(memory).add_items(MANY)
        counting = CountingStorage(FaultyStorage(memory, lambda _: 1.0))
        storage = DeferringStorage(counting)
        assert await Bookmarks(storage).remove_items(item["slug"] for item in MANY) == len(MANY)
        await storage.drain()
        assert await entries(memory) == 0
        return dict(counting.counts)

    counts = run_in_virtual_time(main())

    assert counts == {"get": 700, "put": 700, "delete_many": counts["delete_many"]}
    assert counts["delete_many"] < 30  # not one for each


def test_what_waits_is_bounded() -> None:
    async def main() -> tuple[float, float, dict[str, int]]:
        counting = CountingStorage(FaultyStorage(MemoryStorage(transactions=False), lambda _: 1.0))
        storage = DeferringStorage(counting)
        keys = [Key("collections", number) for number in range(10_001)]
        await storage.delete_many(keys[:-1])
        answered = asyncio.get_running_loop().time()
        await storage.delete_many(keys[-1:])
        return answered, asyncio.get_running_loop().time(), dict(counting.counts)

    assert run_in_virtual_time(main()) == (0, 11, {"delete_many": 10, "delete": 1})


async def test_other_deletions_are_done_at_once() -> None:
    memory = MemoryStorage(transactions=False)
    storage = DeferringStorage(memory)
    claim, entry = Key("unique", "x"), Key("collections", "x")
    etags = {key: await storage.put(key, b"1") for key in (claim, entry, Key("collectionsx"))}

    await storage.delete_many([claim, Key("collectionsx"), entry])
    assert [row.key for row in (await memory.scan(Key())).rows] == [entry]
    await storage.delete(entry, condition=IfMatch(etags[entry]))
    assert (await memory.scan(Key())).rows == ()
    await storage.aclose()


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST])
def test_a_store_that_does_not_answer_leaves_garbage_only(fault: Fault) -> None:
    async def main() -> None:
        memory = MemoryStorage(transactions=False)
        await Bookmarks(memory).add_items([OLD, bookmark("b")])
        faulty = FaultyStorage(memory, lambda request: fault if request.kind == "delete_many" else None)
        storage = DeferringStorage(faulty)
        shelf = Bookmarks(storage)
        await shelf.add_item(NEW)
        await shelf.remove_item("b")
        await assert_in_step(shelf, [NEW])
        await storage.drain()
        await assert_only_garbage(memory, [NEW])

    run_in_virtual_time(main())


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
def test_a_crash_at_any_request_leaves_garbage_only(fault: Fault) -> None:
    async def main(step: int) -> bool:
        memory = MemoryStorage(transactions=False)
        await Bookmarks(memory).add_items([OLD])
        faulty = FaultyStorage(memory, lambda request: fault if request.number == step else None)
        storage = DeferringStorage(faulty)
        done = False
        try:
            await Bookmarks(storage, concurrency=1).update_item("a", lambda _: NEW)
            done = True
            await storage.drain()
        except* CrashError:
            pass
        if storage._deleting is not None:
            await asyncio.wait([storage._deleting])
            storage._deleting.exception()
        found = await Bookmarks(memory).get_item("a")
        assert found in ([NEW] if done else [OLD, NEW])
        await assert_only_garbage(memory, [found])
        return len(faulty.requests) > step

    steps = 0
    while run_in_virtual_time(main(steps)):
        steps += 1
    assert steps == 5  # the get, two index entries, the item, the deletion


def test_an_event_loop_that_ends_leaves_garbage_only() -> None:
    memory = MemoryStorage(transactions=False)
    storage = DeferringStorage(memory)

    async def first() -> None:
        await Bookmarks(storage).add_item(OLD)
        await Bookmarks(storage).add_item(NEW)

    async def second() -> None:
        await Bookmarks(storage).add_item(OLD)
        await storage.drain()

    asyncio.run(first())
    asyncio.run(second())
    asyncio.run(assert_only_garbage(memory, [OLD]))


async def test_closing_twice_is_no_error() -> None:
    storage = DeferringStorage(MemoryStorage())
    await storage.aclose()
    await storage.aclose()


async def assert_only_garbage(storage: Storage, items: list[dict[str, object]]) -> None:
    """Check that strict readers see ``items``, and that whatever else there is harms nobody."""
    await assert_in_step(Bookmarks(storage), items)
    assert all(finding.kind.is_garbage for finding in (await Bookmarks(storage).verify()).findings)
