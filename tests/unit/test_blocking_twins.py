"""Blocking twins of classes that a program declares for its async parts."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import pytest

import ssshelf
from ssshelf import Collection, DictItems, Page
from ssshelf.blocking import CManager, twin
from ssshelf.documents import Documents
from ssshelf.storages.base import Storage
from tests.bookmarks import Bookmark, Bookmarks, bookmark


class Tagged(Collection[Bookmark]):
    def key(self, item: Bookmark) -> list[str]:
        return list(item["tags"])

    async def first(self, tag: str) -> Bookmark:
        """Return the first of a tag."""
        return (await self.get_items(1, prefix=tag)).items[0]

    def page(self, tag: str) -> Any:  # as in 0.1: returns something to await
        return self.get_items(prefix=tag)

    async def prefix(self, *parts: Any, **options: Any) -> AsyncGenerator[Bookmark, None]:
        async for item in super().prefix(*parts, **options):
            yield item | {"seen": True}


class Noted(ssshelf.CManager[Bookmark]):
    """Bookmarks of somebody."""

    item_manager = DictItems(pk="slug")
    every = Collection[Bookmark](lambda item: item["slug"], version=3)
    tagged = Tagged()
    kind = "notes"

    def __init__(self, storage: Storage, owner: str = "", **options: Any) -> None:
        super().__init__(storage, **options)
        self.owner = owner

    async def add_item(self, item: Bookmark) -> ssshelf.Revision:
        return await super().add_item(item | {"owner": self.owner})

    async def slugs(self, *, most: int) -> list[str]:
        await asyncio.sleep(0)
        return [item["slug"] for item in (await self.every.get_items(most)).items]

    async def one_by_one(self) -> AsyncGenerator[str, None]:
        async for item in self.every.prefix():
            yield item["slug"]

    def unending(self) -> AsyncIterator[int]:
        return Count()

    def both(self) -> tuple[str, str]:
        return self.kind, self.owner

    @property
    def title(self) -> str:
        return f"{self.kind} of {self.owner}"

    @staticmethod
    def valid(slug: str) -> bool:
        return slug.isalpha()


class Count:
    number = 0

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        self.number += 1
        return self.number


@pytest.fixture
def shelf() -> Iterator[Any]:
    with twin(Noted)("memory://", "ada", concurrency=4) as shelf:
        shelf.reindex()
        yield shelf


def test_a_twin_has_all_methods_of_its_class(shelf: Any) -> None:
    assert shelf.add_items([bookmark("a", 2020, "x"), bookmark("b", 2021, "x")]) == 2

    assert shelf.get_item("a")["owner"] == "ada"
    assert shelf.slugs(most=1) == ["a"]
    assert list(shelf.one_by_one()) == ["a", "b"]
    assert next(shelf.unending()) == 1
    assert shelf.both() == ("notes", "ada")
    assert shelf.verify().is_clean


def test_a_twin_has_the_attributes_of_its_instance(shelf: Any) -> None:
    assert (shelf.title, shelf.owner, shelf.kind, shelf.valid("a1")) == ("notes of ada", "ada", "notes", False)
    assert shelf.item_manager is Noted.item_manager
    with pytest.raises(AttributeError, match="unknown"):
        _ = shelf.unknown
    with pytest.raises(AttributeError, match="_unknown"):
        _ = shelf._unknown


def test_the_collections_of_a_twin_have_all_methods_of_theirs(shelf: Any) -> None:
    shelf.add_item(bookmark("a", 2020, "x"))

    assert shelf.tagged.first("x")["slug"] == "a"
    assert isinstance(shelf.tagged.page("x"), Page)
    assert [item["seen"] for item in shelf.tagged.prefix("x")] == [True]
    assert shelf.tagged.count("x") == 1
    assert (shelf.tagged.name, shelf.every.name, shelf.every.version) == ("tagged", "every", 3)


def test_a_twin_is_made_once_and_says_what_it_is() -> None:
    made: Any = twin(Noted)

    assert twin(Noted) is twin(Noted)
    assert issubclass(twin(Noted), CManager)
    assert (made.__name__, made.__module__, made.__doc__) == ("Noted", __name__, "Bookmarks of somebody.")
    assert inspect.signature(made.slugs) == inspect.signature(Noted.slugs)
    assert inspect.getdoc(made.declared["tagged"].first) == "Return the first of a tag."
    assert not inspect.iscoroutinefunction(made.slugs)


def test_a_subclass_of_a_twin_has_blocking_methods_of_its_own() -> None:
    class Scripted(twin(Noted)):  # type: ignore[misc]
        newest = ssshelf.blocking.Collection[Bookmark](lambda item: -item["year"])
        every = None

        def fill(self) -> list[str]:
            self.add_items(bookmark(f"b{year}", year) for year in range(2020, 2023))
            return [item["slug"] for item in self.newest.prefix()]

    with Scripted("memory://", "eve") as shelf:
        assert shelf.fill() == ["b2022", "b2021", "b2020"]
        assert shelf.get_item("b2020")["owner"] == "eve"
    assert list(Scripted.declared) == ["tagged", "newest"]


def test_a_collection_that_a_method_returns_is_a_blocking_one() -> None:
    with twin(Bookmarks)("memory://") as shelf:
        shelf.add_item(bookmark("a"))
        with twin(Documents)(shelf.storage, "bookmarks") as documents:
            assert [found.pk for found in documents.collection("every").prefix()] == ["a"]
            assert documents.collection("every").count() == 1
            assert len(documents.look()) == 1


def test_a_twin_whose_method_would_hide_close_is_refused() -> None:
    class Closed(ssshelf.CManager[Bookmark]):
        async def close(self) -> None:
            """Do something else."""

    with pytest.raises(TypeError, match=r"Closed\.close: a blocking manager has a method of this name"):
        twin(Closed)


def test_class_methods_and_static_methods_block_too() -> None:
    class Made(ssshelf.CManager[Bookmark]):
        item_manager = DictItems(pk="slug")

        @classmethod
        async def label(cls, prefix: str) -> str:
            await asyncio.sleep(0)
            return prefix + cls.__name__

        @staticmethod
        async def numbers() -> AsyncGenerator[int, None]:
            yield 1
            yield 2

    blocking: Any = twin(Made)
    with blocking("memory://") as made:
        assert made.label("a") == "aMade"
        assert list(made.numbers()) == [1, 2]
    assert blocking.label("b") == "bMade"
