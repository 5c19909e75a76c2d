from __future__ import annotations

import asyncio
import json
import pickle
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    AlreadyExistsError,
    CManager,
    Collection,
    ConflictError,
    DictItems,
    IManager,
    MemoryStorage,
    NotFoundError,
    UnsupportedError,
)
from ssshelf.storages.base import Capabilities, Storage
from ssshelf.storages.wrapper import WrapperStorage
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark

if TYPE_CHECKING:
    from collections.abc import Iterator


async def test_what_was_added_is_got_and_listed(storage: Storage) -> None:
    shelf = Bookmarks(storage)

    await shelf.add_item(bookmark("a", 2024, "x", "y"))
    await shelf.add_item(bookmark("b", 2023, "x"))

    await assert_in_step(shelf, [bookmark("a", 2024, "x", "y"), bookmark("b", 2023, "x")])


async def test_adding_again_replaces_the_item_in_all_listings(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x", "y"))

    await shelf.add_item(bookmark("a", 2020, "y", "z"))

    await assert_in_step(shelf, [bookmark("a", 2020, "y", "z")])
    assert (await shelf.tagged.get_keys()).keys == ("a", "a")
    assert await shelf.tagged.count() == 2


async def test_inserting_an_existing_item_is_refused(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    rev = await shelf.insert_item(bookmark("a", 2024, "x"))

    with pytest.raises(AlreadyExistsError) as caught:
        await shelf.insert_item(bookmark("a", 1999, "y"))

    assert caught.value.found == rev
    await assert_in_step(shelf, [bookmark("a", 2024, "x")])
    assert await shelf.tagged.count() == 1


async def test_what_was_removed_can_be_inserted_again(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.insert_item(bookmark("a", 2024, "x"))
    await shelf.remove_item("a")

    await shelf.insert_item(bookmark("a", 2020, "x"))

    await assert_in_step(shelf, [bookmark("a", 2020, "x")])


async def test_an_item_that_was_written_many_times_exists_like_any_other(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    for year in range(20):
        await shelf.add_item(bookmark("a", year, "x"))

    with pytest.raises(AlreadyExistsError):
        await shelf.insert_item(bookmark("a", 99))

    await assert_in_step(shelf, [bookmark("a", 19, "x")])


async def test_an_update_that_was_overtaken_many_times_is_redone(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 0, "x"))
    calls = []

    async def slowly(item: Bookmark) -> Bookmark:
        calls.append(item["year"])
        while len(calls) == 1 and item["year"] < 20:
            item["year"] += 1
            await shelf.add_item(item)
        return {**item, "tags": ["done"]}

    await shelf.update_item("a", slowly)

    assert calls == [0, 20]
    await assert_in_step(shelf, [bookmark("a", 20, "done")])


async def test_of_racing_inserts_one_wins(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    items = [bookmark("a", year, f"t{year}") for year in range(8)]

    outcomes = await asyncio.gather(*map(shelf.insert_item, items), return_exceptions=True)

    winners = [item for item, outcome in zip(items, outcomes, strict=True) if isinstance(outcome, str)]
    assert Counter(map(type, outcomes))[AlreadyExistsError] == 7
    await assert_in_step(shelf, winners)


async def test_replacing_needs_the_current_revision(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    first = await shelf.add_item(bookmark("a", 2024, "x"))
    second = await shelf.replace_item(bookmark("a", 2025, "x"), expect=first)

    with pytest.raises(ConflictError) as caught:
        await shelf.replace_item(bookmark("a", 1, "lost"), expect=first)

    assert caught.value.found == second
    await assert_in_step(shelf, [bookmark("a", 2025, "x")])


async def test_a_revision_may_travel_as_text(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    rev = await shelf.add_item(bookmark("a", 2024, "x"))

    as_text = json.loads(json.dumps({"rev": rev}))["rev"]
    newer = await shelf.replace_item(bookmark("a", 2025, "y"), expect=as_text)

    with pytest.raises(ConflictError):
        await shelf.replace_item(bookmark("a", 1), expect=pickle.loads(pickle.dumps(rev)))
    assert newer != rev
    await assert_in_step(shelf, [bookmark("a", 2025, "y")])


async def test_replacing_takes_a_revision() -> None:
    with pytest.raises(TypeError, match="add_item"):
        await Bookmarks(MemoryStorage()).replace_item(bookmark("a"), expect=None)  # type: ignore[arg-type]


async def test_replacing_what_is_gone_is_a_conflict(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    rev = await shelf.add_item(bookmark("a", 2024, "x"))
    await shelf.remove_item("a")

    for expect in (rev, str(rev), "1-0000"):
        with pytest.raises(ConflictError):
            await shelf.replace_item(bookmark("a", 2024, "x"), expect=expect)
    with pytest.raises(ConflictError):
        await shelf.replace_item(bookmark("never", 2024, "x"), expect=rev.upper())

    await assert_in_step(shelf, [])


async def test_an_item_is_read_with_its_revision(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))

    item, rev = await shelf.get_revision("a")
    item["year"] += 1
    await shelf.replace_item(item, expect=rev)

    await assert_in_step(shelf, [bookmark("a", 2025, "x")])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_an_update_changes_item_and_listings(storage: Storage, asynchronous: bool) -> None:  # noqa: FBT001
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))

    def change(item: Bookmark) -> Bookmark:
        return {**item, "year": 2030, "tags": ["z"]}

    async def change_later(item: Bookmark) -> Bookmark:
        await asyncio.sleep(0)
        return change(item)

    await shelf.update_item("a", change_later if asynchronous else change)

    await assert_in_step(shelf, [bookmark("a", 2030, "z")])


async def test_an_update_may_change_in_place(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))

    await shelf.update_item("a", lambda item: item["tags"].append("y"))

    await assert_in_step(shelf, [bookmark("a", 2024, "x", "y")])


async def test_no_concurrent_update_is_lost(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 0, "x"))

    await asyncio.gather(*(shelf.update_item("a", lambda item: {**item, "year": item["year"] + 1}) for _ in range(8)))

    await assert_in_step(shelf, [bookmark("a", 8, "x")])


async def test_updating_what_is_not_there_is_not_found(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("gone"))
    await shelf.remove_item("gone")

    for pk in ("gone", "never"):
        with pytest.raises(NotFoundError):
            await shelf.update_item(pk, lambda item: item)


async def test_an_update_may_not_change_the_primary_key(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))

    with pytest.raises(ValueError, match="primary key"):
        await shelf.update_item("a", lambda item: {**item, "slug": "b"})

    await assert_in_step(shelf, [bookmark("a", 2024, "x")])


async def test_an_error_in_an_update_changes_nothing(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))

    with pytest.raises(ZeroDivisionError):
        await shelf.update_item("a", lambda item: item.update(year=1 / 0))

    await assert_in_step(shelf, [bookmark("a", 2024, "x")])


