"""Managers and collections for callers that block."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import random
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

import ssshelf
from ssshelf import ConflictError, DictItems, MemoryStorage, NotFoundError, Page
from ssshelf.blocking import CManager, Collection, iterate, open_storage, run
from ssshelf.maintenance import FindingKind, Progress
from ssshelf.storages.base import Storage
from ssshelf.storages.counting import CountingStorage
from ssshelf.storages.sqlite import SQLiteStorage
from ssshelf.transfer import copy
from tests.bookmarks import Bookmark, bookmark

OPERATIONS = int(os.environ.get("SSSHELF_TEST_OPERATIONS", "60"))
"""Of each thread."""


class Tagged(Collection[Bookmark]):
    def key(self, item: Bookmark) -> list[tuple[str, int]]:
        return [(tag, item["year"]) for tag in item["tags"]]

    def newest(self, tag: str) -> Page[Bookmark]:
        return self.get_items(prefix=tag, limit=10)


class Bookmarks(CManager[Bookmark]):
    item_manager = DictItems(pk="slug")
    every = Collection[Bookmark](lambda item: item["slug"])
    tagged = Tagged()

    def of_year(self, year: int) -> list[str]:
        return [item["slug"] for item in self.every.prefix() if item["year"] == year]


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/shelf.db"


@pytest.fixture
def shelf(url: str) -> Iterator[Bookmarks]:
    with Bookmarks(url) as shelf:
        yield shelf


def test_items_are_written_read_listed_and_removed(shelf: Bookmarks) -> None:
    rev = shelf.add_item(bookmark("a", 2020, "x", "y"))
    shelf.insert_item(bookmark("b", 2021, "x"))
    shelf.replace_item(bookmark("a", 2022, "x"), expect=rev)

    assert shelf.get_item("a") == bookmark("a", 2022, "x")
    assert shelf.find_item("c") is None
    assert [item["slug"] for item in shelf.tagged.prefix("x")] == ["b", "a"]
    assert shelf.tagged.newest("x").items == (bookmark("b", 2021, "x"), bookmark("a", 2022, "x"))
    assert shelf.tagged.get_keys(prefix="x").keys == ("b", "a")
    assert shelf.tagged.count("y") == 0
    assert shelf.of_year(2021) == ["b"]
    assert shelf.remove_item("a")
    assert shelf.every.get_items().items == (bookmark("b", 2021, "x"),)


def test_errors_are_those_of_the_async_classes(shelf: Bookmarks) -> None:
    shelf.add_item(bookmark("a"))

    with pytest.raises(NotFoundError):
        shelf.get_item("b")
    with pytest.raises(ConflictError):
        shelf.replace_item(bookmark("a"), expect="1-0000000000000000")
    with pytest.raises(TypeError, match="not one str"):
        shelf.get_items("a")


def test_maintenance_blocks_too(shelf: Bookmarks) -> None:
    told: list[Progress] = []
    shelf.add_items(bookmark(f"b{n}") for n in range(3))
    shelf.remove_item("b1")
    run(shelf.storage.delete, ssshelf.Key("items", "bookmarks", "b2"))

    assert (shelf.verify(progress=told.append).items, bool(told)) == (1, True)
    assert [finding.kind for finding in shelf.findings()] == [FindingKind.STALE_ENTRY]
    assert shelf.sweep().too_young == 2
    assert shelf.reindex().is_complete


def test_a_subclass_inherits_replaces_and_drops_collections() -> None:
    class More(Bookmarks):
        tagged = None  # type: ignore[assignment]
        every = Collection[Bookmark](lambda item: -item["year"])
        newest = Collection[Bookmark](lambda item: ssshelf.Desc(item["year"]), unique=True, version=2)

    assert list(More.declared) == ["every", "newest"]
    assert (More.newest.name, More.newest.unique, More.newest.version) == ("newest", True, 2)
    with More("memory://") as shelf:
        shelf.reindex()
        shelf.add_items([bookmark("a", 2020), bookmark("b", 2021)])
        assert [item["slug"] for item in shelf.every.prefix()] == ["b", "a"]
        with pytest.raises(ssshelf.UniqueViolationError):
            shelf.add_item(bookmark("c", 2021))
    assert list(Bookmarks.declared) == ["every", "tagged"]


def test_a_collection_of_a_plain_class_is_declared_by_those_who_mix_it_in() -> None:
    class Listed:
        by_year = Collection[Bookmark](lambda item: item["year"])

    class Mixed(Listed, Bookmarks):
        pass

    assert list(Mixed.declared) == ["every", "tagged", "by_year"]


def test_what_is_stored_is_the_same_as_with_the_async_classes(tmp_path: Path) -> None:
    class Tagged(ssshelf.Collection[Bookmark]):
        def key(self, item: Bookmark) -> list[str]:
            return list(item["tags"])

    class Async(ssshelf.CManager[Bookmark]):
        item_manager = DictItems(pk="slug", name="bookmarks")
        every = ssshelf.Collection[Bookmark](lambda item: item["slug"])
        tagged = Tagged()

    assert {name: each.name for name, each in Async.declared.items()} == {
        name: each.name for name, each in Bookmarks.declared.items()
    }
    with Bookmarks(f"sqlite:///{tmp_path}/shelf.db") as shelf:
        shelf.add_item(bookmark("a", 2020, "x"))
        assert run(Async(shelf.storage).tagged.count, "x") == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"add_item": Collection(len)}, "add_item: a collection cannot have the name of a method"),
        ({"close": Collection(len)}, "close: a blocking manager has a method of this name"),
        ({"listed": Collection()}, "listed has no key"),
        ({"a_b": Collection(len), "c": Collection(len, name="a-b")}, "would both be stored as 'a-b'"),
    ],
)
def test_a_wrong_declaration_is_refused(body: dict[str, Any], error: str) -> None:
    with pytest.raises(TypeError, match=f"Wrong.{error}" if "both" not in error else error):
        type("Wrong", (CManager,), body)


def test_a_manager_without_an_item_manager_is_refused() -> None:
    class Nothing(CManager[Bookmark]):
        pass

    with pytest.raises(TypeError, match="Nothing declares no instance of an item manager"):
        Nothing("memory://")


def test_a_collection_that_is_only_declared_cannot_be_read() -> None:
    with pytest.raises(TypeError, match="'tagged' is only declared"):
        Bookmarks.tagged.get_items()


def test_a_lazy_iterable_may_block_and_is_read_in_pieces(shelf: Bookmarks) -> None:
    read: list[int] = []

    def items() -> Iterator[Bookmark]:
        for number in range(1200):
            if number == 600:
                read.append(shelf.every.count())
            yield bookmark(f"b{number:04}")

    assert shelf.add_items(items()) == 1200
    assert read == [500]
    with Bookmarks("memory://") as other:
        assert other.add_items(shelf.every.prefix()) == 1200
        assert [item["slug"] for item in other.get_items(f"b{n:04}" for n in range(1200))][::600] == ["b0000", "b0600"]
        assert other.remove_items(other.every.prefix()) == 1200


def test_what_an_iterable_raises_comes_out_after_what_was_done(shelf: Bookmarks) -> None:
    def items() -> Iterator[Bookmark]:
        yield from (bookmark(f"b{n}") for n in range(700))
        raise KeyError("mine")  # noqa: EM101  of a caller

    with pytest.raises(KeyError, match="mine"):
        shelf.add_items(items())
    assert shelf.every.count() == 500


def test_a_failure_tells_what_was_done_before(shelf: Bookmarks) -> None:
    items: list[Any] = [bookmark(f"b{n}") for n in range(600)]
    items[510] = {"slug": None}

    with pytest.raises(TypeError) as caught:
        shelf.add_items(items)

    assert caught.value.__notes__[-1] == "500 more were done before"


def test_listings_are_read_page_by_page_and_a_break_closes_them() -> None:
    storage = CountingStorage(MemoryStorage(transactions=False))
    shelf = Bookmarks(storage)
    shelf.add_items(bookmark(f"b{n:04}") for n in range(900))
    storage.counts.clear()

    for item in shelf.every.prefix():
        assert item["slug"] == "b0000"
        break

    assert storage.counts["scan"] <= 3  # the page after this one may have been read, and the next one scanned
    assert storage.counts["get"] <= 400
    assert run(_tasks) == []


async def _tasks() -> list[str]:
    await asyncio.sleep(0)
    return [task.get_name() for task in asyncio.all_tasks() if "read_page" in repr(task)]


def test_an_update_may_be_a_function_or_a_coroutine_function(shelf: Bookmarks) -> None:
    shelf.add_item(bookmark("a", 2020))

    async def later(item: Bookmark) -> Bookmark:
        await asyncio.sleep(0)
        return item | {"year": item["year"] + 1}

    shelf.update_item("a", lambda item: item["tags"].append("x"))
    shelf.update_item("a", later)

    assert shelf.get_item("a") == bookmark("a", 2021, "x")


def test_a_blocking_call_in_an_update_is_refused(shelf: Bookmarks) -> None:
    shelf.add_item(bookmark("a", 2020))

    with pytest.raises(RuntimeError, match="would wait for itself: await there"):
        shelf.update_item("a", lambda _: shelf.get_item("a"))
    assert shelf.get_item("a") == bookmark("a", 2020)


async def test_a_thread_that_runs_an_event_loop_may_block(shelf: Bookmarks, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()

    shelf.add_item(bookmark("a"))

    assert list(shelf.every.prefix()) == [bookmark("a")]


def test_threads_agree_with_a_model(shelf: Bookmarks) -> None:
    errors: list[BaseException] = []
    models = [_Model(shelf, number) for number in range(8)]
    threads = [threading.Thread(target=_caught, args=(model.live, errors)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = {slug: item for model in models for slug, item in model.items.items()}
    assert errors == []
    assert shelf.get_item("shared")["year"] == sum(model.increments for model in models)
    assert list(shelf.every.prefix()) == [*(expected[slug] for slug in sorted(expected)), shelf.get_item("shared")]
    assert shelf.verify().is_clean


class _Model:
    """What one of several threads did to items of its own, and to one that all share."""

    def __init__(self, shelf: Bookmarks, number: int) -> None:
        self.items: dict[str, Bookmark] = {}
        self.increments = 0
        self._shelf, self._number, self._dice = shelf, number, random.Random(number)
        if not number:
            shelf.add_item(bookmark("shared", 0))

    def live(self) -> None:
        for _ in range(OPERATIONS):
            self._dice.choice([self._add, self._remove, self._update, self._look, self._share])()

    def _add(self) -> None:
        item = bookmark(self._slug(), self._dice.randrange(2000, 2030), "x")
        self._shelf.add_item(item)
        self.items[item["slug"]] = item

    def _remove(self) -> None:
        slug = self._slug()
        assert self._shelf.remove_item(slug) == (self.items.pop(slug, None) is not None)

    def _update(self) -> None:
        for slug in list(self.items)[:1]:
            self._shelf.update_item(slug, lambda item: item["tags"].append("y"))
            self.items[slug]["tags"].append("y")

    def _look(self) -> None:
        slug = self._slug()
        assert self._shelf.find_item(slug) == self.items.get(slug)
        assert list(self._shelf.every.prefix(slug)) == [item for item in [self.items.get(slug)] if item]

    def _share(self) -> None:
        self._shelf.update_item("shared", lambda item: item | {"year": item["year"] + 1})
        self.increments += 1

    def _slug(self) -> str:
        return f"{self._number}-{self._dice.randrange(5)}"


def _caught(function: Callable[[], None], errors: list[BaseException]) -> None:
    try:
        function()
    except BaseException as error:  # noqa: BLE001  the test looks at it
        errors.append(error)


def test_a_closed_manager_refuses_calls(url: str) -> None:
    shelf = Bookmarks(url)
    shelf.add_item(bookmark("a"))
    rows = shelf.every.prefix()
    shelf.close()
    shelf.close()

    with pytest.raises(ValueError, match="this manager is closed"):
        shelf.get_item("a")
    with pytest.raises(ValueError, match="this manager is closed"):
        shelf.every.get_items()
    with pytest.raises(ValueError, match="closed"):
        next(rows)


def test_a_manager_stays_in_its_process(url: str) -> None:
    with Bookmarks(url) as shelf, pytest.raises(TypeError, match="a Bookmarks can be neither pickled nor copied"):
        pickle.dumps(shelf)


def test_a_storage_that_was_given_stays_open(tmp_path: Path) -> None:
    with open_storage(SQLiteStorage(tmp_path / "shelf.db")) as storage:
        with Bookmarks(storage) as shelf:
            shelf.add_item(bookmark("a"))
        with pytest.raises(ValueError, match="this manager is closed"):
            shelf.every.prefix()
        assert Bookmarks(storage).get_item("a") == bookmark("a")
    with pytest.raises(ValueError, match="closed"):
        Bookmarks(storage).get_item("a")


def test_a_storage_is_opened_by_its_url_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "memory://")

    with open_storage() as one, open_storage("memory://") as other:
        Bookmarks(one).add_item(bookmark("a"))
        assert [done.copied for done in iterate(copy(one, other))] == [1]
        assert Bookmarks(other).get_item("a") == bookmark("a")


class Closing(MemoryStorage):
    def __init__(self) -> None:
        super().__init__()
        self.closed = threading.Event()

    async def aclose(self) -> None:
        self.closed.set()


def test_a_manager_that_is_forgotten_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Closing()
    opening: Callable[[str], Storage] = lambda _: storage  # noqa: E731
    monkeypatch.setattr("ssshelf.blocking._managers.open_storage", opening)

    shelf = Bookmarks("memory://")
    every = shelf.every
    del shelf
    gc.collect()
    assert every.count() == 0
    del every
    gc.collect()

    assert storage.closed.wait(timeout=60)


def test_a_function_of_any_kind_runs() -> None:
    async def double(number: int, *, times: int) -> int:
        await asyncio.sleep(0)
        return number * times

    function: Callable[..., Awaitable[int]] = double
    assert run(function, 4, times=2) == 8
