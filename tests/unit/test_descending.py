"""Collections from their end on: the same rows in reverse, on stores that list so, and never by listing everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssshelf import Covered, InvalidCursorError, Key, MemoryStorage, SQLiteStorage, UnsupportedError
from ssshelf.blocking import CManager, Collection
from ssshelf.items import DictItems
from ssshelf.storages.base import Storage
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.storages.readonly import ReadOnlyStorage
from ssshelf.testing import CountingStorage, Fault, FaultyStorage
from tests.bookmarks import Bookmark, Bookmarks, bookmark

ITEMS = [bookmark(f"{no}", no // 2, "x", *(["y"] if no % 3 else [])) for no in range(9)]


async def filled(storage: Storage) -> Bookmarks:
    shelf = Bookmarks(storage)
    await shelf.add_items(ITEMS)
    return shelf


async def paged(shelf: Bookmarks, limit: int, **window: Any) -> list[Bookmark]:
    found: list[Bookmark] = []
    after = None
    while True:
        page = await shelf.tagged.descending().get_items(limit, after, **window)
        assert len(page) <= limit
        found += page.items
        if (after := page.after) is None:
            return found


@pytest.fixture(params=["memory", "sqlite", "wrapped"])
async def backward(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    if request.param == "sqlite":
        async with SQLiteStorage(tmp_path / "shelf.db") as storage:
            yield storage
    elif request.param == "wrapped":
        yield PrefixedStorage(FaultyStorage(CountingStorage(MemoryStorage())), Key("tenant", 1))
    else:
        yield MemoryStorage()


async def test_everything_is_listed_in_reverse(backward: Storage) -> None:
    shelf = await filled(backward)
    items, down = shelf.tagged, shelf.tagged.descending()

    assert list(await down.get_items(1000)) == list(await items.get_items(1000))[::-1]
    assert (await down.get_keys()).keys == (await items.get_keys()).keys[::-1]
    assert [item async for item in down.prefix("y")] == [item async for item in items.prefix("y")][::-1]
    assert await down.count("x", start=1, stop=3) == await items.count("x", start=1, stop=3) == 4
    rows = (await shelf.newest.get_covered()).items
    assert (await shelf.newest.descending().get_covered()).items == rows[::-1]
    assert [row async for row in shelf.newest.descending().iter_covered()] == list(rows[::-1])
    assert len({type(row) for row in rows} | {Covered}) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 10), st.sampled_from([None, "x", ("x", 1), "nothing"]), st.integers(0, 5), st.integers(0, 5))
def test_pages_add_up_to_the_window_in_reverse(limit: int, prefix: Any, start: int, stop: int) -> None:
    async def main() -> None:
        shelf = await filled(MemoryStorage())
        bounds: Any = {"start": start, "stop": stop} if prefix == "x" else {}
        whole = await shelf.tagged.get_items(1000, prefix=prefix, **bounds)

        assert await paged(shelf, limit, prefix=prefix, **bounds) == list(whole)[::-1]

    asyncio.run(main())


async def test_a_page_is_as_cheap_as_forwards() -> None:
    counting = CountingStorage(MemoryStorage())
    shelf = await filled(counting)
    counting.reset()

    await shelf.tagged.descending().get_keys(3)

    assert counting.counts == Counter(scan=1)


async def test_an_item_that_moved_since_the_listing_is_on_the_page_once() -> None:
    memory = MemoryStorage()
    shelf = await filled(memory)
    moved = False

    class Moving(CountingStorage):
        async def get(self, key: Key) -> Any:
            nonlocal moved
            if not moved:
                moved = True
                await shelf.update_item("3", lambda item: item.update(year=4))
            return await super().get(key)

    items = list(await Bookmarks(Moving(memory)).tagged.descending().get_items(prefix="x"))

    assert [item["slug"] for item in items] == ["8", "3", "7", "6", "5", "4", "2", "1", "0"]


async def test_a_cursor_continues_only_its_own_direction() -> None:
    shelf = await filled(MemoryStorage())
    up, down = await shelf.every.get_items(2), await shelf.every.descending().get_items(2)

    with pytest.raises(InvalidCursorError):
        await shelf.every.get_items(2, down.after)
    with pytest.raises(InvalidCursorError):
        await shelf.every.descending().get_items(2, up.after)


@pytest.mark.parametrize("wrapper", [lambda inner: inner, ReadOnlyStorage, CountingStorage, FaultyStorage])
async def test_a_store_that_lists_forwards_only_says_what_to_do(wrapper: Any) -> None:
    storage = wrapper(forwards_only())

    with pytest.raises(UnsupportedError, match=r"lists forwards only.*'tagged'.*Desc\("):
        Bookmarks(storage).tagged.descending()


def forwards_only() -> MemoryStorage:
    return MemoryStorage(transactions=False)


async def test_a_wrapper_offers_no_more_than_what_is_inside() -> None:
    with pytest.raises(UnsupportedError, match="lists forwards only"):
        await ReadOnlyStorage(forwards_only()).scan_descending(Key())


async def test_faults_meet_descending_listings_too() -> None:
    faulty = FaultyStorage(MemoryStorage(), lambda request: Fault.UNSENT if request.kind == "scan" else None)

    with pytest.raises(Exception, match="injected fault"):
        await faulty.scan_descending(Key())


def test_blocking_collections_list_in_reverse_too() -> None:
    class Shelf(CManager[Bookmark]):
        item_manager = DictItems(pk="slug")
        by_year = Collection[Bookmark](lambda item: item["year"], covers=["year"])

    with Shelf("memory://") as shelf:
        shelf.add_items(ITEMS)
        down = shelf.by_year.descending()

        assert list(down.prefix()) == list(shelf.by_year.prefix())[::-1]
        assert [row.values["year"] for row in down.iter_covered()] == [4, 3, 3, 2, 2, 1, 1, 0, 0]
        assert isinstance(down, Collection)
        assert down.covers == ("year",)
