"""Collections with shards: where their entries are, what listings of them cost, and what becomes of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CManager, Collection, Covered, DictItems, IncompleteError, Key, MemoryStorage, blocking
from ssshelf.covers import pack_cover
from ssshelf.keys import Leaf
from ssshelf.layout import Layout, ending_of
from ssshelf.maintenance import FindingKind
from ssshelf.shards import Shards
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import CountingStorage, FaultyStorage, run_in_virtual_time
from ssshelf.transfer import copy

if TYPE_CHECKING:
    from ssshelf.storages.base import Entry, Storage

Event = dict[str, Any]
K = 8


class Events(CManager[Event]):
    item_manager = DictItems(pk="no", name="events")
    by_time = Collection[Event](lambda event: event["at"], covers=("what",), shards=K)


class Plain(CManager[Event]):
    item_manager = DictItems(pk="no", name="events")
    by_time = Collection[Event](lambda event: event["at"], covers=("what",))


class Spread(CManager[Event]):
    item_manager = DictItems(pk="no", name="events")
    by_time = Collection[Event](lambda event: event["at"], covers=("what",), shards=K, version=2)


def event(no: int) -> Event:
    return {"no": f"{no:05}", "at": no, "what": f"event {no}"}


async def entries(storage: Storage) -> list[Key]:
    return [row.key for row in (await storage.scan(Key("collections", "events"))).rows]


@pytest.fixture
def plain() -> CountingStorage:
    return CountingStorage(MemoryStorage(transactions=False))


async def test_the_shard_is_a_part_of_the_name_behind_the_collection(storage: Storage) -> None:
    rev = await Events(storage).add_item(event(7))

    (entry,) = await entries(storage)
    assert entry.parts[:6] == ("collections", "events", "by-time", Leaf("03"), 7, Leaf("00007"))
    assert str(entry.parts[6]).startswith(rev)


async def test_pages_add_up_on_every_storage(storage: Storage) -> None:
    events = Events(storage)
    await events.add_items(map(event, range(30)))

    one = await events.by_time.get_items(12, start=5)
    two = await events.by_time.get_items(100, one.after, start=5)
    streamed = [item["at"] async for item in events.by_time.prefix(start=5)]

    assert [item["at"] for item in (*one, *two)] == streamed == list(range(5, 30))
    assert await events.by_time.count(stop=9) == 9


def test_the_shard_of_an_item_stays_for_good() -> None:
    shards = {count: Shards("c!/", count) for count in (1, 8, 256)}

    assert [shards[8].of(pk) for pk in ("a", "b", "é")] == ["c!/!-01!/", "c!/!-00!/", "c!/!-04!/"]
    assert shards[256].of("a") == "c!/!-21!/"
    assert shards[1].of("a") == "c!/"


async def test_items_are_spread_evenly(plain: CountingStorage) -> None:
    await Events(plain).add_items(map(event, range(800)))

    sizes = Counter(entry.parts[3] for entry in await entries(plain))

    assert len(sizes) == K
    assert all(70 < size < 130 for size in sizes.values())


async def test_all_entries_of_an_item_are_in_one_shard(plain: CountingStorage) -> None:
    class Tagged(CManager[Event]):
        item_manager = DictItems(pk="no", name="events")
        by_tag = Collection[Event](lambda event: event["tags"], shards=K)

    await Tagged(plain).add_item({"no": "a", "tags": list("uvwxyz")})

    assert len({entry.parts[3] for entry in await entries(plain)}) == 1


@pytest.mark.parametrize(("limit", "share"), [(1, 1), (8, 6), (64, 21), (200, 46), (1000, 171), (8000, 1000)])
def test_each_shard_is_asked_for_its_share_and_some_more(limit: int, share: int) -> None:
    assert Shards("c!/", K).share(limit) == share
    assert Shards("c!/", 1).share(min(limit, 1000)) == min(limit, 1000)


OPERATIONS: list[Any] = [
    ("insert", lambda events: events.insert_item(event(9999)), Counter(put=2), 2),
    ("page", lambda events: events.by_time.get_items(64, start=100), Counter(scan=K, get=64), 2),
    ("page of keys", lambda events: events.by_time.get_keys(200), Counter(scan=K), 1),
    ("what is covered", lambda events: events.by_time.get_covered(1000), Counter(scan=K), 1),
    ("count", lambda events: events.by_time.count(), Counter(scan=K), 1),
]


@pytest.mark.parametrize(("operation", "counts", "steps"), [pytest.param(*case[1:], id=case[0]) for case in OPERATIONS])
def test_a_page_is_a_scan_of_each_shard_at_once(operation: Any, counts: Counter[str], steps: int) -> None:
    async def main() -> tuple[Counter[str], int]:
        memory = MemoryStorage(transactions=False)
        await Events(memory).add_items(map(event, range(1500)))
        counting = CountingStorage(FaultyStorage(memory, lambda _: 1.0))
        await operation(Events(counting))
        return counting.counts, counting.steps

    assert run_in_virtual_time(main()) == (counts, steps)


async def test_streams_scan_little_more_than_those_without_shards(plain: CountingStorage) -> None:
    class Halved(CManager[Event]):
        item_manager = DictItems(pk="no", name="events")
        by_time = Collection[Event](lambda event: event["at"], shards=2)

    events = Halved(plain)
    await events.add_items(map(event, range(3000)))
    plain.reset()

    assert [row.pk async for row in events.by_time.iter_covered()] == [f"{no:05}" for no in range(3000)]
    assert plain.counts == Counter(scan=4)
    plain.reset()
    assert await events.by_time.count() == 3000
    assert plain.counts == Counter(scan=4)


@pytest.mark.parametrize("direction", [1, -1])
async def test_pages_are_as_full_as_asked_for(direction: int) -> None:
    events = Events(MemoryStorage())
    await events.add_items(map(event, range(1600)))
    listing = events.by_time if direction > 0 else events.by_time.descending()

    pages, after = [], None
    for _ in range(8):
        page = await listing.get_keys(200, after)
        after = page.after
        pages.append(page.keys)

    keys = [f"{no:05}" for no in range(1600)][::direction]
    assert pages == [tuple(keys[start : start + 200]) for start in range(0, 1600, 200)]
    assert after is None


@pytest.mark.parametrize("direction", [1, -1])
async def test_a_page_ends_where_one_of_the_shards_is_not_known_any_further(direction: int) -> None:
    class Crowded(CManager[Event]):
        item_manager = DictItems(pk="no", name="events")
        by_key = Collection[Event](lambda event: event["keys"], shards=256)

    events = Crowded(MemoryStorage())
    await events.add_items({"no": f"{no}", "keys": list(range(10 * no, 10 * no + 10))} for no in range(4))
    listing = events.by_key if direction > 0 else events.by_key.descending()

    keys: list[int] = []
    after, more = None, True
    while more:
        page = await listing.get_covered(20, after)
        keys += [int(str(row.key[0])) for row in page]
        after = page.after
        more = after is not None

    assert keys == list(range(40))[::direction]


async def test_an_item_that_moved_since_the_listing_is_on_the_page_once(plain: CountingStorage) -> None:
    events = Events(plain)
    await events.add_items(map(event, range(20)))

    class Moving(WrapperStorage):
        moved = False

        async def get(self, key: Key) -> Entry:
            if not self.moved:
                self.moved = True
                await events.update_item("00003", lambda item: item.update(at=12.5))
            return await super().get(key)

    page = await Events(Moving(plain), concurrency=1).by_time.get_items()

    assert [item["at"] for item in page] == [0, 1, 2, *range(4, 13), 12.5, *range(13, 20)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_two_entries_for_one_key_are_never_parted_by_a_page(limit: int, plain: CountingStorage) -> None:
    events = Events(plain)
    await events.add_items(map(event, range(30)))
    never_committed = ending_of(f"1-{0:016}", pack_cover({"what": "another"}))
    for entry in await entries(plain):
        name = Layout("events").parse(entry)
        assert name is not None
        await plain.put(Layout("events").entry(name.index, name.pk, never_committed), b"")

    rows: list[Covered] = []
    after, more = None, True
    while more:
        page = await events.by_time.get_covered(limit, after)
        after = page.after
        more = after is not None
        rows += page.items

    assert rows == [Covered(f"{no:05}", (no,), {"what": f"event {no}"}) for no in range(30)]


async def test_what_something_else_wrote_into_a_shard_ends_no_listing(plain: CountingStorage) -> None:
    events = Events(plain)
    await events.add_items(map(event, range(20)))
    for number in range(0, K, 2):
        for no in range(10):  # more than a page of 5 asks a shard for
            await plain.put(Key("collections", "events", "by-time", Leaf(f"{number:02x}"), None, no), b"")

    keys: list[str] = []
    after, more = None, True
    while more:
        page = await events.by_time.get_keys(5, after)
        keys += page.keys
        after = page.after
        more = after is not None

    assert keys == [f"{no:05}" for no in range(20)]


@pytest.mark.parametrize("before", [Plain, Spread])
async def test_a_change_of_shards_is_one_of_the_key(before: type[CManager[Event]], plain: CountingStorage) -> None:
    class After(CManager[Event]):
        item_manager = DictItems(pk="no", name="events")
        by_time = Collection[Event](lambda event: event["at"], covers=("what",), shards=3, version=3)

    await before(plain).add_items(map(event, range(50)))
    after = After(plain)

    with pytest.raises(IncompleteError):
        await after.by_time.get_items()
    assert {finding.kind async for finding in after.verify()} == {FindingKind.OUTDATED}
    assert (await after.reindex()).changed > 40  # the others stay in a shard of the same number

    assert [item["at"] for item in await after.by_time.get_items()] == list(range(50))
    assert {entry.parts[3] for entry in await entries(plain)} == {Leaf("00"), Leaf("01"), Leaf("02")}
    assert (await after.verify()).is_clean


async def test_a_copy_has_the_same_shards(plain: CountingStorage) -> None:
    await Events(plain).add_items(map(event, range(50)))
    there = MemoryStorage()

    assert [one.tally.problems async for one in copy(plain, there)] == [[]]

    assert await entries(there) == await entries(plain)
    assert (await Events(there).verify()).is_clean


@pytest.mark.parametrize("shards", [0, -1, 257, 2.0, True, "8"])
def test_what_is_no_number_of_shards_is_refused(shards: Any) -> None:
    with pytest.raises(ValueError, match="1 to 256 shards"):
        Collection(lambda item: item, shards=shards)


def test_unique_collections_have_no_shards() -> None:
    class ByEmail(Collection[Event]):
        shards = K

        def key(self, item: Event) -> str:
            return str(item["email"])

    with pytest.raises(ValueError, match="a unique collection has no shards"):
        ByEmail(unique=True)
    with pytest.raises(ValueError, match="a unique collection has no shards"):
        Collection(lambda item: item["email"], unique=True, shards=2)
    assert ByEmail().shards == K
    assert Collection(lambda item: item["email"], unique=True).shards == 1


def test_blocking_collections_have_shards_too() -> None:
    class Log(blocking.CManager[Event]):
        item_manager = DictItems(pk="no", name="events")
        by_time = blocking.Collection[Event](lambda event: event["at"], shards=K)

    storage = MemoryStorage()
    with Log(storage) as log:
        log.add_items(map(event, range(300)))

        assert [item["at"] for item in log.by_time.prefix()] == list(range(300))
        assert [item["at"] for item in log.by_time.descending().prefix()] == list(range(300))[::-1]
        assert log.by_time.shards == K
