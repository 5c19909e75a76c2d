from __future__ import annotations

import asyncio
import datetime as dt
import enum
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CManager, Collection, CorruptionError, Desc, DictItems, InvalidCursorError, Key, MemoryStorage
from ssshelf.testing import CountingStorage
from tests.bookmarks import Bookmark, Bookmarks, bookmark

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


class Colour(enum.StrEnum):
    RED = "red"


async def listed_under(value: Any) -> list[tuple[Any, ...]]:
    """Return the keys that an item is listed under when ``key`` returns ``value``."""

    class Things(CManager[Bookmark]):
        item_manager = DictItems(pk="slug")
        every = Collection[Bookmark](lambda _: value)

    storage = MemoryStorage()
    await Things(storage).add_item({"slug": "pk"})
    rows = (await storage.scan(Key("collections", "things", "every"))).rows
    return [row.key.parts[3:-2] for row in rows]


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("2017-09", [("2017-09",)]),
        ("", [("",)]),
        (0, [(0,)]),
        (False, [(False,)]),
        (NOON, [(NOON,)]),
        (b"ab", [(b"ab",)]),
        (Colour.RED, [("red",)]),
        (Desc(3), [(Desc(3),)]),
        (("a", 1), [("a", 1)]),
        (("a", None), [("a", None)]),
        (["b", "a"], [("a",), ("b",)]),
        ({"b", "a"}, [("a",), ("b",)]),
        ([("a", 2), ("a", 1)], [("a", 1), ("a", 2)]),
        ([["a", "x"], ["b"]], [("a", "x"), ("b",)]),
        ((("a", 1), ("b", 2)), [("a", 1), ("b", 2)]),
        (["a", "a"], [("a",)]),
        ([None, [], "a"], [("a",)]),
        (None, []),
        ([], []),
        ((), []),
        ([[]], []),
    ],
)
async def test_a_key_may_be_one_or_several_or_none(value: Any, keys: list[tuple[Any, ...]]) -> None:
    assert await listed_under(value) == keys


async def test_a_key_may_be_a_generator() -> None:
    assert await listed_under(part for part in ("b", "a")) == [("a",), ("b",)]


@pytest.mark.parametrize("value", [{"a": 1}, object(), [object()], [("a", ["b"])], [{"a"}], ("ada", ["x", "y"])])
async def test_what_is_no_key_is_refused(value: Any) -> None:
    with pytest.raises(TypeError) as caught:
        await listed_under(value)

    assert any("every" in note for note in caught.value.__notes__)


async def test_a_subclass_overrides_key_and_names_the_listing() -> None:
    class ByYear(Collection[Bookmark]):
        def key(self, item: Bookmark) -> int:
            return int(item["year"])

        async def of_this_century(self) -> list[Bookmark]:
            return [item async for item in self.prefix(start=2000, stop=2100)]

    class Things(CManager[Bookmark]):
        item_manager = DictItems(pk="slug")
        years = ByYear()

    shelf = Things(MemoryStorage())
    await shelf.add_items([bookmark("a", 1999), bookmark("b", 2024)])

    assert Things.years.name == "by-year"
    assert await shelf.years.of_this_century() == [bookmark("b", 2024)]


async def test_pages_add_up_to_the_listing(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(f"{i}", i, "x") for i in range(10))

    found, after = [], None
    while True:
        page = await shelf.newest.get_items(3, after)
        found += [item["slug"] for item in page]
        after = page.after
        if after is None:
            break

    assert found == [f"{i}" for i in reversed(range(10))]


