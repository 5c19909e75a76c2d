"""What the public names return, as a type checker sees it; checked by mypy, and run as any test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any, assert_type

import pytest

import ssshelf
from ssshelf import (
    CManager,
    Collection,
    Covered,
    DictItems,
    Key,
    KeyPage,
    MemoryStorage,
    ModelItems,
    Page,
    Revision,
    Shelf,
    blocking,
    open_storage,
)
from ssshelf.maintenance import Finding, Swept, Verified
from ssshelf.serializers import TextSerializer
from ssshelf.shelf import ShelfKey
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
    assert_type(await links.by_url.get_covered(), Page[Covered])
    assert_type(links.by_url.iter_covered(), AsyncGenerator[Covered, None])
    assert_type(links.by_url.descending(), ByURL)
    assert_type(await links.by_url.count(), int)
    assert_type(await Dicts(MemoryStorage()).find_item("a"), dict[str, Any] | None)


async def test_shelves_are_typed() -> None:
    anything = Shelf(MemoryStorage())
    texts = Shelf(MemoryStorage(), serializer=TextSerializer())

    assert_type(anything, Shelf[Any])
    assert_type(await anything.set("a", 1), str)
    assert_type(await texts.get("a"), str | None)
    assert_type(await texts.get("a", 5), str | int)
    assert_type(await texts.get_many(["a"]), dict[ShelfKey, str])
    assert_type(await texts.has("a"), bool)
    assert_type(texts.values(), AsyncGenerator[str, None])


def test_blocking_shelves_are_typed() -> None:
    with ssshelf.open("memory://") as anything, ssshelf.open("memory://", serializer=TextSerializer()) as texts:
        assert_type(anything, blocking.Shelf[Any])
        assert_type(texts, blocking.Shelf[str])
        texts["a"] = "b"
        assert_type(texts["a"], str)
        assert_type(texts.get("a"), str | None)
        assert_type(texts.copy(), dict[ShelfKey, str])
        assert_type(texts.pop("a"), str)
        assert_type(texts.pop("a", None), str | None)
        assert_type(texts.setdefault("a", "b"), str)
        texts.setdefault("a", 5)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            texts.update({"a": 5})  # type: ignore[arg-type]
        assert_type([value for _, value in texts.items()], list[str])


async def test_storages_are_typed() -> None:
    storage = open_storage("memory://")

    assert_type(storage, Storage)
    assert_type(await storage.put(Key("a"), b""), str)
    assert_type(await storage.get(Key("a")), Entry)
    assert_type(await storage.scan(Key()), Scan)
    assert_type(await storage.probe(), Probe)


class ByLength(blocking.Collection[Link]):
    def key(self, item: Link) -> int:
        return len(item.url)

    def shortest(self) -> Link:
        return self.get_items(1).items[0]


class BlockingLinks(blocking.CManager[Link]):
    item_manager = ModelItems(Link)
    by_url = blocking.Collection[Link](lambda link: link.url)
    by_length = ByLength()


def test_blocking_classes_are_typed() -> None:
    with BlockingLinks("memory://") as links:
        assert_type(links, BlockingLinks)
        assert_type(links.add_item(Link("a", "http://a")), Revision)
        assert_type(links.update_item("a", lambda link: link), Revision)
        assert_type(links.get_item("a"), Link)
        assert_type(links.find_item("a"), Link | None)
        assert_type(links.get_items(["a"]), list[Link])
        assert_type(links.get_revision("a"), tuple[Link, Revision])
        assert_type(links.add_items([Link("c", "http://c")]), int)
        assert_type(links.by_url.get_items(), Page[Link])
        assert_type(links.by_url.prefix("http://c"), Iterator[Link])
        assert_type(links.by_url.get_keys(), KeyPage)
        assert_type(links.by_url.iter_covered(), Iterator[Covered])
        assert_type(links.by_length.descending(), ByLength)
        assert_type(links.by_length, ByLength)
        assert_type(links.by_length.shortest(), Link)
        assert_type(links.verify(), Verified)
        assert_type(links.findings(), Iterator[Finding])
        assert_type(links.sweep(), Swept)
        assert_type(blocking.run(links.storage.get, Key("items", "blocking-links", "a")), Entry)


def test_twins_are_typed() -> None:
    with blocking.twin(Links)("memory://") as links:
        assert_type(links, blocking.Twin[Link])
        assert_type(links.add_item(Link("a", "http://a")), Revision)
        assert_type(links.get_item("a"), Link)
        assert_type(links.by_url, Any)
