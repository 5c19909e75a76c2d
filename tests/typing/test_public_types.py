"""What the public names return, as a type checker sees it; checked by mypy, and run as any test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, assert_type

from ssshelf import (
    CManager,
    Collection,
    DictItems,
    Key,
    KeyPage,
    MemoryStorage,
    ModelItems,
    Page,
    Revision,
    open_storage,
)
from ssshelf.storages.base import Entry, Scan, Storage
from ssshelf.storages.probe import Probe


@dataclass
class Link:
    pk: str
    url: str


class ByURL(Collection[Link]):
    def key(self, item: Link) -> tuple[str, ...]:
        return (item.url,)


class Links(CManager[Link]):
    item_manager = ModelItems(Link)
    by_url = ByURL()
    by_length = Collection[Link](lambda link: len(link.url))


class Dicts(CManager[dict[str, Any]]):
    item_manager = DictItems()


async def test_items_and_pages_have_the_type_of_the_manager() -> None:
    links = Links(MemoryStorage())

    assert_type(await links.add_item(Link("a", "http://a")), Revision)
    assert_type(await links.insert_item(Link("b", "http://b")), Revision)
    assert_type(await links.update_item("a", lambda link: link), Revision)
    assert_type(await links.get_item("a"), Link)
    assert_type(await links.find_item("a"), Link | None)
    assert_type(await links.get_items(["a"]), list[Link])
    assert_type(await links.get_revision("a"), tuple[Link, Revision])
    assert_type(await links.add_items([Link("c", "http://c")]), int)
    assert_type(await links.remove_item("a"), bool)
    assert_type(await links.remove_items(["b"]), int)
    assert_type(links.by_url, ByURL)
    assert_type(await links.by_url.get_items(), Page[Link])
    assert_type((await links.by_length.get_items()).items, tuple[Link, ...])
    assert_type(await links.by_url.get_keys(), KeyPage)
    assert_type((await links.by_url.get_keys()).keys, tuple[str, ...])
    assert_type(links.by_url.prefix("http://c"), AsyncGenerator[Link, None])
    assert_type(await links.by_url.count(), int)
    assert_type(await Dicts(MemoryStorage()).find_item("a"), dict[str, Any] | None)


async def test_storages_are_typed() -> None:
    storage = open_storage("memory://")

    assert_type(storage, Storage)
    assert_type(await storage.put(Key("a"), b""), str)
    assert_type(await storage.get(Key("a")), Entry)
    assert_type(await storage.scan(Key()), Scan)
    assert_type(await storage.probe(), Probe)
