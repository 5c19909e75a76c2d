"""All items, in the order of their primary keys."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from ssshelf import CManager, CorruptionError, InvalidCursorError, Key, MemoryStorage
from ssshelf.items import DictItems
from ssshelf.storages.cached import CachedStorage
from ssshelf.testing import CountingStorage
from tests.bookmarks import Bookmark, Bookmarks, bookmark

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

SLUGS = ["B", "a", "a b", "a/1", "b", "c", "long" * 60, "ü"]


class Before(CManager[Bookmark]):
    item_manager = DictItems(pk="slug", name="bookmark")


class Behind(CManager[Bookmark]):
    item_manager = DictItems(pk="slug", name="bookmarks-old")


async def shelf_on(storage: Storage) -> Bookmarks:
    """Return a shelf with all those items, and one that was removed, between two others of much the same name."""
    for manager in (Before, Behind):
        await manager(storage).add_item(bookmark("other"))
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(slug) for slug in reversed(SLUGS))
    await shelf.add_item(bookmark("aa"))
    await shelf.remove_item("aa")
    return shelf


def slugs(items: object) -> list[str]:
    return [item["slug"] for item in items]  # type: ignore[attr-defined]


async def test_all_items_are_listed_in_order(storage: Storage) -> None:
    shelf = await shelf_on(storage)

    page = await shelf.get_all()

    assert slugs(page) == SLUGS
    assert page.after is None
    assert [item["slug"] async for item in shelf.iter_all()] == SLUGS


async def test_pages_follow_one_another() -> None:
    shelf = await shelf_on(MemoryStorage())
    found, after = [], None

    while True:
        page = await shelf.get_all(3, after)
        found += slugs(page)
        after = page.after
        if after is None:
            break
        assert len(page) <= 3

    assert found == SLUGS


async def test_a_part_of_them() -> None:
    shelf = await shelf_on(MemoryStorage())

    assert slugs(await shelf.get_all(start="a", stop="b")) == ["a", "a b", "a/1"]
    assert slugs(await shelf.get_all(start="a b")) == SLUGS[2:]
    assert slugs(await shelf.get_all(stop="a")) == ["B"]
    assert [item["slug"] async for item in shelf.iter_all(start="b", stop="c")] == ["b"]


async def test_a_cursor_of_another_listing_is_refused() -> None:
    shelf = await shelf_on(MemoryStorage())
    after = (await shelf.get_all(2)).after

    for wrong in (shelf.get_all(2, after, start="a"), Before(shelf.storage).get_all(2, after), shelf.get_all(2, "x")):
        with pytest.raises(InvalidCursorError):
            await wrong


async def test_what_cannot_be_read_is_told_or_left_out() -> None:
    shelf = await shelf_on(MemoryStorage())
    await shelf.storage.put(Key("items", "bookmarks", "b"), b"damaged")

    with pytest.raises(CorruptionError):
        await shelf.get_all()
    page = await shelf.get_all(skip_corrupt=True)

    assert slugs(page) == [slug for slug in SLUGS if slug != "b"]
    assert [error.key for error in page.corrupt] == [Key("items", "bookmarks", "b")]


async def test_what_a_cache_knows_is_not_read_again() -> None:
    store = MemoryStorage(transactions=False)
    counting = CountingStorage(store)
    shelf = await shelf_on(CachedStorage(counting))
    await shelf.get_all()
    counting.reset()

    await shelf.get_all()
    unchanged = dict(counting.counts)
    await Bookmarks(store).add_item(bookmark("b", 1999))
    page = await shelf.get_all()

    assert unchanged == {"scan": 1}
    assert counting.counts == {"scan": 2, "get": 1}
    assert page.items[SLUGS.index("b")]["year"] == 1999


async def test_each_item_costs_a_get_and_they_are_made_together() -> None:
    counting = CountingStorage(MemoryStorage(transactions=False))
    shelf = await shelf_on(counting)
    counting.reset()

    await shelf.get_all()

    assert counting.counts == {"scan": 1, "get": len(SLUGS) + 1}  # one was removed
    assert counting.steps == 2


async def test_who_stops_early_reads_no_further() -> None:
    counting = CountingStorage(MemoryStorage())
    shelf = Bookmarks(counting)
    await shelf.add_items(bookmark(f"{number:04}") for number in range(700))
    counting.reset()

    async with aclosing(shelf.iter_all()) as items:
        async for _ in items:
            break

    assert counting.counts["scan"] <= 2
