"""A sweep: removes what crashes and removals left behind, while writers run.

Garbage is what no live item names: index entries, claims, and tombstones themselves. It goes only when it is older, by
the store's own clock, than the longest time in which a write that needs it could still arrive.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ssshelf._concurrency import map_bounded
from ssshelf.commit import Committer
from ssshelf.envelope import Stored
from ssshelf.errors import ConflictError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.maintenance.announcements import SWEEP, is_copied_into
from ssshelf.maintenance.checkpoint import Checkpoint, Progress, Report
from ssshelf.maintenance.survey import FoundItem, Survey
from ssshelf.storages.base import IfMatch, Row
from ssshelf.storages.offers import delete_many

__all__ = ["Sweep", "Swept"]

_ROWS_PER_CHECKPOINT = 10_000
_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)
_CLOCK_TICK_S = 1.0
"""Stores round the time of an entry down to a second."""


@dataclass(slots=True)
class Swept:
    """What a sweep removed.

    Attributes:
        items: How many items it looked at, tombstones included.
        entries: Index entries removed.
        tombstones: Tombstones removed.
        claims: Claims to unique values removed.
        too_young: How many entries, claims and tombstones no item names, which are left for a later sweep.
    """

    items: int = 0
    entries: int = 0
    tombstones: int = 0
    claims: int = 0
    too_young: int = 0


class Sweep:
    """One sweep; it goes on where an interrupted one stopped.

    Args:
        committer: Of the manager.
        concurrency: Most requests at a time.
        grace_s: How old garbage has to be; ``None`` for the least that is safe.
        progress: Is told how far it is.
    """

    def __init__(self, committer: Committer, concurrency: int, grace_s: float | None, progress: Report | None) -> None:
        self._committer = committer
        self._storage = committer.storage
        self._concurrency = concurrency
        self._wanted_s = grace_s
        self._checkpoint = Checkpoint(self._storage, committer.layout.meta(SWEEP))
        self._progress = progress
        self._swept = Swept()
        self._survey = Survey(committer, concurrency)
        self._before = _BEGINNING

    async def run(self) -> Swept:
        """Sweep, and return what was removed, by the interrupted sweep too."""
        await self._storage.probe(fresh=False)  # so that the capabilities tell what the store really does
        grace_s = _grace_s(self._committer, self._wanted_s)
        first, after = await self._resume()
        await self._save(first, after)
        now = await self._checkpoint.saved_at()
        self._before = _earlier(now, grace_s + _CLOCK_TICK_S)
        phases = [self._items, self._entries, self._claims, self._stale_entries, self._dead_claims]
        if await is_copied_into(self._storage, self._committer.layout, now):  # their names may yet be needed
            phases = phases[:1]
        for number, phase in enumerate(phases):
            if number < first:
                continue
            done = saved = 0
            async for count, last in phase(after if number == first else ""):
                done += count
                if self._progress is not None:
                    self._progress(Progress(phase.__name__.strip("_").replace("_", " "), done))
                if done - saved >= _ROWS_PER_CHECKPOINT:
                    await self._save(number, last)
                    saved = done
        await self._checkpoint.finish()
        return self._swept

    async def _resume(self) -> tuple[int, str]:
        saved = await self._checkpoint.load(self._state(0, ""))
        if saved is None:
            return 0, ""
        state, sums = saved
        self._swept = Swept(**state["swept"])
        self._survey = Survey(self._committer, self._concurrency, sums)
        return state["phase"], state["after"]

    async def _save(self, phase: int, after: str) -> None:
        await self._checkpoint.save(self._state(phase, after), self._survey.sums)

    def _state(self, phase: int, after: str) -> dict[str, Any]:
        return {"phase": phase, "after": after, "swept": asdict(self._swept)}

    async def _items(self, after: str) -> AsyncIterator[tuple[int, str]]:
        async for items in self._survey.items(_tombstone, after):
            self._swept.items += items.looked_at
            self._swept.tombstones += await self._remove(items.found)
            yield items.looked_at, items.last

    async def _entries(self, after: str) -> AsyncIterator[tuple[int, str]]:
        async for rows in self._survey.entries(after):
            yield len(rows), rows[-1].key.text

    async def _claims(self, after: str) -> AsyncIterator[tuple[int, str]]:
        async for claims in self._survey.claims(after):
            if claims:
                yield len(claims), claims[-1].row.key.text

    async def _stale_entries(self, after: str) -> AsyncIterator[tuple[int, str]]:
        async for entries in self._survey.stale_entries(after):
            # The only commit that could name them would have arrived by now: they are never needed again.
            old = [row.key for row in entries.found if self._is_old(row)]
            if old:
                await delete_many(self._storage, old)
            self._swept.entries += len(old)
            self._swept.too_young += len(entries.found) - len(old)
            yield entries.looked_at, entries.last

    async def _dead_claims(self, after: str) -> AsyncIterator[tuple[int, str]]:
        async for claims in self._survey.dead_claims(after):
            self._swept.claims += await self._remove([(claim.row, claim.etag) for claim in claims.found])
            yield claims.looked_at, claims.last

    def _is_old(self, row: Row) -> bool:
        return row.modified is not None and row.modified < self._before

    async def _remove(self, judged: Sequence[tuple[Row, str]]) -> int:
        """Delete what is old and still has the etag that it was judged by; return how many that were."""

        async def remove(key: Key, etag: str) -> bool:
            try:
                await self._storage.delete(key, condition=IfMatch(etag))
            except (ConflictError, UnsupportedError):  # where the store cannot do that, it stays
                return False
            return True

        # What was written since it was listed has another etag, and an age that is not known.
        old = [(row.key, etag) for row, etag in judged if self._is_old(row) and etag == row.etag]
        self._swept.too_young += len(judged) - len(old)
        return sum(await map_bounded(lambda one: remove(*one), old, self._concurrency))


def _tombstone(item: FoundItem) -> tuple[Row, str] | None:
    """Return a tombstone, as it was listed, and the etag by which it was found to be one."""
    if isinstance(item.stored, Stored) and not item.stored.header.live:
        return item.row, item.stored.etag
    return None


def _earlier(now: dt.datetime, seconds: float) -> dt.datetime:
    try:
        return now - dt.timedelta(seconds=seconds)
    except OverflowError:  # nothing is that old
        return _BEGINNING


def _grace_s(committer: Committer, wanted_s: float | None) -> float:
    late_s, deadline_s = committer.storage.capabilities.late_s, committer.policy.deadline_s
    if late_s is None and wanted_s is None:
        msg = (
            f"{committer.storage!r} accepts requests that were signed any time ago, so nobody knows when a write that "
            "was given up can no longer arrive: give the grace_s that you know to be long enough"
        )
        raise UnsupportedError(msg)
    least_s = deadline_s + (late_s or 0.0)
    if wanted_s is not None and not wanted_s >= least_s:
        msg = f"grace_s must be at least {least_s:g} here, not {wanted_s}: a write may still need what is younger"
        raise ValueError(msg)
    return least_s if wanted_s is None else wanted_s
