"""Sweeps: garbage goes once nothing can need it any more, and nothing else ever does."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import Key, MemoryStorage, SQLiteStorage, UnsupportedError
from ssshelf.claims import Claim
from ssshelf.maintenance import Progress, Swept
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import Scan
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage, fail_at
from tests.notes import LAYOUT, REV, Notes, note
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ssshelf.storages.base import Storage


class Clock:
    """The time of the store."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "memory-plain", "sqlite"])
async def dated(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> AsyncIterator[Storage]:
    """Yield a storage whose clock a test can set."""
    if request.param == "sqlite":
        async with SQLiteStorage(tmp_path / "shelf.db", clock=clock) as storage:
            yield storage
    else:
        yield MemoryStorage(transactions=request.param == "memory", clock=clock)


async def with_garbage(storage: Storage) -> Notes:
    """Return a shelf of three items; what two crashes left behind is there, too, and a removed item's tombstone."""
    notes = Notes(storage)
    await notes.add_items(note(number, "x", "y") for number in range(4))
    await notes.remove_item("n0003")
    await storage.put(LAYOUT.entry("by-tag!/x!", "n0001!", REV), b"")
    await storage.put(LAYOUT.entry("by-tag!/z!", "nobody!", REV), b"")
    await storage.put(LAYOUT.claim("by-title!/other!"), Claim("nobody!", REV).pack())
    await storage.put(LAYOUT.claim("by-title!/another!"), Claim("n0001!", REV).pack())
    await storage.put(LAYOUT.claim("by-title!/free!"), Claim("", REV).pack())
    return notes


async def stored(storage: Storage) -> set[str]:
    return {row.key.text for row in (await storage.scan(Key())).rows}


async def test_garbage_goes_when_it_is_old_enough(dated: Storage, clock: Clock) -> None:
    notes = await with_garbage(dated)

    early = await notes.sweep()
    clock.pass_s(60)
    at_the_deadline = await notes.sweep()
    clock.pass_s(2)
    late = await notes.sweep()

    assert early == at_the_deadline == Swept(items=4, too_young=6)
    assert late == Swept(items=4, entries=2, tombstones=1, claims=3)
    assert (await notes.verify()).is_clean
    assert {key.split("!/")[0] for key in await stored(dated)} == {"items", "collections", "unique", "meta"}
    assert len(list(await notes.by_tag.get_items())) == 6


async def test_what_counts_as_old_includes_late_requests(clock: Clock) -> None:
    storage = LimitedStorage(MemoryStorage(clock=clock), late_s=1800.0)
    notes = await with_garbage(storage)

    clock.pass_s(1859)
    assert (await notes.sweep()).too_young == 6
    clock.pass_s(3)
    assert (await notes.sweep()).too_young == 0


@pytest.mark.parametrize("grace_s", [0, 59.9, -1, float("nan")])
async def test_a_grace_that_would_be_unsafe_is_refused(grace_s: float) -> None:
    with pytest.raises(ValueError, match="grace_s must be at least 60 here, not"):
        await Notes(MemoryStorage()).sweep(grace_s=grace_s)


async def test_a_longer_grace_may_be_given(clock: Clock) -> None:
    notes = await with_garbage(MemoryStorage(clock=clock))
    clock.pass_s(3000)

    assert (await notes.sweep(grace_s=3600)).too_young == 6


@pytest.mark.parametrize("grace_s", [1e12, float("inf")])
async def test_a_grace_longer_than_time_itself_removes_nothing(clock: Clock, grace_s: float) -> None:
    notes = await with_garbage(MemoryStorage(clock=clock))
    clock.pass_s(100)

    assert (await notes.sweep(grace_s=grace_s)).too_young == 6
    endless = Notes(notes.storage, retries=RetryPolicy(deadline_s=float("inf")))
    assert (await endless.sweep()).too_young == 6


async def test_the_deadline_of_the_manager_counts(clock: Clock) -> None:
    storage = MemoryStorage(clock=clock)
    await with_garbage(storage)
    clock.pass_s(12)

    assert (await Notes(storage, retries=RetryPolicy(deadline_s=10)).sweep()).too_young == 0


async def test_where_nobody_knows_how_late_a_write_may_arrive_the_caller_has_to(clock: Clock) -> None:
    storage = LimitedStorage(MemoryStorage(clock=clock), late_s=None)
    notes = await with_garbage(storage)
    clock.pass_s(7300)

    with pytest.raises(UnsupportedError, match="give the grace_s that you know to be long enough"):
        await notes.sweep()

    assert (await notes.sweep(grace_s=7200)).entries == 2


async def test_a_store_that_tells_no_ages_is_not_swept() -> None:
    class Ageless(WrapperStorage):
        async def scan(self, prefix: Key, **options: Any) -> Scan:

            scan = await super().scan(prefix, **options)
            return Scan(tuple(row._replace(modified=None) for row in scan.rows), scan.after)

    with pytest.raises(UnsupportedError, match="the age of garbage is unknown"):
        await Notes(Ageless(MemoryStorage())).sweep()


async def test_a_store_without_conditional_deletions_keeps_tombstones(clock: Clock) -> None:
    storage = LimitedStorage(MemoryStorage(transactions=False, clock=clock), conditional_delete=False)
    notes = await with_garbage(storage)
    clock.pass_s(100)

    assert await notes.sweep() == Swept(items=4, entries=2)
    assert (await notes.verify()).is_sound


async def test_what_an_unreadable_item_may_need_stays(dated: Storage, clock: Clock) -> None:
    """It may be of a later format, which a later version of the program reads."""
    notes = Notes(dated)
    await notes.add_item(note(1, "x"))
    await dated.put(LAYOUT.item("n0001"), b'{"ssshelf":2}\n')
    before = await stored(dated)
    clock.pass_s(100)

    swept = await notes.sweep()

    assert swept == Swept(items=1)
    assert await stored(dated) - {"meta!/notes!/sweep!"} == before


async def test_an_item_that_comes_back_during_the_sweep_stays(clock: Clock) -> None:
    storage = MemoryStorage(transactions=False, clock=clock)
    notes = await with_garbage(storage)
    clock.pass_s(100)

    class Reviving(FaultyStorage):
        async def delete(self, key: Key, **options: Any) -> None:
            if key == LAYOUT.item("n0003"):
                await notes.add_item(note(3, "back"))
            await super().delete(key, **options)

    swept = await Notes(Reviving(storage)).sweep()

    assert swept.tombstones == 0
    assert await notes.get_item("n0003") == note(3, "back")
    assert (await notes.verify()).is_clean


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=str)
async def test_a_crash_at_any_request_is_made_good_by_the_next_sweep(clock: Clock, fault: Fault) -> None:
    for step in range(200):
        storage = MemoryStorage(transactions=False, clock=clock)
        notes = await with_garbage(storage)
        clock.pass_s(100)
        try:
            await Notes(FaultyStorage(storage, fail_at(step, fault)), concurrency=1).sweep()
        except CrashError:
            assert (await notes.verify()).is_sound
            await notes.sweep()
            assert (await notes.verify()).is_clean
        else:
            return
    pytest.fail("it never came to its end")


