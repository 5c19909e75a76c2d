"""The shelf that most tests are about."""

from __future__ import annotations

from typing import Any

from ssshelf import CManager, Collection, Desc, DictItems

__all__ = ["Bookmark", "Bookmarks", "assert_in_step", "bookmark"]

Bookmark = dict[str, Any]


class Bookmarks(CManager[Bookmark]):
    item_manager = DictItems(pk="slug")
    every = Collection[Bookmark](lambda item: item["slug"])
    tagged = Collection[Bookmark](lambda item: [(tag, item["year"]) for tag in item["tags"]])
    newest = Collection[Bookmark](lambda item: Desc(item["year"]), covers=("tags", "year"))


def bookmark(slug: str, year: int = 2024, *tags: str) -> Bookmark:
    return {"slug": slug, "year": year, "tags": list(tags)}


async def assert_in_step(shelf: Bookmarks, items: list[Bookmark]) -> None:
    """Check that the shelf and all its collections hold exactly ``items``."""
    listed = sorted(items, key=lambda item: str(item["slug"]))
    by_tag = sorted(((tag, item["year"], item["slug"]), item) for item in items for tag in item["tags"])
    by_year = sorted(items, key=lambda item: (-item["year"], item["slug"]))

    assert [await shelf.get_item(item["slug"]) for item in items] == items
    assert list(await shelf.every.get_items(1000)) == listed
    assert list(await shelf.tagged.get_items(1000)) == [item for _, item in by_tag]
    assert list(await shelf.newest.get_items(1000)) == by_year
