"""Covering collections: pages without gets, and never a value that the item did not have."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import io
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    CManager,
    Collection,
    CorruptionError,
    Covered,
    DictItems,
    IncompleteError,
    InvalidCursorError,
    Key,
    MemoryStorage,
    ModelItems,
    PickleItems,
)
from ssshelf.covers import pack_cover
from ssshelf.documents import Documents
from ssshelf.layout import Layout, ending_of
from ssshelf.maintenance import FindingKind
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage, fail_at
from ssshelf.transfer import Stream, copy, export_items, import_items

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

Film = dict[str, Any]
NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)


class Films(CManager[Film]):
    item_manager = DictItems(pk="no", name="films")
    by_year = Collection[Film](lambda film: film["year"], covers=("title", "seen"))
    by_tag = Collection[Film](lambda film: film.get("tags", ()), covers=["title"])


class Before(CManager[Film]):
    item_manager = DictItems(pk="no", name="films")
    by_year = Collection[Film](lambda film: film["year"])
    by_tag = Collection[Film](lambda film: film.get("tags", ()), covers=["seen"])


def film(no: str, year: int = 1927, **fields: Any) -> Film:
    return {"no": no, "year": year, "title": f"title {no}", "seen": NOON, **fields}


def row(no: str, year: int = 1927, **values: Any) -> Covered:
    return Covered(no, (year,), {"title": f"title {no}", "seen": NOON, **values})


async def paged(films: Films, limit: int) -> list[Covered]:
    """Return all rows by year, in pages of so many."""
    found: list[Covered] = []
    after = None
    while True:
        page = await films.by_year.get_covered(limit, after)
        assert len(page) <= limit
        found += page.items
        if (after := page.after) is None:
            return found


@pytest.fixture
def plain() -> CountingStorage:
    return CountingStorage(MemoryStorage(transactions=False))


async def test_a_page_is_one_listing(storage: Storage) -> None:
    counting = CountingStorage(storage)
    films = Films(counting)
    await films.add_items([film("a", 1927), film("b", 1922), film("c", 1931)])
    counting.reset()

    page = await films.by_year.get_covered()

    assert page.items == (row("b", 1922), row("a", 1927), row("c", 1931))
    assert counting.counts == Counter(scan=1)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 1000])
async def test_pages_add_up(limit: int, plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_items(film(str(no), no // 2) for no in range(7))
    plain.reset()

    assert await paged(films, limit) == [row(str(no), no // 2) for no in range(7)]
    assert plain.counts["get"] == 0


async def test_windows_cursors_and_limits_are_those_of_items(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_items(film(str(no), no, tags=["x", "y"]) for no in range(5))

    page = await films.by_year.get_covered(2, start=1, stop=4)

    assert [one.pk for one in page] == ["1", "2"]
    assert [item["no"] for item in await films.by_year.get_items(2, page.after, start=1, stop=4)] == ["3"]
    assert [one.key for one in await films.by_tag.get_covered(prefix="y")] == [("y",)] * 5
    with pytest.raises(InvalidCursorError):
        await films.by_year.get_covered(2, page.after)
    with pytest.raises(ValueError, match="1 to 1000"):
        await films.by_year.get_covered(1001)


async def test_iterating_goes_from_page_to_page(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_items(film(f"{no:04}", no) for no in range(1500))
    plain.reset()

    found = [one.pk async for one in films.by_year.iter_covered(start=1)]

    assert found == [f"{no:04}" for no in range(1, 1500)]
    assert plain.counts == Counter(scan=2)


async def test_a_covered_value_changes_with_its_item(storage: Storage) -> None:
    films = Films(storage)
    await films.add_item(film("a"))

    await films.update_item("a", lambda item: item.update(title="other"))
    await films.update_item("a", lambda item: item.update(note="not covered"))

    assert (await films.by_year.get_covered()).items == (row("a", title="other"),)
    assert (await films.verify()).is_clean


async def test_an_entry_is_replaced_only_if_a_covered_value_changes(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_item(film("a", tags=["x", "y"]))
    plain.reset()

    await films.update_item("a", lambda item: item.update(note="not covered"))
    assert plain.counts == Counter(get=1, put=1)
    plain.reset()
    await films.update_item("a", lambda item: item.update(seen=None))
    assert plain.counts == Counter(get=1, put=2, delete=1)


async def test_what_a_mapping_lacks_is_none(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_item({"no": "a", "year": 1, "title": "t"})
    plain.reset()

    assert (await films.by_year.get_covered()).items == (Covered("a", (1,), {"title": "t", "seen": None}),)
    assert plain.counts["get"] == 0


async def test_what_is_too_large_for_a_name_is_read(plain: CountingStorage) -> None:
    films = Films(plain)
    long = random.Random(1).randbytes(600).hex()
    await films.add_items([film("a"), film("b", title=long, tags=["x"]), film("c")])
    plain.reset()

    page = await films.by_year.get_covered()

    assert page.items == (row("a"), row("b", title=long), row("c"))
    assert plain.counts == Counter(scan=1, get=1)
    assert (await films.verify()).is_clean


async def test_names_leave_room_for_the_prefix_of_another_storage() -> None:
    storage, bound = MemoryStorage(), Key("x" * 120)
    films = Films(storage)
    for size in range(0, 700, 7):
        await films.add_item(film(f"{size}", title=random.Random(size).randbytes(size).hex()))
    there = Films(PrefixedStorage(MemoryStorage(), bound))

    done = [one async for one in copy(storage, there.storage)]

    assert [one.tally.problems for one in done] == [[]]
    assert (await there.verify()).is_clean
    lengths = [len(row.key.text) for row in (await storage.scan(Key("collections"))).rows]
    assert 850 < max(lengths) <= 896


async def test_entries_of_before_are_read_until_a_reindex(plain: CountingStorage) -> None:
    before, films = Before(plain), Films(plain)
    await before.add_items([film("a", tags=["x"]), film("b")])
    plain.reset()

    assert (await films.by_year.get_covered()).items == (row("a"), row("b"))
    assert [one.values for one in await films.by_tag.get_covered()] == [{"title": "title a"}]
    assert plain.counts == Counter(scan=2, get=3)
    assert {finding.kind async for finding in films.verify()} == {FindingKind.OUTDATED}

    assert (await films.reindex(force=True)).changed == 2
    plain.reset()
    assert (await films.by_year.get_covered()).items == (row("a"), row("b"))
    assert plain.counts == Counter(scan=1)
    assert (await films.verify()).is_clean


async def test_a_program_that_covers_less_leaves_no_old_values(plain: CountingStorage) -> None:
    before, films = Before(plain), Films(plain)
    await films.add_item(film("a"))

    await before.update_item("a", lambda item: item.update(title="newer"))

    assert (await films.by_year.get_covered()).items == (row("a", title="newer"),)


async def test_collections_that_cover_nothing_tell_keys(plain: CountingStorage) -> None:
    before = Before(plain)
    await before.add_item(film("a"))
    plain.reset()

    assert (await before.by_year.get_covered()).items == (Covered("a", (1927,), {}),)
    assert plain.counts == Counter(scan=1)


@pytest.mark.parametrize("n", range(4))
async def test_under_a_key_that_stays_there_is_one_row_whatever_crashed(n: int) -> None:
    memory = MemoryStorage(transactions=False)
    await Films(memory).add_item(film("a"))
    crashing = FaultyStorage(memory, fail_at(n, Fault.CRASH_AFTER))
    with contextlib.suppress(CrashError):
        await Films(crashing).update_item("a", lambda item: item.update(title="other"))
    films = Films(memory)
    item = await films.get_item("a")

    for limit in (1, 2, 1000):
        assert (await films.by_year.get_covered(limit)).items == (row("a", title=item["title"]),)


async def test_two_entries_for_one_key_are_never_parted_by_a_page(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_items([film("a"), film("b"), film("c")])
    never_committed = ending_of(f"1-{0:016}", pack_cover({"title": "another", "seen": None}))
    for no in "abc":
        await plain.put(Layout("films").entry(Key("by-year", 1927).text, f"{no}!", never_committed), b"")

    for limit in (1, 2, 3, 4):
        assert await paged(films, limit) == [row("a"), row("b"), row("c")]


async def test_an_item_that_cannot_be_read_is_told(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_items([film("a"), film("b", title=random.Random(1).randbytes(600).hex())])
    await plain.put(Key("items", "films", "b"), b"damaged")

    with pytest.raises(CorruptionError):
        await films.by_year.get_covered()
    page = await films.by_year.get_covered(skip_corrupt=True)
    assert page.items == (row("a"),)
    assert [error.key for error in page.corrupt] == [Key("items", "films", "b")]


async def test_what_something_else_wrote_is_left_out(plain: CountingStorage) -> None:
    films = Films(plain)
    await films.add_item(film("a"))
    for name in ("!3x!/!-b!/1-f!", "!3p41927!/!-(!/x!", "!9!/!-b!/1-0000000000000000-1AAAA!"):
        await plain.put(Key.from_text(f"collections!/films!/by-year!/{name}"), b"")

    assert (await films.by_year.get_covered()).items == (row("a"),)


async def test_a_later_version_has_to_be_reindexed_first(plain: CountingStorage) -> None:
    class Later(Films):
        by_year = Collection[Film](lambda film: film["year"], covers=("title",), version=2)

    with pytest.raises(IncompleteError):
        await Later(plain).by_year.get_covered()


async def test_a_document_that_is_put_by_hand_covers_nothing(plain: CountingStorage) -> None:
    films, documents = Films(plain), Documents(plain, "films")
    await films.add_items([film("a"), film("b")])
    assert (await documents.verify()).is_clean
    await documents.reindex(force=True)
    document = await documents.get_item("a")

    await documents.add_item(dataclasses.replace(document, body=document.body.replace(b"title a", b"by hand")))
    plain.reset()

    assert (await films.by_year.get_covered()).items == (row("a", title="by hand"), row("b"))
    assert plain.counts == Counter(scan=1, get=1)
    assert (await films.verify()).is_clean
    await films.reindex(force=True)
    plain.reset()
    assert len(await films.by_year.get_covered()) == 2
    assert plain.counts == Counter(scan=1)


async def test_copies_and_exports_cover_what_the_shelf_covers(plain: CountingStorage) -> None:
    await Films(plain).add_items([film("a", tags=["x"]), film("b")])
    file = io.BytesIO()
    copied, imported = Films(MemoryStorage()), Films(MemoryStorage(transactions=False))

    async for _ in copy(plain, copied.storage):
        pass
    await export_items(plain, Stream(file, "none"))
    await import_items(io.BytesIO(file.getvalue()), imported.storage)

    for films in (copied, imported):
        counting = CountingStorage(films.storage)
        assert (await Films(counting).by_year.get_covered()).items == (row("a"), row("b"))
        assert counting.counts == Counter(scan=1)
        assert (await films.verify()).is_clean


async def test_a_sweep_spares_entries_that_cover_something() -> None:
    now = NOON
    storage = MemoryStorage(transactions=False, clock=lambda: now)
    films = Films(storage)
    await films.add_items([film("a"), film("b")])
    (listed, _) = (await storage.scan(Key("collections", "films", "by-year"))).rows
    await storage.put(Key.from_text(listed.key.text.replace("!/1-", "!/2-")), b"")
    now += dt.timedelta(days=1)

    assert (await films.sweep()).entries == 1
    assert (await films.by_year.get_covered()).items == (row("a"), row("b"))
    assert (await films.verify()).is_clean


@dataclasses.dataclass
class Book:
    pk: str
    title: str
    at: dt.datetime


async def test_items_of_a_class_cover_attributes(plain: CountingStorage) -> None:
    class Titles(Collection[Book]):
        covers = ("title", "at")

        def key(self, item: Book) -> str:
            return item.title

    class Books(CManager[Book]):
        item_manager = ModelItems(Book)
        titles = Titles()

    books = Books(plain)
    await books.add_item(Book("a", "SICP", NOON))

    assert (await books.titles.get_covered()).items == (Covered("a", ("SICP",), {"title": "SICP", "at": NOON}),)
    assert (await books.verify()).is_clean


async def test_what_has_no_form_is_refused_before_anything_is_sent(plain: CountingStorage) -> None:
    class Things(CManager[Any]):
        item_manager = PickleItems(pk=str)
        every = Collection[Any](str, covers=("real",))

    with pytest.raises(TypeError, match="complex has no form") as caught:
        await Things(plain).add_item({"real": 1j})
    assert caught.value.__notes__ == ["in the covers of collection 'every'; nothing was written"]
    with pytest.raises(AttributeError):
        await Things(plain).add_item("not a number")
    assert plain.counts == Counter()


@pytest.mark.parametrize("covers", ["title", [1], [None]])
def test_covers_are_names(covers: Any) -> None:
    with pytest.raises(TypeError, match=r'covers takes names of values, such as \("title", "url"\)'):
        Collection[Film](lambda film: film["year"], covers=covers)
