"""Streams: pages that are read, and scanned, before they are asked for; counted in virtual time, a second a request."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from ssshelf import CManager, Collection, CorruptionError, DictItems, Key, MemoryStorage, UnavailableError
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import CountingStorage, Fault, FaultyStorage, run_in_virtual_time
from tests.bookmarks import Bookmarks, bookmark

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from ssshelf.storages.base import Entry
    from ssshelf.storages.faulty import Request

PAGES, PAGE = 5, 10
ITEMS = PAGES * PAGE
Streamed: TypeAlias = "Callable[[Bookmarks], AsyncGenerator[Any, None]]"
STREAMS: dict[str, Streamed] = {
    "of a collection": lambda shelf: shelf.every.prefix(),
    "backwards": lambda shelf: shelf.every.descending().prefix(),
    "of all items": lambda shelf: shelf.iter_all(),
}


@pytest.fixture(scope="module")
def filled() -> MemoryStorage:
    memory = MemoryStorage()
    run_in_virtual_time(Bookmarks(memory).add_items(bookmark(f"{number:04}", number) for number in range(ITEMS)))
    return memory


@pytest.fixture(params=STREAMS)
def stream(request: pytest.FixtureRequest) -> Streamed:
    return STREAMS[request.param]


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssshelf.listings.PAGE_LIMIT", PAGE)
    monkeypatch.setattr("ssshelf.all_items.PAGE_LIMIT", PAGE)


async def rows_before(failure: type[Exception], items: AsyncGenerator[Any, None]) -> list[Any]:
    """Return the rows that a stream shows before it fails."""
    rows: list[Any] = []

    try:
        async for item in items:
            rows.append(item)  # noqa: PERF401  what came before the failure counts
    except failure:
        return rows
    pytest.fail("it did not fail")


def slow(memory: MemoryStorage) -> CountingStorage:
    return CountingStorage(FaultyStorage(memory, lambda _: 1.0))


def test_n_pages_take_a_step_more_than_n(filled: MemoryStorage, stream: Streamed) -> None:
    async def main() -> tuple[int, Counter[str], int, float]:
        counting = slow(filled)
        rows = [item async for item in stream(Bookmarks(counting))]
        return len(rows), counting.counts, counting.steps, asyncio.get_running_loop().time()

    steps = PAGES + 1
    assert run_in_virtual_time(main()) == (ITEMS, Counter(scan=PAGES, get=ITEMS), steps, steps)


def test_pages_of_what_is_covered_take_a_step_each() -> None:
    async def main() -> tuple[int, Counter[str], int]:
        memory = MemoryStorage()
        await Bookmarks(memory).add_items(bookmark(f"{number:04}", number) for number in range(2500))
        counting = slow(memory)
        rows = [row async for row in Bookmarks(counting).newest.iter_covered()]
        return len(rows), counting.counts, counting.steps

    assert run_in_virtual_time(main()) == (2500, Counter(scan=3), 3)


@pytest.mark.parametrize(
    ("rows", "seconds", "counts"),
    [
        (1, 0, Counter(scan=2, get=PAGE)),  # the second scan was sent with the gets of the first page
        (1, 60, Counter(scan=3, get=2 * PAGE)),
        (PAGE, 60, Counter(scan=3, get=2 * PAGE)),
        (PAGE + 1, 60, Counter(scan=4, get=3 * PAGE)),
    ],
)
def test_who_stops_has_asked_for_a_page_and_a_scan_more_at_the_most(
    filled: MemoryStorage, stream: Streamed, rows: int, seconds: float, counts: Counter[str]
) -> None:
    async def main() -> Counter[str]:
        counting = slow(filled)
        async with aclosing(stream(Bookmarks(counting))) as items:
            for _ in range(rows):
                await anext(items)
            if seconds:
                await asyncio.sleep(seconds)
        await asyncio.sleep(60)
        return counting.counts

    assert run_in_virtual_time(main()) == counts


@pytest.mark.parametrize("moment", [0.5, 1, 1.5, 2, 2.5, 3.5])
@pytest.mark.parametrize("cancel", [False, True])
def test_who_stops_leaves_no_task(filled: MemoryStorage, stream: Streamed, moment: float, *, cancel: bool) -> None:
    async def read(rows: list[Any], items: AsyncGenerator[Any, None]) -> None:
        async with aclosing(items):
            async for item in items:
                rows.append(item)
                await asyncio.sleep(0.1)
                if not cancel and asyncio.get_running_loop().time() > moment:
                    break

    async def main() -> tuple[set[Any], int]:
        rows: list[Any] = []
        reading = asyncio.create_task(read(rows, stream(Bookmarks(slow(filled)))))
        if cancel:
            await asyncio.sleep(moment)
            reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled() == cancel
        return asyncio.all_tasks() - {asyncio.current_task()}, len(rows)

    left, rows = run_in_virtual_time(main())

    assert left == set()
    assert rows < ITEMS


@pytest.mark.parametrize("page", range(PAGES))
@pytest.mark.parametrize("kind", ["scan", "get"])
def test_a_failure_comes_behind_all_pages_before_it(
    filled: MemoryStorage, stream: Streamed, kind: str, page: int
) -> None:
    seen: Counter[str] = Counter()
    first = page if kind == "scan" else page * PAGE

    def plan(request: Request) -> Fault | float:
        seen[request.kind] += 1
        return Fault.UNSENT if request.kind == kind and seen[kind] > first else 1.0

    async def main() -> int:
        return len(await rows_before(UnavailableError, stream(Bookmarks(FaultyStorage(filled, plan)))))

    assert run_in_virtual_time(main()) == page * PAGE


async def test_rows_that_items_have_gained_since_the_scan_are_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shelf(CManager[dict[str, Any]]):
        item_manager = DictItems()
        by_key = Collection[dict[str, Any]](lambda item: item["keys"])

    monkeypatch.setattr("ssshelf.listings.PAGE_LIMIT", 2)
    memory = MemoryStorage()
    await Shelf(memory).add_items({"pk": number, "keys": [number]} for number in range(6))

    class Gaining(WrapperStorage):
        async def get(self, key: Key) -> Entry:
            if key.parts[-1] == "2":  # of the second page, behind which a third was scanned
                await Shelf(memory).add_item({"pk": 2, "keys": [2, 2.1, 2.2]})
            return await super().get(key)

    rows = [item["pk"] async for item in Shelf(Gaining(memory)).by_key.prefix()]

    assert rows == [0, 1, 2, 2, 2, 3, 4, 5]


async def test_what_cannot_be_read_is_told_behind_the_pages_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssshelf.listings.PAGE_LIMIT", 2)
    memory = MemoryStorage()
    shelf = Bookmarks(memory)
    await shelf.add_items(bookmark(f"{number}") for number in range(6))
    await memory.put(Key("items", "bookmarks", "3"), b"damaged")

    rows = await rows_before(CorruptionError, shelf.every.prefix())

    assert [item["slug"] for item in rows] == ["0", "1"]
    assert [item["slug"] async for item in shelf.every.prefix(skip_corrupt=True)] == ["0", "1", "2", "4", "5"]