async def test_what_a_sweep_remembers_is_in_pieces_where_entries_are_small(clock: Clock) -> None:
    class Small(LimitedStorage):
        def __init__(self, inner: Storage) -> None:
            super().__init__(inner, max_value_bytes=200_000)
            self.largest: dict[str, int] = {}

        async def put(self, key: Key, data: bytes, **options: Any) -> str:
            self.capabilities.check_entry(key, data)
            self.largest[key.text] = len(data)
            return await super().put(key, data, **options)

    crashed, step = True, 0
    while crashed:
        storage = Small(MemoryStorage(transactions=False, clock=clock))
        notes = await with_garbage(storage)
        clock.pass_s(100)
        try:
            await Notes(FaultyStorage(storage, fail_at(step, Fault.CRASH_AFTER)), concurrency=1).sweep()
        except CrashError:
            assert (await notes.verify()).is_sound
            await notes.sweep()
            step += 1
        else:
            crashed = False
        assert (await notes.verify()).is_clean
        assert [text for text in await stored(storage) if text.startswith("meta!/")] == ["meta!/notes!/sweep!"]
        assert {124_288, 200_000} <= set(storage.largest.values())
    assert step > 20


async def test_pieces_of_a_sweep_that_are_gone_are_not_needed(clock: Clock) -> None:
    storage = LimitedStorage(MemoryStorage(clock=clock), max_value_bytes=200_000)
    notes = await with_garbage(storage)
    clock.pass_s(100)

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await notes.sweep(progress=stop)
    (piece, *_) = (await storage.scan(LAYOUT.meta("sweep"))).rows
    await storage.delete(piece.key)

    assert (await notes.sweep()).claims == 3
    assert (await notes.verify()).is_clean


