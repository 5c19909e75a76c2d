"""Verification: whatever is wrong with what is stored is found, and nothing else is."""

from __future__ import annotations

import contextlib
import sqlite3
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import Collection, DictItems, Key, MemoryStorage, SQLiteStorage, UnavailableError
from ssshelf.claims import Claim
from ssshelf.maintenance import Finding, FindingKind, Progress
from ssshelf.testing import CountingStorage, Fault, FaultyStorage, fail_at
from tests.notes import LAYOUT, REV, Note, Notes, note

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ssshelf.storages.base import Storage


async def filled(storage: Storage, count: int = 5) -> Notes:
    notes = Notes(storage)
    await notes.add_items(note(number, "x", "y") for number in range(count))
    await notes.remove_item(note(count - 1))
    return notes


async def delete_first(storage: Storage, prefix: str) -> Key:
    key = (await storage.scan(Key(prefix))).rows[0].key
    await storage.delete(key)
    return key


async def put(storage: Storage, key: Key, data: bytes = b"") -> Key:
    await storage.put(key, data)
    return key


async def test_a_shelf_in_order_has_no_findings(storage: Storage) -> None:
    notes = await filled(storage)
    await notes.add_item(note(1, "y", "z"))

    verified = await notes.verify()

    assert verified.findings == ()
    assert verified.is_clean
    assert verified.is_sound
    of_nobody = 0 if storage.capabilities.conditional_delete else 1  # what was given back stays
    assert (verified.items, verified.tombstones, verified.entries, verified.claims) == (4, 1, 12, 4 + of_nobody)