async def test_a_removed_item_is_gone_from_everywhere(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items([bookmark("a", 2024, "x"), bookmark("b", 2023, "x")])

    assert await shelf.remove_item("a") is True
    assert await shelf.remove_item("a") is False

    await assert_in_step(shelf, [bookmark("b", 2023, "x")])
    assert await shelf.find_item("a") is None
    with pytest.raises(NotFoundError):
        await shelf.get_item("a")
    assert await shelf.tagged.count() == 1


async def test_a_changed_copy_removes_all_of_the_stored_item(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x", "y"))

    await shelf.remove_item(bookmark("a", 1999, "other"))

    await assert_in_step(shelf, [])
    assert await shelf.tagged.count() == 0


async def test_of_racing_removals_one_removes(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a", 2024, "x"))

    removed = await asyncio.gather(*(shelf.remove_item("a") for _ in range(4)))

    assert sorted(removed) == [False, False, False, True]


async def test_a_primary_key_may_be_a_number(storage: Storage) -> None:
    shelf = Bookmarks(storage)

    await shelf.add_item({**bookmark("a"), "slug": 7118039003595745461})

    assert (await shelf.get_item(7118039003595745461))["slug"] == 7118039003595745461
    assert (await shelf.get_item("7118039003595745461"))["slug"] == 7118039003595745461


async def test_bulk_calls_do_what_single_ones_do(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    items = [bookmark(f"{i:03}", 2000 + i % 7, f"t{i % 3}") for i in range(40)]

    assert await shelf.add_items(item for item in items) == 40
    assert await shelf.get_items(["032", "007"]) == [items[32], items[7]]
    await assert_in_step(shelf, items)
    assert await shelf.remove_items([*(item["slug"] for item in items[10:]), "never", items[9]]) == 31

    await assert_in_step(shelf, items[:9])


async def test_of_equal_primary_keys_in_a_bulk_call_the_last_stays(storage: Storage) -> None:
    shelf = Bookmarks(storage)

    await shelf.add_items([bookmark(slug, year, "x") for year in range(10) for slug in "ab"])

    await assert_in_step(shelf, [bookmark("a", 9, "x"), bookmark("b", 9, "x")])


async def test_a_bulk_call_begins_nothing_after_a_failure() -> None:
    shelf = Bookmarks(MemoryStorage(), concurrency=2)
    drawn = []

    def items() -> Iterator[Bookmark]:
        for i in range(100):
            drawn.append(i)
            yield {"slug": f"{i}"} if i == 3 else bookmark(f"{i}")

    with pytest.raises(KeyError) as caught:
        await shelf.add_items(items())

    assert len(drawn) <= 6
    assert any("were done" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("one", ["slug", b"slug", bookmark("a"), Bookmarks(MemoryStorage()).every.prefix()])
async def test_a_bulk_call_refuses_one_thing(one: Any) -> None:
    shelf = Bookmarks(MemoryStorage())

    with pytest.raises(TypeError, match="iterable"):
        await shelf.add_items(one)
    with pytest.raises(TypeError, match="iterable"):
        await shelf.get_items(one)
    with pytest.raises(TypeError, match="iterable"):
        await shelf.remove_items(one)


async def test_getting_many_names_the_one_that_is_absent(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a"))

    with pytest.raises(NotFoundError, match="nope"):
        await shelf.get_items(["a", "nope"])

    assert await shelf.get_items([]) == []


async def test_managers_share_nothing() -> None:
    class Notes(Bookmarks):
        item_manager = DictItems(pk="slug")

    one, two = MemoryStorage(), MemoryStorage()
    first, second, notes = Bookmarks(one), Bookmarks(two), Notes(one)

    await first.add_item(bookmark("a", 1, "x"))
    await second.add_item(bookmark("b", 2, "y"))
    await notes.add_item(bookmark("c", 3, "z"))

    await assert_in_step(first, [bookmark("a", 1, "x")])
    await assert_in_step(second, [bookmark("b", 2, "y")])
    await assert_in_step(notes, [bookmark("c", 3, "z")])
    assert first.every is not second.every
    assert Bookmarks.every is not first.every


async def test_subclasses_inherit_replace_and_drop_collections() -> None:
    class Fewer(Bookmarks):
        tagged = None  # type: ignore[assignment]
        newest = Collection[Bookmark](lambda item: item["year"], name="oldest")
        by_length = Collection[Bookmark](lambda item: len(item["slug"]))

    shelf = Fewer(MemoryStorage())
    await shelf.add_items([bookmark("aa", 2), bookmark("b", 1)])

    assert list(Fewer.declared) == ["every", "newest", "by_length"]
    assert list(Bookmarks.declared) == ["every", "tagged", "newest"]
    assert shelf.tagged is None
    assert (await shelf.newest.get_keys()).keys == ("b", "aa")
    assert (await shelf.by_length.get_keys()).keys == ("b", "aa")
    assert (await shelf.every.get_keys()).keys == ("aa", "b")


async def test_a_subclass_keeps_the_items_of_its_base() -> None:
    class More(Bookmarks):
        by_tag_count = Collection[Bookmark](lambda item: len(item["tags"]))

    storage = MemoryStorage()
    await Bookmarks(storage).add_item(bookmark("a", 1, "x"))

    assert await More(storage).get_item("a") == bookmark("a", 1, "x")


async def test_a_manager_may_have_no_collections(storage: Storage) -> None:
    class Plain(CManager[Bookmark]):
        item_manager = DictItems(pk="slug")

    shelf = Plain(storage)
    await shelf.add_item(bookmark("a"))

    assert await shelf.get_item("a") == bookmark("a")
    assert await shelf.remove_item("a")


def test_two_collections_of_one_stored_name_are_refused() -> None:
    class ByName(Collection[Bookmark]):
        def key(self, item: Bookmark) -> str:
            return str(item["slug"])

    with pytest.raises(TypeError, match=r"one and two .* 'by-name'"):

        class Twice(CManager[Bookmark]):
            item_manager = DictItems()
            one = ByName()
            two = ByName()

    class Once(CManager[Bookmark]):
        item_manager = DictItems()
        one = ByName()
        two = ByName(name="other")

    assert [collection.name for collection in Once.declared.values()] == ["by-name", "other"]


def test_a_collection_without_a_key_is_refused() -> None:
    with pytest.raises(TypeError, match="every has no key"):

        class Keyless(CManager[Bookmark]):
            item_manager = DictItems()
            every = Collection[Bookmark]()


def test_a_collection_may_not_hide_a_method() -> None:
    with pytest.raises(TypeError, match="add_item"):

        class Hiding(CManager[Bookmark]):
            item_manager = DictItems()
            add_item = Collection[Bookmark](lambda item: item["slug"])  # type: ignore[assignment]


def test_a_manager_needs_an_item_manager() -> None:
    class Nothing(CManager[Bookmark]):
        pass

    with pytest.raises(TypeError, match="item_manager"):
        Nothing(MemoryStorage())


def test_a_manager_needs_a_storage() -> None:
    with pytest.raises(TypeError, match="open_storage"):
        Bookmarks("memory://")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="concurrency"):
        Bookmarks(MemoryStorage(), concurrency=0)


def test_a_store_without_conditions_is_refused() -> None:
    class Careless(WrapperStorage):
        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(conditional_put=False)

    with pytest.raises(UnsupportedError, match="conditional"):
        Bookmarks(Careless(MemoryStorage()))


def test_an_abstract_item_manager_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        IManager()  # type: ignore[abstract]
