"""Documents: what any program has stored can be read, changed, listed and mended without it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import orjson
import pytest

from ssshelf import (
    AlreadyExistsError,
    CorruptionError,
    InvalidCursorError,
    Key,
    MemoryStorage,
    NotFoundError,
    UniqueViolationError,
)
from ssshelf.documents import Document, Documents, collection_names, manager_names
from ssshelf.envelope import Stored
from ssshelf.testing import CountingStorage
from tests.notes import LAYOUT, Notes, note

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage


async def filled(storage: Storage, count: int = 3) -> Notes:
    notes = Notes(storage)
    await notes.add_items(note(number, "x", "y") for number in range(count))
    return notes


async def test_a_document_is_what_the_program_stored(storage: Storage) -> None:
    await filled(storage)

    document = await Documents(storage, "notes").get_item("n0001")

    assert document == Document(
        "n0001",
        orjson.dumps(note(1, "x", "y")),
        "application/json",
        frozenset({"by-tag!/x!", "by-tag!/y!", "by-title!/title(201!"}),
        frozenset({"by-title!/title(201!"}),
    )


async def test_a_replaced_document_stays_listed_and_keeps_its_type(storage: Storage) -> None:
    notes = await filled(storage)
    changed = orjson.dumps({**note(1, "z"), "title": "changed"})

    await Documents(storage, "notes").update_item(
        "n0001", lambda document: dataclasses.replace(document, body=changed, content_type="text/plain")
    )

    assert (await notes.get_item("n0001"))["title"] == "changed"
    assert (await notes.by_tag.get_keys(prefix="x")).keys == ("n0000", "n0001", "n0002")
    assert (await Documents(storage, "notes").get_item("n0001")).content_type == "text/plain"


async def test_a_removed_document_leaves_no_entries_and_no_claims(storage: Storage) -> None:
    notes = await filled(storage)

    assert await Documents(storage, "notes").remove_item("n0001")

    assert (await notes.by_tag.get_keys()).keys == ("n0000", "n0002") * 2
    await notes.insert_item({**note(7), "title": "title 1"})
    assert (await notes.verify()).is_clean


async def test_a_new_document_is_listed_where_it_says(storage: Storage) -> None:
    notes = await filled(storage)
    indexes = frozenset({"by-tag!/new!", "by-title!/new!"})
    document = Document("n7", orjson.dumps({"slug": "n7", "title": "new", "tags": ["new"]}), indexes=indexes)
    documents = Documents(storage, "notes")

    await documents.insert_item(dataclasses.replace(document, unique=frozenset({"by-title!/new!"})))

    assert (await notes.by_tag.get_items(prefix="new")).items == ({"slug": "n7", "title": "new", "tags": ["new"]},)
    assert (await notes.verify()).is_clean
    with pytest.raises(AlreadyExistsError):
        await documents.insert_item(document)
    with pytest.raises(UniqueViolationError):
        await documents.insert_item(dataclasses.replace(document, pk="n8", unique=frozenset({"by-title!/new!"})))


@pytest.mark.parametrize("index", ["by-tag", "by-tag!/x", "", "by-tag!/x!/"])
async def test_what_is_no_index_key_is_refused(index: str) -> None:
    documents = Documents(MemoryStorage(), "notes")

    with pytest.raises(ValueError, match="not the text of a key"):
        await documents.add_item(Document("n1", b"", indexes=frozenset({index})))

    assert await manager_names(documents.storage) == []


async def test_an_index_has_a_key() -> None:
    with pytest.raises(ValueError, match="'by-tag!' is no collection and index key"):
        await Documents(MemoryStorage(), "notes").add_item(Document("n1", b"", indexes=frozenset({"by-tag!"})))


async def test_a_unique_value_has_to_be_an_index_key() -> None:
    with pytest.raises(ValueError, match="among its indexes"):
        await Documents(MemoryStorage(), "notes").add_item(Document("n1", b"", unique=frozenset({"by-title!/a!"})))


async def test_collections_are_listed_by_name(storage: Storage) -> None:
    await filled(storage)
    by_tag = Documents(storage, "notes").collection("by-tag")

    page = await by_tag.get_items(2, prefix="y")

    assert [document.pk for document in page] == ["n0000", "n0001"]
    assert [document.pk for document in await by_tag.get_items(2, page.after, prefix="y")] == ["n0002"]
    assert await by_tag.count() == 6
    assert await Documents(storage, "notes").collection("unknown").count() == 0


async def test_look_shows_all_that_is_stored(storage: Storage) -> None:
    notes = await filled(storage, 5)
    await notes.remove_item("n0001")
    await storage.put(LAYOUT.item("n0002"), b"rotten")
    documents = Documents(storage, "notes")

    first = await documents.look(3)
    rest = await documents.look(3, first.after)

    assert [one.row.key for one in (*first, *rest)] == [LAYOUT.item(f"n000{number}") for number in range(5)]
    states = [one.stored.header.live for one in (*first, *rest) if isinstance(one.stored, Stored)]
    assert states == [True, False, True, True]
    assert isinstance(first.items[2].stored, CorruptionError)
    assert rest.after is None


async def test_look_refuses_the_cursor_of_another_manager() -> None:
    with pytest.raises(InvalidCursorError, match="'notes'"):
        await Documents(MemoryStorage(), "notes").look(after="items!/other!/n1!")


async def test_what_something_else_wrote_among_the_items_is_corrupt() -> None:
    storage = MemoryStorage()
    await filled(storage)
    await storage.put(Key.from_text("items!/notes!/not k1"), (await storage.get(LAYOUT.item("n0000"))).data)

    verified = await Documents(storage, "notes").verify()

    assert [str(finding) for finding in verified.findings if "k1" in finding.key.text] == [
        "unreadable: items!/notes!/not k1 (its name is not that of an item)"
    ]


async def test_a_reindex_makes_lost_entries_and_claims_anew(storage: Storage) -> None:
    notes = await filled(storage)
    for prefix in ("collections", "unique"):
        await storage.delete((await storage.scan(Key(prefix))).rows[0].key)
    assert not (await Documents(storage, "notes").verify()).is_sound

    await Documents(storage, "notes").reindex(force=True)

    assert (await notes.verify()).is_clean
    assert (await Documents(storage, "notes").verify()).is_clean


async def test_names_cost_a_scan_for_each(storage: Storage) -> None:
    counting = CountingStorage(storage)
    for name in ("a", "a-b", "a!/b", "ä"):
        await Documents(storage, name).add_item(Document("1", b"", indexes=frozenset({"one!/1!", "one-two!/1!"})))
    await storage.put(Key("items", 5, "x"), b"")
    await storage.put(Key.from_text("items!/a-b"), b"")
    await storage.put(Key.from_text("items!/foreign"), b"")

    assert await manager_names(counting) == ["a", "a!/b", "a-b", "ä"]
    assert counting.counts["scan"] <= 8
    assert await collection_names(storage, "a") == ["one", "one-two"]
    assert await collection_names(storage, "b") == []


async def test_a_document_that_is_missing_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        await Documents(MemoryStorage(), "notes").get_item("n1")