async def test_a_prefix_is_whole_parts(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items([bookmark("a", 1, "java"), bookmark("b", 2, "javascript"), bookmark("c", 3, "java")])

    assert (await shelf.tagged.get_keys(prefix="java")).keys == ("a", "c")
    assert (await shelf.tagged.get_keys(prefix=("java", 3))).keys == ("c",)
    assert [item["slug"] async for item in shelf.tagged.prefix("java", 1)] == ["a"]
    assert await shelf.tagged.count("javascript") == 1
    assert (await shelf.tagged.get_items(prefix="jav")).items == ()


async def test_keys_of_different_lengths_are_in_the_order_of_tuples(storage: Storage) -> None:
    class Paths(CManager[Bookmark]):
        item_manager = DictItems(pk="slug")
        tree = Collection[Bookmark](lambda item: tuple(item["path"]))

    shelf = Paths(storage)
    paths = {"a": ["x"], "z": ["x"], "b": ["x", "a"], "c": ["x", "m"], "d": ["x", None], "e": ["w"]}
    await shelf.add_items({"slug": slug, "path": path} for slug, path in paths.items())

    async def listed(**window: Any) -> str:
        page = await shelf.tree.get_items(**window)
        assert "".join((await shelf.tree.get_keys(**window)).keys) == "".join(item["slug"] for item in page)
        return "".join(item["slug"] for item in page)

    assert await listed() == "eazdbc"
    assert await listed(prefix=("x", "a")) == "b"
    assert await listed(start=("x", "m")) == "c"
    assert await listed(stop=("x", "m")) == "eazdb"
    assert await shelf.tree.count(("x", "a")) == 1


async def test_none_bounds_nothing_and_a_prefix_may_be_a_tuple() -> None:
    shelf = Bookmarks(MemoryStorage())
    await shelf.add_items([bookmark("a", 1, "x"), bookmark("b", 2, "y")])

    assert (await shelf.tagged.get_keys(prefix=None, start=None)).keys == ("a", "b")
    assert (await shelf.tagged.get_keys(prefix=(None,))).keys == ()
    assert await shelf.tagged.count(None) == 2
    assert [item["slug"] async for item in shelf.tagged.prefix(("x", 1))] == ["a"]
    assert [item["slug"] async for item in shelf.tagged.prefix("x", 1)] == ["a"]


def test_a_collection_takes_a_function() -> None:
    with pytest.raises(TypeError, match=r"lambda item: item\['tags'\]"):
        Collection("tags")  # type: ignore[arg-type]


async def test_a_page_never_has_more_rows_than_asked_for() -> None:
    memory = MemoryStorage()
    writer = Bookmarks(memory)
    await writer.add_items([bookmark("a", 1, "t1"), bookmark("b", 2, "t9")])

    class GrowsMeanwhile(CountingStorage):
        async def scan(self, *args: Any, **kwargs: Any) -> Any:
            found = await super().scan(*args, **kwargs)
            await writer.update_item("a", lambda item: item.update(tags=[f"t{i}" for i in range(1, 9)]))
            return found

    reader = Bookmarks(GrowsMeanwhile(memory))
    first = await reader.tagged.get_items(2)
    rest = await reader.tagged.get_items(100, first.after)

    assert [item["slug"] for item in first] == ["a", "a"]
    assert [item["slug"] for item in rest] == [*"aaaaaa", "b"]


async def test_a_page_is_also_a_sequence() -> None:
    shelf = Bookmarks(MemoryStorage())
    await shelf.add_items([bookmark("a"), bookmark("b")])

    page = await shelf.every.get_items()

    assert page[0] == bookmark("a")
    assert page[1:] == (bookmark("b"),)
    assert bookmark("b") in page
    assert bookmark("c") not in page


async def test_start_is_included_and_stop_is_not(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(f"{i}", i, "x") for i in range(10))

    def slugs(page: Any) -> list[str]:
        return [item["slug"] for item in page]

    assert slugs(await shelf.tagged.get_items(prefix="x", start=3, stop=6)) == ["3", "4", "5"]
    assert slugs(await shelf.tagged.get_items(start=("x", 8))) == ["8", "9"]
    assert slugs(await shelf.newest.get_items(stop=Desc(7))) == ["9", "8"]
    assert slugs(await shelf.tagged.get_items(prefix="x", start=6, stop=3)) == []
    assert await shelf.tagged.count("x", start=3, stop=6) == 3
    first = await shelf.tagged.get_items(2, prefix="x", start=3, stop=6)
    assert slugs(await shelf.tagged.get_items(2, first.after, prefix="x", start=3, stop=6)) == ["5"]


async def test_a_page_survives_removal_of_its_last_item(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(f"{i}", i) for i in range(6))
    first = await shelf.every.get_items(3)

    await shelf.remove_item("2")
    second = await shelf.every.get_items(3, first.after)

    assert [item["slug"] for item in second] == ["3", "4", "5"]


async def test_a_page_can_be_read_as_the_mapping_of_0_1(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items([bookmark("a"), bookmark("b")])

    first = await shelf.every.get_items(1)
    last = await shelf.every.get_items(1, first["after"])

    assert first["items"][0]["slug"] == "a"
    assert "after" in first
    assert "after" not in last
    assert (await shelf.every.get_keys())["keys"] == ("a", "b")
    with pytest.raises(KeyError):
        last["after"]


async def test_iterating_streams_everything_in_order(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssshelf.listings.PAGE_LIMIT", 20)
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(f"{i:03}", i) for i in range(45))

    assert [item["year"] async for item in shelf.every.prefix()] == list(range(45))


async def test_iterating_can_be_left_at_any_time() -> None:
    shelf = Bookmarks(MemoryStorage())
    await shelf.add_items(bookmark(f"{i:03}", i) for i in range(450))
    before = asyncio.all_tasks()

    stream = shelf.every.prefix()
    assert (await anext(stream))["year"] == 0
    await stream.aclose()

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("limit", [0, -1, 1001, 10**9])
async def test_an_impossible_limit_is_refused(limit: int) -> None:
    shelf = Bookmarks(MemoryStorage())

    with pytest.raises(ValueError, match=f"limit must be 1 to 1000, not {limit}"):
        await shelf.every.get_items(limit)
    with pytest.raises(ValueError, match="limit"):
        await shelf.every.get_keys(limit)


@pytest.mark.parametrize("limit", ["3", 2.0, True, None])
async def test_a_limit_is_an_integer(limit: Any) -> None:
    with pytest.raises(TypeError, match="limit"):
        await Bookmarks(MemoryStorage()).every.get_items(limit)


async def test_a_foreign_cursor_is_refused(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(f"{i}", i, "x", "y") for i in range(3))
    after = (await shelf.tagged.get_items(1, prefix="x")).after
    assert after is not None

    for listing in (
        shelf.every.get_items(after=after),
        shelf.tagged.get_items(after=after),
        shelf.tagged.get_items(after=after, prefix="y"),
        shelf.tagged.get_items(after=after, prefix="x", start=1),
        shelf.tagged.get_keys(after=after[:-1], prefix="x"),
        shelf.tagged.get_keys(after=f"{'B' if after[0] == 'A' else 'A'}{after[1:]}", prefix="x"),
        shelf.tagged.get_keys(after="", prefix="x"),
    ):
        with pytest.raises(InvalidCursorError):
            await listing

    assert len(await shelf.tagged.get_items(2, after, prefix="x")) == 2


async def test_a_declaration_is_not_a_listing() -> None:
    with pytest.raises(TypeError, match="instance of its manager"):
        await Bookmarks.every.get_items()


async def test_an_unreadable_item_is_named_and_the_others_are_reached(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items(bookmark(slug, 2024, "x") for slug in "abc")
    await storage.put(Key("items", "bookmarks", "b"), b"garbage")

    with pytest.raises(CorruptionError) as caught:
        await shelf.every.get_items()
    page = await shelf.every.get_items(skip_corrupt=True)

    assert caught.value.key == Key("items", "bookmarks", "b")
    assert [item["slug"] for item in page] == ["a", "c"]
    assert [error.key for error in page.corrupt] == [caught.value.key]
    assert [item["slug"] async for item in shelf.tagged.prefix("x", skip_corrupt=True)] == ["a", "c"]
    assert await shelf.get_item("c") == bookmark("c", 2024, "x")


async def test_a_stale_entry_is_never_believed() -> None:
    storage = MemoryStorage()
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))
    stale = (await storage.scan(Key("collections", "bookmarks", "tagged"))).rows[0].key
    await shelf.update_item("a", lambda item: item.update(tags=["y"]))
    await storage.put(stale, b"")
    await storage.put(Key("collections", "bookmarks", "tagged", "x", 1, "never", "1-00"), b"")
    await storage.put(Key.from_text("collections!/bookmarks!/tagged!/strange name"), b"")
    await storage.put(Key.from_text("collections!/bookmarks!/tagged!/x!/!-%%%!/1-0!"), b"")

    assert list(await shelf.tagged.get_items()) == [bookmark("a", 2024, "y")]
    assert (await shelf.tagged.get_items(prefix="x")).items == ()
    assert [item["slug"] async for item in shelf.tagged.prefix()] == ["a"]
    assert "%%%" not in "".join((await shelf.tagged.get_keys()).keys)


async def test_strange_rows_do_not_end_a_listing() -> None:
    storage = MemoryStorage()
    shelf = Bookmarks(storage)
    await shelf.add_items([bookmark("a", 1, "x"), bookmark("b", 2, "x")])
    strange = (await storage.scan(Key("collections", "bookmarks", "tagged"))).rows[0].key.text
    for number in range(3):
        await storage.put(Key.from_text(f"{strange}{number}"), b"")

    first = await shelf.tagged.get_keys(1)
    second = await shelf.tagged.get_keys(1, first.after)

    assert (first.keys, second.keys, second.after) == (("a",), ("b",), None)


async def test_an_item_that_moves_within_a_page_while_it_is_read_is_on_it_once() -> None:
    memory = MemoryStorage(transactions=False)
    writer = Bookmarks(memory)
    await writer.add_items([bookmark("a", 1, "x"), bookmark("b", 2, "x")])

    class MovesMeanwhile(CountingStorage):
        async def scan(self, *args: Any, **kwargs: Any) -> Any:
            found = await super().scan(*args, **kwargs)
            await writer.update_item("a", lambda item: item.update(year=9))
            return found

    page = await Bookmarks(MovesMeanwhile(memory)).tagged.get_items(prefix="x")

    assert [(item["slug"], item["year"]) for item in page] == [("b", 2), ("a", 9)]


async def test_an_item_that_leaves_the_window_while_it_is_read_is_not_on_the_page() -> None:
    memory = MemoryStorage(transactions=False)
    writer = Bookmarks(memory)
    await writer.add_items([bookmark("a", 1, "x"), bookmark("b", 2, "x")])

    class LeavesMeanwhile(CountingStorage):
        async def scan(self, *args: Any, **kwargs: Any) -> Any:
            found = await super().scan(*args, **kwargs)
            await writer.update_item("a", lambda item: item.update(year=9))
            return found

    reader = Bookmarks(LeavesMeanwhile(memory))

    assert [item["slug"] for item in await reader.tagged.get_items(prefix="x", stop=9)] == ["b"]
    await writer.update_item("a", lambda item: item.update(year=1))
    assert [item["slug"] for item in await reader.tagged.get_items(1, prefix="x")] == []


async def test_an_item_that_leaves_and_returns_between_pages_is_not_repeated() -> None:
    storage = MemoryStorage(transactions=False)
    shelf = Bookmarks(storage)
    await shelf.add_items([bookmark("a", 1, "x"), bookmark("b", 2, "x")])
    first = await shelf.tagged.get_items(1)

    await shelf.update_item("a", lambda item: item.update(tags=[]))
    await shelf.update_item("a", lambda item: item.update(tags=["x"]))
    second = await shelf.tagged.get_items(1, first.after)

    assert [item["slug"] for item in (*first, *second)] == ["a", "b"]


async def test_items_of_a_page_are_not_shared() -> None:
    shelf = Bookmarks(MemoryStorage())
    await shelf.add_item(bookmark("a", 1, "x", "y"))

    one, two = await shelf.tagged.get_items()
    one["year"] = 2

    assert two["year"] == 1
