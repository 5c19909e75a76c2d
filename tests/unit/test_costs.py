"""What operations cost: requests, and how many of them wait for one another; counted, never timed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import MemoryStorage
from ssshelf.testing import CountingStorage, FaultyStorage, run_in_virtual_time
from tests.bookmarks import Bookmarks, bookmark
from tests.storages import s3_storage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MANY = [bookmark(f"{i:03}", i, "x") for i in range(200)]


async def nothing(_: Bookmarks) -> None:
    """Prepare an empty shelf."""


async def one_item(shelf: Bookmarks) -> None:
    await shelf.add_item(bookmark("a", 2024, "x"))


async def many_items(shelf: Bookmarks) -> None:
    await shelf.add_items(MANY)


async def tombstone(shelf: Bookmarks) -> None:
    await shelf.add_item(bookmark("a", 2024, "x"))
    await shelf.remove_item("a")


Operation = Any
OPERATIONS: list[Any] = [
    # what, before it, requests on a plain store, steps, requests with transactions, steps
    ("insert", nothing, lambda m: m.insert_item(bookmark("a", 1, "x")), {"put": 4}, 2, {"commit": 1}, 1),
    (
        "add a new one",
        nothing,
        lambda m: m.add_item(bookmark("a", 1, "x")),
        {"get": 1, "put": 4},
        3,
        {"commit": 1},
        1,
    ),
    (
        "add over another",
        one_item,
        lambda m: m.add_item(bookmark("a", 1, "x")),
        {"get": 1, "put": 3, "delete_many": 1},
        4,
        {"get": 1, "commit": 2},
        3,
    ),
    (
        "update that moves no key",
        one_item,
        lambda m: m.update_item("a", lambda item: item.update(note="!")),
        {"get": 1, "put": 1},
        2,
        {"get": 1, "commit": 1},
        2,
    ),
    (
        "update that moves two keys",
        one_item,
        lambda m: m.update_item("a", lambda item: item.update(year=1)),
        {"get": 1, "put": 3, "delete_many": 1},
        4,
        {"get": 1, "commit": 1},
        2,
    ),
    (
        "remove",
        one_item,
        lambda m: m.remove_item("a"),
        {"get": 1, "put": 1, "delete_many": 1},
        3,
        {"get": 1, "commit": 1},
        2,
    ),
    ("remove an absent one", nothing, lambda m: m.remove_item("a"), {"get": 1}, 1, {"get": 1}, 1),
    ("get", one_item, lambda m: m.get_item("a"), {"get": 1}, 1, {"get": 1}, 1),
    (
        "page of 200",
        many_items,
        lambda m: m.every.get_items(200),
        {"scan": 1, "get": 200},
        3,
        {"scan": 1, "get": 200},
        3,
    ),
    (
        "page of 100",
        many_items,
        lambda m: m.every.get_items(100),
        {"scan": 1, "get": 100},
        2,
        {"scan": 1, "get": 100},
        2,
    ),
    ("keys", many_items, lambda m: m.every.get_keys(200), {"scan": 1}, 1, {"scan": 1}, 1),
    ("what is covered", many_items, lambda m: m.newest.get_covered(), {"scan": 1}, 1, {"scan": 1}, 1),
    (
        "update of what is covered",
        one_item,
        lambda m: m.update_item("a", lambda item: item.update(tags=["x", "x"])),
        {"get": 1, "put": 2, "delete": 1},
        4,
        {"get": 1, "commit": 1},
        2,
    ),
    ("count", many_items, lambda m: m.every.count(), {"scan": 1}, 1, {"scan": 1}, 1),
    ("get many", many_items, lambda m: m.get_items(["001", "002", "003"]), {"get": 3}, 1, {"get": 3}, 1),
]


async def measured(
    *,
    transactions: bool,
    prepare: Callable[[Bookmarks], Awaitable[None]],
    operation: Operation,
) -> tuple[dict[str, int], int, float]:
    """Return the requests of an operation, its steps, and the seconds it takes when each request takes one."""
    memory = MemoryStorage(transactions=transactions)
    await prepare(Bookmarks(memory))
    counting = CountingStorage(FaultyStorage(memory, lambda _: 1.0))
    started = asyncio.get_running_loop().time()
    await operation(Bookmarks(counting))
    return dict(counting.counts), counting.steps, asyncio.get_running_loop().time() - started


@pytest.mark.parametrize(
    ("prepare", "operation", "plain", "plain_steps", "native", "native_steps"),
    [pytest.param(*case[1:], id=case[0]) for case in OPERATIONS],
)
def test_cost(
    prepare: Any,
    operation: Operation,
    plain: dict[str, int],
    plain_steps: int,
    native: dict[str, int],
    native_steps: int,
) -> None:
    assert run_in_virtual_time(measured(transactions=False, prepare=prepare, operation=operation)) == (
        plain,
        plain_steps,
        plain_steps,
    )
    assert run_in_virtual_time(measured(transactions=True, prepare=prepare, operation=operation)) == (
        native,
        native_steps,
        native_steps,
    )


def test_replacing_with_the_revision_at_hand_needs_no_get() -> None:
    async def main() -> str:
        counting = CountingStorage(MemoryStorage(transactions=False))
        shelf = Bookmarks(counting)
        rev = await shelf.add_item(bookmark("a", 1, "x"))
        counting.reset()
        await shelf.replace_item({**bookmark("a", 1, "x"), "note": "!"}, expect=rev)
        return str(counting)

    assert run_in_virtual_time(main()) == "1 put in 1 step"


def test_a_bulk_call_keeps_its_bound() -> None:
    async def main() -> int:
        counting = CountingStorage(FaultyStorage(MemoryStorage(), lambda _: 1.0))
        await Bookmarks(counting, concurrency=7).add_items(MANY)
        return counting.most_at_once

    assert run_in_virtual_time(main()) == 7


def test_iterating_reads_the_next_page_ahead() -> None:
    async def main() -> float:
        memory = MemoryStorage(transactions=False)
        await Bookmarks(memory).add_items([bookmark(f"{i:04}", i) for i in range(600)])
        shelf = Bookmarks(FaultyStorage(memory, lambda _: 1.0), concurrency=200)
        started = asyncio.get_running_loop().time()
        async for _ in shelf.every.prefix():
            await asyncio.sleep(0.01)
        return asyncio.get_running_loop().time() - started

    # A page takes two seconds to read and two to consume: reading the next one costs no time but for the first.
    assert run_in_virtual_time(main()) == pytest.approx(2 + 600 * 0.01, abs=0.1)


async def test_an_insert_on_s3_is_puts_in_two_steps(moto_url: str) -> None:
    async with s3_storage(moto_url) as storage, CountingStorage(storage) as counting:
        await Bookmarks(counting).insert_item(bookmark("a", 1, "x", "y"))

        assert dict(counting.counts) == {"put": 5}
        assert counting.steps == 2


async def test_a_page_on_s3_comes_in_a_few_steps(moto_url: str) -> None:
    async with s3_storage(moto_url) as storage:
        await Bookmarks(storage).add_items(MANY[:100])
        counting = CountingStorage(storage)

        page = await Bookmarks(counting).every.get_items(100)

        assert len(page) == 100
        assert dict(counting.counts) == {"scan": 1, "get": 100}
        assert counting.most_at_once == 100
        assert counting.steps <= 6
