"""Verification: does what is stored agree with itself, and with what the program would list."""

from __future__ import annotations

import datetime as dt
import enum
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ssshelf.catalog import Catalog, ListingError
from ssshelf.claims import Claim
from ssshelf.envelope import Header, Stored
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key
from ssshelf.maintenance.checkpoint import Progress, Report
from ssshelf.maintenance.survey import FoundItem, Survey

__all__ = ["Finding", "FindingKind", "Verification", "Verified"]

T = TypeVar("T")
_MOST_KEPT = 1000


class FindingKind(enum.Enum):
    """What is wrong; the last two are garbage, which no strict reader sees and a sweep removes."""

    UNREADABLE = "unreadable"
    """An item, or a claim to a unique value, cannot be read."""
    MISSING_ENTRY = "missing entry"
    """An item names an index entry that does not exist, so that a listing lacks it: ``reindex(force=True)``."""
    MISSING_CLAIM = "missing claim"
    """An item holds a unique value that is not claimed for it, so that another could get it, too: likewise."""
    OUTDATED = "outdated"
    """The item is not listed as the collections of this program would list it: reindex."""
    STALE_ENTRY = "stale entry"
    """An index entry that no item names: left by a crash, or of a write in progress."""
    DEAD_CLAIM = "dead claim"
    """A claim to a unique value that no item names: likewise."""

    @property
    def is_garbage(self) -> bool:
        """Whether it harms nobody."""
        return self in (FindingKind.STALE_ENTRY, FindingKind.DEAD_CLAIM)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        kind: What is wrong.
        key: With what: the key of an item, of an index entry or of a claim.
        reason: More about it, in words.
        modified: When it was written, by the store's clock; ``None`` if that is not known.
    """

    kind: FindingKind
    key: Key
    reason: str = ""
    modified: dt.datetime | None = None

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.key}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found.

    Attributes:
        items: How many live items there are.
        tombstones: How many removed items are remembered.
        entries: How many index entries there are.
        claims: How many claims to unique values there are.
        counts: How many findings there are of each kind.
        findings: The first 1,000 of them.
    """

    items: int
    tombstones: int
    entries: int
    claims: int
    counts: Mapping[FindingKind, int]
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Whether all is in order but for garbage."""
        return all(kind.is_garbage for kind in self.counts)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found at all."""
        return not self.counts


class Verification(Generic[T]):
    """A verification that runs each time it is awaited, or iterated over with ``async for``."""

    def __init__(self, catalog: Catalog[T], progress: Report | None) -> None:
        self._catalog = catalog
        self._committer = catalog.reader.committer
        self._survey = Survey(self._committer, catalog.reader.concurrency)
        self._progress = progress
        self._seen: Counter[str] = Counter()

    def __await__(self) -> Generator[Any, None, Verified]:
        return Verification(self._catalog, self._progress)._report().__await__()

    def __aiter__(self) -> AsyncIterator[Finding]:
        return Verification(self._catalog, self._progress)._findings()

    async def _report(self) -> Verified:
        counts: Counter[FindingKind] = Counter()
        kept: list[Finding] = []
        async for finding in self._findings():
            counts[finding.kind] += 1
            if len(kept) < _MOST_KEPT:
                kept.append(finding)
        seen = self._seen
        return Verified(
            seen["items"] - seen["tombstones"], seen["tombstones"], seen["entries"], seen["claims"], counts, tuple(kept)
        )

    async def _findings(self) -> AsyncGenerator[Finding, None]:
        async for finding in self._items():
            yield finding
        async for rows in self._survey.entries():
            self._tell("entries", len(rows))
        async for finding in self._claims():
            yield finding
        for part in (self._missing, self._stale_entries, self._dead_claims):
            async for finding in part():
                yield finding

    async def _items(self) -> AsyncGenerator[Finding, None]:
        async for items in self._survey.items(self._judge):
            for finding in items.found:
                yield finding
            self._tell("items", items.looked_at)

    async def _claims(self) -> AsyncGenerator[Finding, None]:
        async for claims in self._survey.claims():
            for claim in claims:
                if isinstance(claim.claim, CorruptionError):
                    yield Finding(FindingKind.UNREADABLE, claim.row.key, claim.claim.reason, claim.row.modified)
            self._tell("claims", len(claims))

    def _judge(self, item: FoundItem) -> Finding | None:
        key, stored, modified = item.row.key, item.stored, item.row.modified
        is_tombstone = isinstance(stored, Stored) and not stored.header.live
        self._seen["tombstones"] += is_tombstone
        if stored is None or is_tombstone:
            return None
        if isinstance(stored, CorruptionError):
            return Finding(FindingKind.UNREADABLE, key, stored.reason, modified)
        try:
            draft = self._catalog.redraft(key, stored)
        except CorruptionError as error:
            return Finding(FindingKind.UNREADABLE, key, error.reason, modified)
        except ListingError as error:
            return Finding(FindingKind.OUTDATED, key, f"listing it raised {type(error.__cause__).__name__}", modified)
        if draft.agrees_with(stored.header):
            return None
        return Finding(FindingKind.OUTDATED, key, "its listings differ: reindex", modified)

    async def _missing(self) -> AsyncGenerator[Finding, None]:
        async for items in self._survey.uneven_items():
            for item in items:
                if isinstance(item.stored, Stored) and item.stored.header.live:
                    for finding in await self._missing_of(item.row.key, item.stored):
                        yield finding
            self._tell("what differs", len(items))

    async def _stale_entries(self) -> AsyncGenerator[Finding, None]:
        async for entries in self._survey.stale_entries():
            for row in await self._survey.still_there(entries.found):
                yield Finding(FindingKind.STALE_ENTRY, row.key, modified=row.modified)
            self._tell("stale entries", entries.looked_at)

    async def _dead_claims(self) -> AsyncGenerator[Finding, None]:
        async for claims in self._survey.dead_claims():
            held = [claim for claim in claims.found if isinstance(claim.claim, Claim) and claim.claim.pk]
            for claim in await self._survey.still_claimed(held):
                yield Finding(FindingKind.DEAD_CLAIM, claim.row.key, modified=claim.row.modified)
            self._tell("dead claims", claims.looked_at)

    async def _missing_of(self, key: Key, stored: Stored) -> list[Finding]:
        lacking = await self._lacking(key, stored.header)
        if lacking:
            again = await self._committer.load(key)
            if again is None or again.etag != stored.etag:  # it was written meanwhile, and names others now
                return []
        return lacking

    async def _lacking(self, item: Key, header: Header) -> list[Finding]:
        layout, survey = self._committer.layout, self._survey
        pk = layout.pk_of(item)
        reason = f"{item} names it"
        entries = [layout.entry(index, pk, ending) for index, ending in header.entries.items()]
        return [
            *[Finding(FindingKind.MISSING_ENTRY, key, reason) for key in entries if not await survey.is_there(key)],
            *[
                Finding(FindingKind.MISSING_CLAIM, layout.claim(index), reason)
                for index in header.claims
                if not await survey.is_claimed(index, pk)
            ],
        ]

    def _tell(self, phase: str, count: int) -> None:
        self._seen[phase] += count
        if self._progress is not None:
            self._progress(Progress(phase, self._seen[phase]))