DAMAGES: dict[str, tuple[FindingKind, Callable[[Storage], Awaitable[Key]]]] = {
    "a lost entry": (FindingKind.MISSING_ENTRY, lambda s: delete_first(s, "collections")),
    "a lost claim": (FindingKind.MISSING_CLAIM, lambda s: delete_first(s, "unique")),
    "another item's claim": (
        FindingKind.MISSING_CLAIM,
        lambda s: put(s, LAYOUT.claim("by-title!/title(200!"), Claim("n0001!", REV).pack()),
    ),
    "an entry of nobody": (FindingKind.STALE_ENTRY, lambda s: put(s, LAYOUT.entry("by-tag!/z!", "nobody!", REV))),
    "an old entry": (FindingKind.STALE_ENTRY, lambda s: put(s, LAYOUT.entry("by-tag!/x!", "n0001!", REV))),
    "a removed item's entry": (FindingKind.STALE_ENTRY, lambda s: put(s, LAYOUT.entry("by-tag!/x!", "n0004!", REV))),
    "a claim for nobody": (
        FindingKind.DEAD_CLAIM,
        lambda s: put(s, LAYOUT.claim("by-title!/other!"), Claim("nobody!", REV).pack()),
    ),
    "an item's old claim": (
        FindingKind.DEAD_CLAIM,
        lambda s: put(s, LAYOUT.claim("by-title!/other!"), Claim("n0001!", REV).pack()),
    ),
    "an item that is no envelope": (FindingKind.UNREADABLE, lambda s: put(s, LAYOUT.item("broken"), b"?")),
    "a claim that is none": (FindingKind.UNREADABLE, lambda s: put(s, LAYOUT.claim("by-title!/other!"), b"?")),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_each_kind_of_damage_is_found_and_named(storage: Storage, damage: str) -> None:
    kind, do = DAMAGES[damage]
    notes = await filled(storage)
    key = await do(storage)

    verified = await notes.verify()

    assert kind in verified.counts
    assert key in [finding.key for finding in verified.findings if finding.kind is kind]
    assert verified.is_sound == kind.is_garbage
    assert not verified.is_clean


async def test_awaiting_and_iterating_find_the_same(storage: Storage) -> None:
    notes = await filled(storage)
    for _, do in DAMAGES.values():
        await do(storage)

    found = [finding async for finding in notes.verify()]

    verified = await notes.verify()
    assert Counter(found) == Counter(verified.findings)
    assert verified.counts == Counter(finding.kind for finding in found)


async def test_it_can_be_run_again() -> None:
    notes = await filled(MemoryStorage())
    verification = notes.verify()

    assert [finding async for finding in verification] == []
    assert await verification == await verification == await notes.verify()


async def test_it_only_reads() -> None:
    storage = CountingStorage(MemoryStorage())
    notes = await filled(storage)
    for _, do in DAMAGES.values():
        await do(storage)
    storage.reset()

    await notes.verify()

    assert set(storage.counts) == {"get", "scan"}


async def test_a_shelf_in_order_costs_one_get_for_each_item_and_claim() -> None:
    storage = CountingStorage(MemoryStorage())
    notes = await filled(storage, 2500)
    storage.reset()

    assert (await notes.verify()).is_clean

    assert storage.counts == {"get": 2500 + 2499, "scan": 3 + 8 + 3}


async def test_what_the_storage_finds_damaged_is_found(tmp_path: Path) -> None:
    """A digest that does not match: all under it is looked at all the same."""
    path = tmp_path / "shelf.db"
    async with SQLiteStorage(path) as storage:
        await filled(storage)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entries SET data = x'00' WHERE key LIKE '%(200%' AND key NOT LIKE 'meta%'")

    async with SQLiteStorage(path) as storage:
        verified = await Notes(storage).verify()

        assert {(finding.kind, finding.key) for finding in verified.findings} == {
            (FindingKind.UNREADABLE, LAYOUT.claim("by-title!/title(200!")),
            (FindingKind.MISSING_CLAIM, LAYOUT.claim("by-title!/title(200!")),
        }


async def test_no_more_documents_are_in_memory_than_are_read_at_a_time() -> None:
    """A thousand items are listed at once; their documents may be large."""
    storage = MemoryStorage()
    notes = Notes(storage, concurrency=4)
    await notes.add_items({**note(number), "text": f"{number:04}" * 5_000} for number in range(500))
    await storage.put(LAYOUT.entry("by-tag!/z!", "nobody!", REV), b"")
    tracemalloc.start()

    try:
        assert (await notes.verify()).counts == {FindingKind.STALE_ENTRY: 1}
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 4_000_000  # of documents of 10,000,000


async def test_a_document_that_cannot_be_read_is_found() -> None:
    class Picky(DictItems):
        def deserialize_item(self, data: bytes) -> Note:
            item = super().deserialize_item(data)
            if item["slug"] == "n0002":
                raise ValueError
            return item

    class PickyNotes(Notes):
        item_manager = Picky(pk="slug", name="notes")

    storage = MemoryStorage()
    await filled(storage)

    verified = await PickyNotes(storage).verify()

    assert verified.findings == (
        Finding(
            FindingKind.UNREADABLE,
            LAYOUT.item("n0002"),
            "deserialize_item of notes raised ValueError",
            verified.findings[0].modified,
        ),
    )


async def test_items_that_are_not_listed_as_the_program_would_are_found() -> None:
    class Later(Notes):
        by_length = Collection[Note](lambda note: 10 // len(note["tags"]))

    storage = MemoryStorage()
    notes = await filled(storage, 3)
    await notes.add_item(note(7))

    verified = await Later(storage).verify()

    assert verified.counts == {FindingKind.OUTDATED: 3}
    assert {finding.reason for finding in verified.findings} == {
        "its listings differ: reindex",
        "listing it raised ZeroDivisionError",
    }


async def test_the_report_keeps_a_thousand_findings_and_counts_all() -> None:
    storage = MemoryStorage()
    for number in range(1200):
        await storage.put(LAYOUT.entry("by-tag!/x!", f"n{number}!", REV), b"")

    verified = await Notes(storage).verify()

    assert verified.counts == {FindingKind.STALE_ENTRY: 1200}
    assert len(verified.findings) == 1000


async def test_an_item_that_is_written_meanwhile_is_judged_as_it_is_now() -> None:
    """Each write of this store comes between what the verification reads."""
    storage = MemoryStorage(transactions=False)
    notes = await filled(storage, 3)
    await storage.put(LAYOUT.entry("by-tag!/x!", "n0001!", REV), b"")

    class Moving(FaultyStorage):
        async def get(self, key: Key) -> Any:
            entry = await super().get(key)
            if key == LAYOUT.item("n0001"):
                await notes.add_item(note(1, f"tag {len(self.requests)}"))
            return entry

    verified = await Notes(Moving(storage)).verify()

    assert set(verified.counts) <= {FindingKind.STALE_ENTRY}
    assert (await notes.verify()).counts == {FindingKind.STALE_ENTRY: 1}


async def test_what_goes_meanwhile_was_no_garbage() -> None:
    """With transactions there never is any: what a write dropped after it was listed is gone, not stale."""
    storage = MemoryStorage()
    notes = await filled(storage, 3)

    class Moving(FaultyStorage):
        async def scan(self, prefix: Key, **options: Any) -> Any:
            scan = await super().scan(prefix, **options)
            if prefix != LAYOUT.items:
                number = len(self.requests)
                await notes.add_item({**note(1, f"tag {number}"), "title": f"another {number}"})
            return scan

    verified = await Notes(Moving(storage)).verify()

    assert verified.counts == {}


async def test_what_something_else_wrote_is_none_of_its_business(storage: Storage) -> None:
    notes = await filled(storage)
    await storage.put(Key("collections", "notes", "readme"), b"hello")
    await storage.put(Key("items", "note", "x"), b"another manager's")

    assert (await notes.verify()).is_clean


async def test_progress_is_told_for_each_thousand() -> None:
    notes = await filled(MemoryStorage(), 1500)
    told: list[Progress] = []

    await notes.verify(progress=told.append)

    assert told[:2] == [Progress("items", 1000), Progress("items", 1500)]
    assert told[2:6] == [Progress("entries", done) for done in (1000, 2000, 3000, 4000)]
    assert told[6:] == [Progress("entries", 4497), Progress("claims", 1000), Progress("claims", 1499)]


async def test_a_store_that_does_not_answer_ends_it() -> None:
    storage = MemoryStorage()
    await filled(storage)
    faulty = FaultyStorage(storage, fail_at(3, Fault.LOST))

    with pytest.raises(UnavailableError):
        await Notes(faulty).verify()


def test_a_finding_says_what_and_where() -> None:
    finding = Finding(FindingKind.MISSING_ENTRY, Key("collections", "x"), "items!/x! names it")

    assert str(finding) == "missing entry: collections!/x! (items!/x! names it)"
    assert str(Finding(FindingKind.DEAD_CLAIM, Key("unique", "x"))) == "dead claim: unique!/x!"
