"""Reindexing: collections that were added or changed list what was there before, while all goes on."""

from __future__ import annotations

from typing import Any

import pytest

from ssshelf import (
    CManager,
    Collection,
    CorruptionError,
    DictItems,
    IncompleteError,
    Key,
    MemoryStorage,
    UnavailableError,
    UniqueViolationError,
)
from ssshelf.catalog import ListingError
from ssshelf.layout import Layout
from ssshelf.maintenance import FindingKind, Progress, Reindexed
from ssshelf.storages.base import Storage
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage, fail_at

Note = dict[str, Any]
LAYOUT = Layout("notes")


class Notes(CManager[Note]):
    item_manager = DictItems(pk="slug")
    by_tag = Collection[Note](lambda note: note["tag"])


class Later(Notes):
    by_tag = Collection[Note](lambda note: (note["tag"], note["slug"]), version=2)
    by_title = Collection[Note](lambda note: note["title"], version=2, unique=True)


class WithoutTags(Notes):
    by_tag = None  # type: ignore[assignment]


def note(number: int, **fields: Any) -> Note:
    return {"slug": f"n{number:04}", "title": f"title {number:04}", "tag": "x", **fields}


async def filled(storage: Storage, count: int = 4) -> Notes:
    notes = Notes(storage)
    await notes.add_items(note(number) for number in range(count))
    await notes.remove_item(note(count - 1))
    return notes


async def test_collections_of_a_later_version_list_everything_afterwards(storage: Storage) -> None:
    await filled(storage)
    later = Later(storage)

    done = await later.reindex()

    assert done == Reindexed(items=4, changed=3, failed=0, errors=())
    assert done.is_complete
    assert (await later.by_title.get_keys()).keys == ("n0000", "n0001", "n0002")
    assert list(await later.by_tag.get_items(prefix=("x", "n0001"))) == [note(1)]
    assert (await later.verify()).is_clean
    with pytest.raises(UniqueViolationError):
        await later.add_item(note(9, title="title 0001"))


async def test_until_then_readers_of_it_are_refused(storage: Storage) -> None:
    notes = await filled(storage)
    later = Later(storage)

    for listing in (later.by_title.get_items(), later.by_title.get_keys(), later.by_tag.count()):
        with pytest.raises(IncompleteError, match="declared as version 2, and the items are listed by version 1"):
            await listing
    with pytest.raises(IncompleteError):
        [item async for item in later.by_title.prefix()]

    assert len(await notes.by_tag.get_items()) == 3
    assert await later.get_item("n0001") == note(1)


async def test_readers_ask_once_and_those_of_a_first_version_never() -> None:
    storage = CountingStorage(MemoryStorage())
    await filled(storage)
    await Later(storage).reindex()
    later = Later(storage)
    storage.reset()

    await Notes(storage).by_tag.get_keys()
    assert storage.counts == {"scan": 1}
    for _ in range(3):
        await later.by_tag.get_keys()
    assert storage.counts == {"scan": 4, "get": 1}


async def test_when_there_is_nothing_to_do_it_costs_one_get() -> None:
    storage = CountingStorage(MemoryStorage())
    await filled(storage)
    await Later(storage).reindex()
    storage.reset()

    assert await Later(storage).reindex() == Reindexed(0, 0, 0, ())

    assert storage.counts == {"get": 1}


async def test_a_next_version_is_reindexed_again(storage: Storage) -> None:
    class Third(Notes):
        by_tag = Collection[Note](lambda note: note["title"], version=3)

    await filled(storage)
    await Later(storage).reindex()

    with pytest.raises(IncompleteError, match="declared as version 3, and the items are listed by version 2"):
        await Third(storage).by_tag.get_items()
    await Third(storage).reindex()

    assert (await Third(storage).by_tag.get_keys(prefix="title 0002")).keys == ("n0002",)


async def test_what_is_no_longer_declared_is_no_longer_listed(storage: Storage) -> None:
    await filled(storage)

    assert (await WithoutTags(storage).reindex(force=True)).changed == 3

    assert (await storage.scan(Key("collections"))).rows == ()


async def test_items_that_cannot_share_a_value_keep_readers_out(storage: Storage) -> None:
    notes = await filled(storage)
    await notes.add_item(note(7, title="title 0001"))
    later = Later(storage)

    done = await later.reindex()

    assert (done.is_complete, done.failed) == (False, 1)
    ((key, error),) = done.errors
    assert isinstance(error, UniqueViolationError)
    assert {LAYOUT.item(error.owner), key} == {LAYOUT.item("n0001"), LAYOUT.item("n0007")}
    with pytest.raises(IncompleteError):
        await later.by_title.get_items()

    await later.update_item("n0007", lambda item: item.update(title="another"))
    assert (await later.reindex()).is_complete
    assert len(await later.by_title.get_items()) == 4


async def test_a_value_that_was_given_up_meanwhile_is_no_failure() -> None:
    """The reindex reads an item, which then gives its value to another one; so its own old value is refused."""
    storage = MemoryStorage(transactions=False)
    await filled(storage, 2)
    other = Later(storage)
    moved: list[Key] = []

    class Moving(FaultyStorage):
        async def get(self, key: Key) -> Any:
            entry = await super().get(key)
            if key == LAYOUT.item("n0000") and not moved:
                moved.append(key)
                await other.add_item(note(0, title="new"))
                await other.add_item(note(5, title="title 0000"))
            return entry

    done = await Later(Moving(storage)).reindex()

    assert done.is_complete, done.errors
    assert moved
    assert (await other.verify()).is_clean