async def test_an_interrupted_sweep_goes_on_where_it_stopped(clock: Clock) -> None:
    storage = MemoryStorage(clock=clock)
    notes = Notes(storage)
    await notes.add_items(note(number, "x") for number in range(10_500))
    for number in range(3):
        await storage.put(LAYOUT.entry("by-tag!/z!", f"n{number:04}!", REV), b"")
    clock.pass_s(100)

    def stop(progress: Progress) -> None:
        if progress == Progress("items", 10_500):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await notes.sweep(progress=stop)
    told: list[Progress] = []
    swept = await notes.sweep(progress=told.append)

    assert told[0] == Progress("items", 500)
    assert swept == Swept(items=10_500, entries=3)
    assert (await notes.verify()).is_clean


async def test_sweeps_may_run_together(clock: Clock) -> None:
    import asyncio  # noqa: PLC0415

    storage = MemoryStorage(transactions=False, clock=clock)
    notes = await with_garbage(storage)
    clock.pass_s(100)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(Notes(storage).sweep())

    assert (await notes.verify()).is_clean


async def test_a_shelf_in_order_costs_what_its_verification_does(clock: Clock) -> None:
    storage = CountingStorage(MemoryStorage(transactions=False, clock=clock))
    notes = Notes(storage)
    await notes.add_items(note(number, "x", "y") for number in range(20))
    await notes.update_item("n0001", lambda item: item.update(title="another"))
    storage.reset()

    await notes.verify()
    assert storage.counts == {"get": 20 + 20, "scan": 3}
    await notes.sweep()
    assert storage.counts == {"get": 2 * (20 + 20) + 1, "scan": 2 * 3 + 2, "put": 2}  # what it and copies remember


async def test_another_manager_s_things_stay(dated: Storage, clock: Clock) -> None:
    await dated.put(Key("items", "others", "x"), b"?")
    await dated.put(Key("collections", "others", "x"), b"?")
    await dated.put(Key("unique", "others", "x"), b"?")
    await dated.put(Key("collections", "notes", "readme"), b"?")
    clock.pass_s(100)
    before = await stored(dated)

    await Notes(dated).sweep()

    assert await stored(dated) - {"meta!/notes!/sweep!"} == before


async def test_what_a_store_really_does_is_known_before_a_sweep(clock: Clock) -> None:
    """As a bucket says of itself what S3 does until it is asked."""

    class Asked(LimitedStorage):
        async def probe(self, *, fresh: bool = True) -> Any:
            assert not fresh
            self._said["late_s"] = None

    storage = Asked(MemoryStorage(clock=clock), late_s=1800.0)

    with pytest.raises(UnsupportedError, match="accepts requests that were signed any time ago"):
        await (await with_garbage(storage)).sweep()


@pytest.mark.parametrize(
    "remembered",
    [
        b"",
        b"?\n",
        b"[]\n",
        b'{"ssshelf":1}\n',
        b'{"ssshelf":2,"phase":4,"after":"","swept":{"items":0,"entries":0,"tombstones":0,"claims":0,"too_young":0}}\n',
        b'{"ssshelf":1,"phase":"4","after":"","swept":{"items":0,"entries":0,"tombstones":0,"claims":0,"too_young":0}}\n',
        b'{"ssshelf":1,"phase":4,"after":null,"swept":{"items":0,"entries":0,"tombstones":0,"claims":0,"too_young":0}}\n',
        b'{"ssshelf":1,"phase":4,"after":"","swept":{"others":7}}\n',
    ],
    ids=["nothing", "no JSON", "a list", "no names", "a later format", "text", "null", "other names"],
)
async def test_a_sweep_that_cannot_read_where_it_was_begins_anew(clock: Clock, remembered: bytes) -> None:
    storage = MemoryStorage(clock=clock)
    notes = await with_garbage(storage)
    await storage.put(LAYOUT.meta("sweep"), remembered)
    clock.pass_s(100)

    assert await notes.sweep() == Swept(items=4, entries=2, tombstones=1, claims=3)
