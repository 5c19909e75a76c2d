"""Maintenance of a shelf in use: does it agree with itself, what can go, what has to be listed anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from ssshelf._late import late
from ssshelf.catalog import Catalog

if TYPE_CHECKING:
    from ssshelf.maintenance.checkpoint import Progress, Report
    from ssshelf.maintenance.reindex import Reindexed
    from ssshelf.maintenance.sweep import Swept
    from ssshelf.maintenance.verify import Finding, FindingKind, Verification, Verified

__all__ = [
    "Finding",
    "FindingKind",
    "Maintained",
    "Progress",
    "Reindexed",
    "Report",
    "Swept",
    "Verification",
    "Verified",
]

T = TypeVar("T")

# Every manager can be maintained, and few programs do it.
_HOMES = {
    "Finding": "verify",
    "FindingKind": "verify",
    "Progress": "checkpoint",
    "Reindexed": "reindex",
    "Report": "checkpoint",
    "Swept": "sweep",
    "Verification": "verify",
    "Verified": "verify",
}

if not TYPE_CHECKING:
    __getattr__ = late(__name__, _HOMES)


class Maintained(Generic[T]):
    """What a manager can do about all of its items at once, in memory that does not grow with their number."""

    _catalog: Catalog[T]

    def verify(self, *, progress: Report | None = None) -> Verification[T]:
        """Check everything that is stored, and write nothing.

        ``await shelf.verify()`` returns a ``Verified``: counts, and the first 1,000 findings. ``async for finding in
        shelf.verify()`` yields each ``Finding`` when it is found. Writers may run; what they have in progress shows
        as garbage. An item that changes meanwhile is judged as it is when it is looked at.

        Args:
            progress: Called with a ``Progress``, after every 1,000 entries at the latest.

        Raises:
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get for each item and each unique value, and 1 scan for each 1,000 entries of any kind; where something
            differs, some more to find out what.
        """
        from ssshelf.maintenance.verify import Verification  # noqa: PLC0415

        return Verification(self._catalog, progress)

    async def sweep(self, *, grace_s: float | None = None, progress: Report | None = None) -> Swept:
        """Remove what crashes and removals left behind: index entries and claims of nobody, and tombstones.

        Writers and readers may run, and other sweeps. One that was interrupted goes on where it stopped when it is
        called again, from any process.

        Args:
            grace_s: How old garbage has to be, by the store's clock. ``None`` is the least that is safe: the
                ``deadline_s`` of this manager's policy, and the store's ``Capabilities.late_s``. Give more if other
                writers have a longer deadline.
            progress: Called with a ``Progress``, after every 1,000 entries at the latest.

        Returns:
            What was removed; of an interrupted sweep, as far as was remembered.

        Raises:
            ValueError: ``grace_s`` is less than the least that is safe.
            UnsupportedError: The store does not tell ages, or not how late a write may still arrive.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            That of ``verify``; 1 deletion for each tombstone and claim, and for each 1,000 index entries; 1 put of half
            a megabyte for each 10,000 entries looked at.
        """
        from ssshelf.maintenance.sweep import Sweep  # noqa: PLC0415

        reader = self._catalog.reader
        return await Sweep(reader.committer, reader.concurrency, grace_s, progress).run()

    async def reindex(self, *, force: bool = False, progress: Report | None = None) -> Reindexed:
        """List existing items by collections that were added or changed, and let readers of their versions in.

        Writers and readers may run, but no writers of a program that does not know the collections: what they write is
        listed as they know it. When the shelf is indexed by these versions already, nothing is done. A reindex that was
        interrupted goes on where it stopped.

        Args:
            force: Do it in any case, and make all index entries and claims anew.
            progress: Called with a ``Progress``, after every 1,000 items at the latest.

        Returns:
            What was done. Unless ``is_complete``, readers are not let in, and ``errors`` tells why.

        Raises:
            ConflictError: Others kept writing an item faster; safe to repeat.
            CommitUnknownError: The store did not say whether an item was listed anew; safe to repeat.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get when there is nothing to do. Otherwise 1 get for each item, that of an update for each that is listed
            otherwise, and 1 scan and 1 put for each 1,000.
        """
        from ssshelf.maintenance.reindex import Reindex  # noqa: PLC0415

        job = Reindex(self._catalog, force=force, progress=progress)
        return await job.run() if await job.is_needed() else job.report