async def test_what_cannot_be_read_or_listed_is_told_and_the_rest_is_done(storage: Storage) -> None:
    notes = await filled(storage)
    await notes.add_item({"slug": "untitled", "tag": "x"})
    await storage.put(LAYOUT.item("broken"), b"?")

    done = await Later(storage).reindex()

    assert (done.items, done.changed, done.failed) == (6, 3, 2)
    assert {key.parts[-1]: type(error) for key, error in done.errors} == {
        "broken": CorruptionError,
        "untitled": ListingError,
    }
    error = dict(done.errors)[LAYOUT.item("untitled")]
    assert str(error) == "items!/notes!/untitled! cannot be listed: KeyError"
    assert repr(error.__cause__) == "KeyError('title')"


async def test_writers_may_run(storage: Storage) -> None:
    """Another program of the new version writes each item between the reindex's reading and its writing."""
    await filled(storage)
    other = Later(storage)
    written: set[str] = set()

    class Busy(FaultyStorage):
        async def get(self, key: Key) -> Any:
            entry = await super().get(key)
            pk = str(key.parts[-1])
            if key.parts[0] == "items" and pk not in written and pk != "n0003":
                written.add(pk)
                await other.update_item(pk, lambda item: item.update(tag="written"))
            return entry

    assert (await Later(Busy(storage)).reindex()).is_complete

    assert (await other.verify()).is_clean
    assert [item["tag"] for item in await other.by_title.get_items()] == ["written"] * 3


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=str)
async def test_a_crash_at_any_request_is_made_good_by_the_next_one(fault: Fault) -> None:
    for step in range(200):
        storage = MemoryStorage(transactions=False)
        await filled(storage)
        try:
            await Later(FaultyStorage(storage, fail_at(step, fault)), concurrency=1).reindex()
        except CrashError:
            assert (await Later(storage).reindex()).is_complete
            verified = await Later(storage).verify()
            assert set(verified.counts) <= {FindingKind.STALE_ENTRY, FindingKind.DEAD_CLAIM}
            assert len(await Later(storage).by_title.get_items()) == 3
        else:
            return
    pytest.fail("it never came to its end")


async def test_an_interrupted_one_goes_on_where_it_stopped() -> None:
    storage = MemoryStorage()
    await filled(storage, 2500)

    def stop(progress: Progress) -> None:
        if progress.done == 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Later(storage).reindex(progress=stop)
    told: list[Progress] = []
    done = await Later(storage).reindex(progress=told.append)

    assert told == [Progress("items", 2000), Progress("items", 2500)]
    assert (done.items, done.changed) == (2500, 1499)  # of the second thousand, which was done and not remembered, none
    assert (await Later(storage).verify()).is_clean


async def test_a_reindex_towards_other_versions_begins_anew() -> None:
    storage = MemoryStorage()
    await filled(storage, 1500)

    def stop(progress: Progress) -> None:
        if progress.done == 1500:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Later(storage).reindex(progress=stop)

    assert (await WithoutTags(storage).reindex(force=True)).items == 1500


async def test_a_store_that_does_not_answer_ends_it() -> None:
    storage = MemoryStorage(transactions=False)
    await filled(storage)

    with pytest.raises(UnavailableError):
        await Later(FaultyStorage(storage, lambda r: Fault.LOST if r.number == 4 else None)).reindex()


async def test_by_force_what_was_lost_is_made_anew(storage: Storage) -> None:
    await filled(storage)
    later = Later(storage)
    await later.reindex()
    for prefix in ("collections", "unique"):
        for row in (await storage.scan(Key(prefix))).rows:
            await storage.delete(row.key)
    assert {FindingKind.MISSING_ENTRY, FindingKind.MISSING_CLAIM} == set((await later.verify()).counts)

    await later.reindex(force=True)

    assert (await later.verify()).is_clean
    assert len(await later.by_title.get_items()) == 3


async def test_what_is_remembered_of_versions_may_be_damaged() -> None:
    storage = MemoryStorage()
    await filled(storage)
    await storage.put(LAYOUT.meta("collections"), b"[]")

    with pytest.raises(CorruptionError, match="delete it and reindex again"):
        await Later(storage).by_title.get_items()


@pytest.mark.parametrize("version", [0, -1, "2", 1.5, True])
def test_a_version_is_a_number(version: Any) -> None:
    with pytest.raises(ValueError, match="the version of a collection is a number"):
        Collection(lambda item: item, version=version)


@pytest.mark.parametrize(
    "remembered",
    [b"", b"[]\n", b'{"ssshelf":1}\n', b'{"ssshelf":1,"target":{},"after":"~","counts":{}}\n'],
    ids=["nothing", "a list", "no names", "other names"],
)
async def test_a_reindex_that_cannot_read_where_it_was_begins_anew(remembered: bytes) -> None:
    storage = MemoryStorage()
    await filled(storage)
    await storage.put(LAYOUT.meta("reindex"), remembered)

    assert await Later(storage).reindex() == Reindexed(items=4, changed=3, failed=0, errors=())


async def test_what_failed_before_an_interruption_is_looked_at_again() -> None:
    """Else it would keep readers out although it is in order by now, or be counted without a reason."""
    storage = MemoryStorage()
    notes = await filled(storage, 2500)
    await notes.add_item(note(0, title="title 0001"))

    def stop(progress: Progress) -> None:
        if progress.done == 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Later(storage).reindex(progress=stop)
    await notes.add_item(note(0))
    done = await Later(storage).reindex()

    assert (done.is_complete, done.items) == (True, 2500)
