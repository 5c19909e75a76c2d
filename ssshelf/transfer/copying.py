"""Copies shelves from any storage to any other, item by item as they are stored, while both are in use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from ssshelf._concurrency import each_bounded
from ssshelf.documents import Documents, manager_names
from ssshelf.maintenance import Progress, Report, Verified
from ssshelf.schema import indexed_versions
from ssshelf.storages.base import CONCURRENCY, Row, Storage
from ssshelf.transfer.arrivals import Arrivals
from ssshelf.transfer.departures import Departures, batches
from ssshelf.transfer.landing import Landing, digest_of
from ssshelf.transfer.listings import SideBySide, same_content
from ssshelf.transfer.tally import Fate, Tally

__all__ = ["Copied", "copy"]

_MOST_WALKS = 4
_BATCHES_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy of one manager's shelf did.

    Attributes:
        manager: Its name.
        copied: How many items were written, tombstones included; of interrupted runs, as far as was remembered.
        verified: How many are the same here and there, as both listings said at the end.
        only_there: How many the destination has and the source has not.
        tally: What became of each item when all were looked at last, and the first 100 problems.
        checked: What ``verify`` of the destination found.
        seconds: How long this run took.
    """

    manager: str
    copied: int
    verified: int
    only_there: int
    tally: Tally
    checked: Verified
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether the destination has all that the source has, or later revisions of it, and agrees with itself."""
        return self.tally.is_complete and not self.tally[Fate.COPIED] and self.checked.is_sound

    @property
    def items_per_second(self) -> float:
        """How many items were looked at in a second of this run."""
        return self.tally.seen / self.seconds if self.seconds else 0.0


async def copy(
    source: Storage,
    destination: Storage,
    *,
    managers: Iterable[str] | None = None,
    overwrite: bool = False,
    concurrency: int = CONCURRENCY,
    progress: Report | None = None,
) -> AsyncIterator[Copied]:
    """Copy shelves, and yield what was done for each manager.

    Items come as they are stored, byte for byte, with their revisions, index entries and unique values; so do
    tombstones. Each is written by the commit protocol, so at every instant the destination agrees with itself, and
    readers and writers may go on, there and at the source. What changes meanwhile is caught up with. Where the
    destination has a later revision of an item, that stays.

    A copy that was interrupted goes on where it stopped when it is called again. Copying once more costs little where
    nothing has changed. It ends with a look at both listings, and ``verify`` of the destination.

    Args:
        source: Where the items are; nothing is written there.
        destination: Where they are to be.
        managers: Their names; ``None`` is all that the source has.
        overwrite: Replace items of the destination that have nothing to do with those of the source. Nobody else may
            write these meanwhile.
        concurrency: How many items are read and written at a time.
        progress: Called with a ``Progress``, after every 1,000 items at the latest.

    Raises:
        ValueError: Source and destination are one place.
        ConflictError, CommitUnknownError, UnavailableError: As writes do; doing it again goes on.
        UnsupportedError: The destination cannot hold items safely.

    Cost:
        1 get for each item that differs, and its commit; twice 1 scan, here and there, for each 1,000; that of
        ``verify``.
    """
    names = await manager_names(source) if managers is None else list(managers)
    route = _Route(source, destination, overwrite, concurrency)
    for name in names:
        yield await _Copying(route, name, progress or _nobody).run()


@dataclass(frozen=True, slots=True)
class _Route:
    source: Storage
    destination: Storage
    overwrite: bool
    concurrency: int


class _Copying:
    """The copy of one manager's shelf."""

    def __init__(self, route: _Route, manager: str, progress: Report) -> None:
        self._route = route
        self._manager = manager
        self._progress = progress
        self._documents = Documents(route.destination, manager)

    async def run(self) -> Copied:
        committer, source = self._documents.committer, self._route.source
        started = committer.policy.clock()
        versions = await indexed_versions(source, committer.layout)
        landing = Landing(committer, digest_of(repr(source).encode()), versions)
        tally = await landing.begin()
        await landing.check_is_elsewhere(source)
        await self._walk("copying", tally, landing)
        copied, only_there = tally[Fate.COPIED], 0
        for _ in range(_MOST_WALKS):
            tally = Tally()
            only_there = await self._walk("comparing", tally)
            copied += tally[Fate.COPIED]
            if not tally[Fate.COPIED]:
                break
        await landing.end()
        checked = await self._documents.verify(progress=self._progress)
        seconds = committer.policy.clock() - started
        return Copied(self._manager, copied, tally[Fate.SAME], only_there, tally, checked, seconds)

    async def _walk(self, phase: str, tally: Tally, landing: Landing | None = None) -> int:
        """Look at all items, copy those that differ, and return how many only the destination has."""
        route = self._route
        arrivals = Arrivals(self._documents, tally, overwrite=route.overwrite)
        departures = Departures(route.source, tally, route.concurrency)
        prefix = self._documents.committer.layout.items
        walk = SideBySide(route.source, route.destination, prefix, landing.after if landing else "")
        async for pairs in walk.pairs():
            differing = [(row, there) for row, there in pairs if not (there and same_content(row, there))]
            tally.counts[Fate.SAME] += len(pairs) - len(differing)
            await _carry(differing, departures, arrivals, route.concurrency)
            if landing is not None:
                await landing.save(tally, pairs[-1][0].key.text)
            self._progress(Progress(f"{phase} {self._manager}", tally.seen))
        await arrivals.give_up()
        return walk.only_there


async def _carry(
    pairs: Sequence[tuple[Row, Row | None]], departures: Departures, arrivals: Arrivals, concurrency: int
) -> None:
    """Copy what differs; with transactions, items that are new to the destination together."""

    async def carry(pair: tuple[Row, Row | None]) -> None:
        parcel = await departures.read(pair[0])
        if parcel is not None:
            await arrivals.receive(parcel, is_new=pair[1] is None)

    async def carry_together(rows: list[Row]) -> None:
        await arrivals.receive_new(await departures.read_all(rows), concurrency)

    if arrivals.takes_many:
        await each_bounded(carry_together, batches(row for row, there in pairs if there is None), _BATCHES_AT_ONCE)
        pairs = [pair for pair in pairs if pair[1] is not None]
    await each_bounded(carry, pairs, concurrency)


def _nobody(_: Progress) -> None:
    return
