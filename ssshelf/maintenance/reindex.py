"""A reindex: lists existing items by collections that were added or changed, while readers and writers run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.catalog import Catalog, ListingError
from ssshelf.drafts import Lost
from ssshelf.envelope import Stored
from ssshelf.errors import ConflictError, CorruptionError, UniqueViolationError
from ssshelf.keys import Key
from ssshelf.maintenance.checkpoint import Checkpoint, Progress, Report
from ssshelf.schema import indexed_versions, record_versions
from ssshelf.storages.base import Row

__all__ = ["Reindex", "Reindexed"]

T = TypeVar("T")
_MOST_KEPT = 100


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What a reindex did.

    Attributes:
        items: How many items it looked at, since it began or was resumed.
        changed: How many of them were not listed as they are now.
        failed: How many could not be: unreadable ones, and those whose unique value another item holds.
        errors: The first 100 reasons, each with the key of an item.
    """

    items: int
    changed: int
    failed: int
    errors: tuple[tuple[Key, Exception], ...]

    @property
    def is_complete(self) -> bool:
        """Whether the collections list all items now, so that readers of them are let in."""
        return not self.failed


class Reindex(Generic[T]):
    """One reindex; it goes on where an interrupted one, towards the same versions, stopped.

    Args:
        catalog: Of the manager.
        force: Make all index entries and claims anew, also those that exist according to the items.
        progress: Is told how far it is.
    """

    def __init__(self, catalog: Catalog[T], *, force: bool, progress: Report | None) -> None:
        self._catalog = catalog
        self._committer = catalog.reader.committer
        self._storage, self._layout = self._committer.storage, self._committer.layout
        self._checkpoint = Checkpoint(self._storage, self._layout.meta("reindex"))
        self._versions = {collection.name: collection.version for collection in catalog.collections.values()}
        self._force = force
        self._target = {"versions": self._versions, "force": force}
        self._progress = progress
        self._counts = {"items": 0, "changed": 0, "failed": 0}
        self._errors: list[tuple[Key, Exception]] = []

    async def is_needed(self) -> bool:
        """Whether none was completed yet for these collections in these versions.

        Cost:
            1 get.
        """
        if self._force:
            return True
        known = await indexed_versions(self._storage, self._layout)
        return any(known.get(name, 0) < version for name, version in self._versions.items())

    async def run(self) -> Reindexed:
        """Look at all items, and list anew those that are listed otherwise."""
        after = await self._resume()
        while True:
            scan = await self._storage.scan(self._layout.items, after=after)
            await self._reindex(scan.rows)
            if self._progress is not None:
                self._progress(Progress("items", self._counts["items"]))
            if (after := scan.after) is None:
                break
            await self._checkpoint.save(self._state(after))
        if not self._counts["failed"]:
            await record_versions(self._storage, self._layout, self._versions)
        await self._checkpoint.finish()
        return self.report

    @property
    def report(self) -> Reindexed:
        """What was done so far."""
        return Reindexed(**self._counts, errors=tuple(self._errors))

    async def _resume(self) -> str | None:
        saved = await self._checkpoint.load(self._state(""))
        # What failed before has to be looked at once more: it alone keeps readers out, and may be in order by now.
        if saved is None or saved[0]["target"] != self._target or saved[0]["counts"]["failed"]:
            return None
        self._counts = saved[0]["counts"]
        return str(saved[0]["after"])

    def _state(self, after: str) -> dict[str, Any]:
        return {"target": self._target, "after": after, "counts": self._counts}

    async def _reindex(self, rows: Sequence[Row]) -> None:
        changed = await map_bounded(lambda row: self._relist(row.key), rows, self._catalog.reader.concurrency)
        self._counts["items"] += len(rows)
        self._counts["changed"] += sum(changed)

    async def _relist(self, key: Key) -> bool:
        """List an item as the collections do now, until nobody else is faster; return whether that changed anything."""
        for pause in self._committer.policy.conflict_pauses():
            await asyncio.sleep(pause)
            stored: Stored | None = None
            try:
                stored = await self._committer.load(key)
                if stored is None or not stored.header.live:
                    return False
                draft = self._catalog.redraft(key, stored)._replace(afresh=self._force)
                if draft.is_listed_by(stored.header) and not self._force:
                    return False
                if not isinstance(await self._committer.commit(key, stored, draft), Lost):
                    return True
            except (CorruptionError, ListingError) as error:
                return self._failed(key, error)
            except UniqueViolationError as error:
                if await self._is_still(key, stored):
                    return self._failed(key, error)
        raise ConflictError(key, None, None)

    async def _is_still(self, key: Key, stored: Stored | None) -> bool:
        """Whether an item is as it was, so that the value it could not get is still its own."""
        current = await self._committer.load(key)
        return current is not None and stored is not None and current.etag == stored.etag

    def _failed(self, key: Key, error: Exception) -> bool:
        self._counts["failed"] += 1
        if len(self._errors) < _MOST_KEPT:
            self._errors.append((key, error))
        return False
