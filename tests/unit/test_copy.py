"""Copies: what is there is here, byte for byte, whatever was here and whoever writes meanwhile."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ssshelf import (
    CManager,
    Collection,
    DictItems,
    IncompleteError,
    Key,
    MemoryStorage,
    SQLiteStorage,
    UnavailableError,
)
from ssshelf.layout import Layout
from ssshelf.maintenance import Progress
from ssshelf.schema import indexed_versions
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage
from ssshelf.transfer import Fate, copy
from tests.moving import Guests, Named, copied, everything, guest, seated, stored
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from pathlib import Path

    from ssshelf.storages.base import Entry, Storage

GUESTS = Layout("guests")


@pytest.fixture
async def source() -> Storage:
    storage = MemoryStorage()
    await seated(storage)
    return storage


@pytest.fixture(params=["transactions", "plain"])
def destination(request: pytest.FixtureRequest) -> Storage:
    return MemoryStorage(transactions=request.param == "transactions")


async def test_a_copy_is_the_same_byte_for_byte(storage: Storage, source: Storage) -> None:
    done = await copied(source, storage)

    assert await everything(storage) == await everything(source)
    assert (done.manager, done.copied, done.verified, done.only_there) == ("guests", 6, 6, 0)
    assert done.is_complete
    assert done.checked is not None
    assert done.checked.is_clean
    assert await stored(storage, "meta") == {
        key: data for key, data in (await stored(storage, "meta")).items() if "probe" in key
    }


async def test_a_copy_back_is_the_same_too(storage: Storage, source: Storage) -> None:
    there_and_back = MemoryStorage()

    await copied(source, storage)
    await copied(storage, there_and_back)

    assert await everything(there_and_back) == await everything(source)


async def test_copying_again_reads_listings_only(source: Storage, destination: Storage) -> None:
    await copied(source, destination)
    here, there = CountingStorage(source), CountingStorage(destination)

    done = await copied(here, there)

    assert (done.copied, done.verified) == (0, 6)
    assert here.counts["scan"] == 4  # names of managers, and two walks
    assert here.counts["get"] == 2  # the versions of collections, and whether this is another place
    assert there.counts["commit"] == 0


async def test_several_managers_are_copied_one_after_the_other(destination: Storage) -> None:
    source = MemoryStorage()
    await seated(source)

    class Rooms(CManager[dict[str, Any]]):
        item_manager = DictItems(pk="name")

    await Rooms(source).add_item({"name": "hall"})

    assert [done.manager async for done in copy(source, destination)] == ["guests", "rooms"]
    assert await everything(destination) == await everything(source)


async def test_only_the_managers_that_are_named_are_copied(source: Storage, destination: Storage) -> None:
    assert [done.manager async for done in copy(source, destination, managers=["others"])] == ["others"]
    assert await everything(destination) == {}


async def test_what_changed_at_the_source_is_copied_again(source: Storage, destination: Storage) -> None:
    guests = Guests(source)
    await copied(source, destination)
    await guests.update_item("g000", lambda item: item.update(tags=["new"]))
    await guests.remove_item("g002")
    await guests.add_item(guest("g900", 9))

    done = await copied(source, destination)

    assert done.copied == 3
    assert await everything(destination) == await everything(source)


async def test_what_the_destination_has_of_its_own_stays(source: Storage, destination: Storage) -> None:
    await Guests(destination).add_item(guest("zoe", 77, "own"))

    done = await copied(source, destination)

    assert (done.copied, done.verified, done.only_there, done.is_complete) == (6, 6, 1, True)
    assert await Guests(destination).get_item("zoe") == guest("zoe", 77, "own")


async def test_a_later_revision_at_the_destination_stays(source: Storage, destination: Storage) -> None:
    await copied(source, destination)
    await Guests(destination).update_item("g000", lambda item: item.update(tags=["later"]))

    done = await copied(source, destination, overwrite=True)

    assert (done.copied, done.tally[Fate.KEPT], done.is_complete) == (0, 1, True)
    assert (await Guests(destination).get_item("g000"))["tags"] == ["later"]


async def test_what_was_changed_in_both_places_is_a_conflict(source: Storage, destination: Storage) -> None:
    await copied(source, destination)
    await Guests(source).update_item("g000", lambda item: item.update(tags=["here"]))
    await Guests(destination).update_item("g000", lambda item: item.update(tags=["there"]))

    done = await copied(source, destination)

    assert (done.copied, done.tally[Fate.CONFLICT], done.is_complete) == (0, 1, False)
    assert [str(key) for key, _ in done.tally.problems] == ["items!/guests!/g000!"]
    assert (await Guests(destination).get_item("g000"))["tags"] == ["there"]


async def test_a_conflict_can_be_overwritten(source: Storage, destination: Storage) -> None:
    await copied(source, destination)
    await Guests(source).update_item("g000", lambda item: item.update(tags=["here"]))
    await Guests(destination).update_item("g000", lambda item: item.update(tags=["there"], seat=70))

    done = await copied(source, destination, overwrite=True)

    assert (done.copied, done.is_complete) == (1, True)
    assert await everything(destination) == await everything(source)


async def test_a_unique_value_of_another_item_is_a_conflict(source: Storage, destination: Storage) -> None:
    await Guests(destination).add_item(guest("zoe", 3))

    done = await copied(source, destination)

    assert (done.copied, done.tally[Fate.CONFLICT]) == (5, 1)
    assert "is held by the item 'zoe'" in str(done.tally.problems[0][1])
    assert (await Guests(destination).verify()).is_sound
    assert await Guests(destination).find_item("g003") is None


async def test_a_unique_value_may_have_moved_to_an_item_that_is_copied_earlier(
    source: Storage, destination: Storage
) -> None:
    await copied(source, destination)
    guests = Guests(source)
    await guests.update_item("g004", lambda item: item.update(seat=40))
    await guests.update_item("g000", lambda item: item.update(seat=4))
    await guests.add_item(guest("f", 0))

    done = await copied(source, destination)

    assert (done.copied, done.is_complete) == (3, True)
    assert await everything(destination) == await everything(source)


async def test_two_items_that_hold_one_unique_value_do_not_both_arrive(destination: Storage) -> None:
    """A source that contradicts itself, as one that was copied file by file."""
    source, other = MemoryStorage(), MemoryStorage()
    await Guests(source).add_item(guest("a", 1))
    await Guests(other).add_item(guest("b", 1))
    for key, data in (await everything(other)).items():
        await source.put(Key.from_text(key), data)

    done = await copied(source, destination)

    assert (done.copied, done.tally[Fate.CONFLICT]) == (1, 1)
    assert (await Guests(destination).verify()).is_sound


async def test_what_cannot_be_read_is_told_and_hinders_nothing(source: Storage, destination: Storage) -> None:
    await source.put(GUESTS.item("g001"), b"no envelope")
    await source.put(Key("items", "guests", "two", "parts"), b"{}")
    await source.put(Key.from_text("items!/guests!/plain text"), b"{}")

    done = await copied(source, destination)

    assert (done.copied, done.tally[Fate.UNREADABLE], done.is_complete) == (5, 3, False)
    assert len(done.tally.problems) == 3


async def test_an_unreadable_item_of_the_destination_is_mended_only_if_told_to(
    source: Storage, destination: Storage
) -> None:
    await copied(source, destination)
    await destination.put(GUESTS.item("g001"), b"no envelope")

    done = await copied(source, destination)
    mended = await copied(source, destination, overwrite=True)

    assert (done.tally[Fate.UNREADABLE], done.is_complete) == (1, False)
    assert (mended.copied, mended.is_complete) == (1, True)
    assert await everything(destination) == await everything(source)


async def test_what_the_destination_has_no_room_for_is_told(source: Storage) -> None:
    await Guests(source).add_item(guest("n" * 90, 50))
    destination = MemoryStorage()

    done = await copied(source, LimitedStorage(destination, max_key_bytes=100))

    assert (done.copied, done.tally[Fate.REFUSED], done.is_complete) == (6, 1, False)
    assert await Guests(destination).find_item("n" * 90) is None


async def test_a_copy_onto_itself_is_refused(source: Storage) -> None:
    before = await stored(source, "items", "meta")

    with pytest.raises(ValueError, match="the same place"):
        await copied(source, CountingStorage(source))

    assert await stored(source, "items", "meta") == before


async def test_a_copy_onto_itself_by_another_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "shelf.db")
    async with SQLiteStorage(tmp_path / "shelf.db") as one, SQLiteStorage(tmp_path / "link.db") as other:
        await seated(one)
        with pytest.raises(ValueError, match="the same place"):
            await copied(one, other)


async def test_a_copy_into_another_part_of_the_same_storage_is_none_onto_itself(source: Storage) -> None:
    part = PrefixedStorage(source, Key("part"))

    assert (await copied(source, part)).is_complete
    assert await everything(part) == await everything(source)


async def test_progress_is_told(source: Storage, destination: Storage) -> None:
    told: list[Progress] = []

    await copied(source, destination, progress=told.append)

    assert told[:2] == [Progress("copying guests", 6), Progress("comparing guests", 6)]


# Versions of collections


class Newer(Guests):
    item_manager = DictItems(pk="name", name="guests")
    by_row = Collection[dict[str, Any]](lambda item: item["seat"] // 10, version=2)


async def test_an_empty_destination_gets_the_versions_of_the_source(source: Storage, destination: Storage) -> None:
    await Newer(source).reindex()

    await copied(source, destination)

    assert await Newer(destination).by_row.count() == 5
    assert await indexed_versions(destination, GUESTS) == {"by-row": 2, "by-seat": 1, "by-tag": 1}


async def test_readers_are_not_let_into_a_listing_that_lacks_what_was_copied(
    source: Storage, destination: Storage
) -> None:
    await Newer(destination).reindex()
    await Newer(destination).add_item(guest("zoe", 77))
    assert await Newer(destination).by_row.count() == 1

    await copied(source, destination)

    with pytest.raises(IncompleteError):
        await Newer(destination).by_row.count()


async def test_versions_are_lowered_before_the_first_item_comes(source: Storage, destination: Storage) -> None:
    await Newer(destination).reindex()
    seen = []

    class Watched(CountingStorage):
        async def get(self, key: Key) -> Entry:
            if key.parts[0] == "items":
                seen.append(await indexed_versions(destination, GUESTS))
            return await super().get(key)

    await copied(Watched(source), destination)

    assert seen
    assert not any("by-row" in versions for versions in seen)


async def test_a_destination_with_items_keeps_its_own_versions_if_they_are_less(
    source: Storage, destination: Storage
) -> None:
    await Newer(source).reindex()
    await Guests(destination).add_item(guest("zoe", 77))

    await copied(source, destination)

    with pytest.raises(IncompleteError):
        await Newer(destination).by_row.count()


# Interruptions, and others who write


async def test_an_interrupted_copy_goes_on(destination: Storage) -> None:
    source = MemoryStorage()
    await seated(source, 2500)
    dying = FaultyStorage(source, lambda r: Fault.CRASH_BEFORE if r.number > 1700 else None)
    with pytest.raises((CrashError, ExceptionGroup)):
        await copied(Named(dying), destination, concurrency=8)
    again = Named(source)

    done = await copied(again, destination)

    assert 1000 < done.copied <= 2501
    assert (done.verified, done.is_complete) == (2501, True)
    assert again.counts["get"] < 1502
    assert await everything(destination) == await everything(source)


async def test_the_source_may_be_written_meanwhile(destination: Storage) -> None:
    source = MemoryStorage()
    guests = await seated(source, 300)

    class Changing(CountingStorage):
        async def get(self, key: Key) -> Entry:
            entry = await super().get(key)
            number = self.counts["get"]
            if key.parts[0] == "items" and number < 200:
                await guests.update_item("g000", lambda item: item.update(tags=[f"t{number}"]))
                await guests.remove_item(f"g{number % 300:03}")
                await guests.add_item(guest(f"h{number}", 1000 + number, "new"))
            return entry

    done = await copied(Changing(source), destination)

    assert done.is_complete
    assert await everything(destination) == await everything(source)


async def test_the_destination_may_be_written_meanwhile(destination: Storage) -> None:
    source = MemoryStorage()
    await seated(source, 300)
    guests = Guests(destination)

    seats = count(5000)

    class Racing(CountingStorage):
        async def get(self, key: Key) -> Entry:
            entry = await super().get(key)
            number = self.counts["get"]
            if key.parts[0] == "items" and number % 3 == 0:  # somebody is faster
                await guests.add_item(guest(str(key.parts[2]), next(seats), "mine"))
            return entry

    done = await copied(Racing(source), destination)

    assert done.tally[Fate.CONFLICT] > 50
    assert done.tally[Fate.CONFLICT] + done.verified == 301
    assert (await guests.verify()).is_sound


async def test_several_copies_at_once_do_not_harm_each_other(destination: Storage) -> None:
    source = MemoryStorage()
    await seated(source, 300)

    async with asyncio.TaskGroup() as group:
        copies = [group.create_task(copied(PausingStorage(source, n), destination)) for n in range(3)]

    assert all(one.result().is_complete for one in copies)
    assert await everything(destination) == await everything(source)


class PausingStorage(CountingStorage):
    """Gives others a turn, now and then."""

    def __init__(self, inner: Storage, number: int) -> None:
        super().__init__(inner)
        self.number = number

    async def get(self, key: Key) -> Entry:
        for _ in range((hash(key) + self.number) % 7):
            await asyncio.sleep(0)
        return await super().get(key)

    def __repr__(self) -> str:
        return f"PausingStorage({self.number})"


# Sweeps


async def test_a_copy_does_not_begin_where_a_sweep_has_not_ended(source: Storage) -> None:
    destination = MemoryStorage(transactions=False)
    await destination.put(GUESTS.meta("sweep"), orjson.dumps({"ssshelf": 1, "phase": 0}) + b"\n")

    with pytest.raises(UnavailableError, match="sweep"):
        await copied(source, destination)
    assert list(await stored(destination, "meta")) == [GUESTS.meta("sweep").text]
    await Guests(destination).sweep()

    assert (await copied(source, destination)).is_complete


async def test_a_sweep_leaves_entries_alone_while_a_copy_has_not_ended(source: Storage) -> None:
    destination = MemoryStorage(transactions=False)
    plan = lambda r: Fault.CRASH_BEFORE if r.keys == (GUESTS.item("g003"),) and r.kind == "put" else None  # noqa: E731
    with pytest.raises((CrashError, ExceptionGroup)):
        await copied(source, FaultyStorage(destination, plan))
    assert len(await stored(destination, "collections")) > 0

    before = await everything(destination)
    await Guests(destination).sweep(grace_s=10**6)

    assert await everything(destination) == before
