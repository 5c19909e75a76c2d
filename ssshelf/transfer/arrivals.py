"""The receiving end: items from elsewhere come into a shelf, by the commit protocol, unless it has something later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ssshelf._concurrency import each_bounded
from ssshelf.documents import Document, Documents
from ssshelf.drafts import Draft, Revision
from ssshelf.envelope import UNWRITTEN, Stored
from ssshelf.errors import AlreadyExistsError, ConflictError, CorruptionError, UniqueViolationError
from ssshelf.keys import Key
from ssshelf.storages.base import Put
from ssshelf.transfer.parcels import Parcel
from ssshelf.transfer.tally import Fate, Tally

__all__ = ["Arrivals"]

_MOST_WAITING_BYTES = 2**26


class Arrivals:
    """Puts items into one manager's shelf, and counts what becomes of them.

    Args:
        documents: The shelf.
        tally: Counts.
        overwrite: Replace what has nothing to do with what comes, and what cannot be read. Nobody else may write these
            items meanwhile.
    """

    def __init__(self, documents: Documents, tally: Tally, *, overwrite: bool = False) -> None:
        self._documents = documents
        self._committer = documents.committer
        self._tally = tally
        self._overwrite = overwrite
        self._waiting: list[tuple[Parcel, UniqueViolationError]] = []
        self._waiting_bytes = 0

    @property
    def takes_many(self) -> bool:
        """Whether ``receive_new`` does it all with one request."""
        return self._committer.has_transactions

    async def receive(self, parcel: Parcel, *, is_new: bool = False) -> None:
        """Make an item what it is elsewhere, unless it is something later here.

        An item that wants a unique value of another one waits for ``retry``: that one may be about to give it up.

        Args:
            parcel: The item.
            is_new: Whether nothing is stored under its key, as far as is known.

        Raises:
            ConflictError: Others kept being faster; safe to repeat.
            CommitUnknownError: The store did not say whether it was written; safe to repeat.
            UnavailableError: The store does not answer; safe to repeat.
        """
        if not self._is_refused(parcel.key, parcel.data, _draft(parcel)):
            await self._receive(parcel, is_new=is_new)

    async def receive_new(self, parcels: Sequence[Parcel], concurrency: int) -> None:
        """Receive items of which nothing is stored here, as far as is known, many at a time."""
        fitting = [parcel for parcel in parcels if not self._is_refused(parcel.key, parcel.data, _draft(parcel))]
        if fitting and await self._committer.transplant_new([(Put(one.key, one.data), one.header) for one in fitting]):
            self._tally.counts[Fate.COPIED] += len(fitting)
        else:
            await each_bounded(lambda parcel: self._receive(parcel, is_new=True), fitting, concurrency)

    async def add(self, document: Document, *, is_old: bool = False, is_dry: bool = False) -> None:
        """Store a document that has no revision, unless it is stored and listed just so; like ``receive``.

        Args:
            document: The item.
            is_old: Whether it is older than anything here, so that an item that was removed here stays removed.
            is_dry: Write nothing, and count it as if it was written.
        """
        key = self._committer.layout.item(document.pk)
        indexes = dict.fromkeys(document.indexes, "")
        draft = Draft(document.body, indexes, document.unique, document.content_type)
        if self._is_refused(key, document.body, draft):
            return
        try:
            fate = await self._add(key, draft, is_old=is_old, is_dry=is_dry)
            self._tally.note(key, fate, AlreadyExistsError(key, None) if fate is Fate.CONFLICT else None)
        except UniqueViolationError as error:
            self._tally.note(key, Fate.CONFLICT, error)
        except CorruptionError as error:
            self._tally.note(key, Fate.UNREADABLE, error)

    @property
    def is_waiting(self) -> bool:
        """Whether an item waits for a unique value."""
        return bool(self._waiting)

    async def retry(self) -> None:
        """Try those again that wait for a unique value, as long as that helps any."""
        tried = 0
        while self._waiting and len(self._waiting) != tried:
            waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
            tried = len(waiting)
            for parcel, _ in waiting:
                await self.receive(parcel)

    async def give_up(self) -> None:
        """Try those a last time that wait for a unique value; then they are conflicts."""
        await self.retry()
        for parcel, error in self._waiting:
            self._tally.note(parcel.key, Fate.CONFLICT, error)
        self._waiting, self._waiting_bytes = [], 0

    async def _receive(self, parcel: Parcel, *, is_new: bool) -> None:
        try:
            await self._deliver(parcel, None if is_new else await self._load(parcel.key))
        except UniqueViolationError as error:
            self._wait(parcel, error)
        except CorruptionError as error:
            self._tally.note(parcel.key, Fate.UNREADABLE, error)

    def _wait(self, parcel: Parcel, error: UniqueViolationError) -> None:
        size_bytes = self._waiting_bytes + len(parcel.data)
        if size_bytes > _MOST_WAITING_BYTES:
            self._tally.note(parcel.key, Fate.CONFLICT, error)
        else:
            self._waiting.append((parcel, error))
            self._waiting_bytes = size_bytes

    def _is_refused(self, key: Key, data: bytes, draft: Draft) -> bool:
        try:
            self._committer.storage.capabilities.check_entry(key, data)
            self._committer.check(key, draft)
        except ValueError as error:
            self._tally.note(key, Fate.REFUSED, error)
            return True
        return False

    async def _load(self, key: Key) -> Stored | None:
        try:
            return await self._committer.load(key)
        except CorruptionError:
            if not self._overwrite:
                raise
            return await self._bury(key)

    async def _bury(self, key: Key) -> Stored | None:
        """Replace what cannot be read by a tombstone, and return that, or what somebody else stored instead."""
        entry = await self._committer.storage.get(key)
        outcome = await self._committer.commit(key, Stored(entry.etag, UNWRITTEN), None)
        return outcome.stored if isinstance(outcome, Revision) else outcome.current

    async def _deliver(self, parcel: Parcel, base: Stored | None) -> None:
        guessed = base is None
        for pause in self._committer.policy.conflict_pauses():
            if pause:
                await asyncio.sleep(pause)
            fate = self._judge(parcel, base)
            if fate is not Fate.COPIED:
                if guessed and base is not None and not base.header.live:
                    await self._renew(parcel.key, base)
                reason = ConflictError(parcel.key, parcel.header.rev, base.header.rev if base else None)
                self._tally.note(parcel.key, fate, reason if fate.is_problem else None)
                return
            outcome = await self._committer.transplant(Put(parcel.key, parcel.data), base, parcel.header)
            if isinstance(outcome, Revision):
                self._tally.note(parcel.key, Fate.COPIED)
                return
            base = outcome.current
        raise ConflictError(parcel.key, None, None)

    async def _add(self, key: Key, draft: Draft, *, is_old: bool, is_dry: bool) -> Fate:
        base = await self._load(key)
        for pause in self._committer.policy.conflict_pauses():
            if pause:
                await asyncio.sleep(pause)
            fate = self._judge_draft(draft, base, is_old=is_old)
            if fate is not Fate.COPIED or is_dry:
                return fate
            outcome = await self._committer.commit(key, base, draft)
            if isinstance(outcome, Revision):
                return fate
            base = outcome.current
        raise ConflictError(key, None, None)

    def _judge_draft(self, draft: Draft, base: Stored | None, *, is_old: bool) -> Fate:
        if base is None:
            return Fate.COPIED
        if not base.header.live:
            return Fate.KEPT if is_old else Fate.COPIED
        known = base.header
        if (base.body, known.content_type) == (draft.body, draft.content_type) and draft.has_keys_of(known):
            return Fate.SAME
        return Fate.COPIED if self._overwrite else Fate.CONFLICT

    def _judge(self, parcel: Parcel, base: Stored | None) -> Fate:
        """Return what should become of an item, given what is there: that of the later revision stays."""
        if base is None or base.header.rev in parcel.header.lineage:
            return Fate.COPIED
        if (base.header, base.body) == (parcel.header, parcel.body):
            return Fate.SAME
        if parcel.header.rev in base.header.lineage:
            return Fate.KEPT
        return Fate.COPIED if self._overwrite else Fate.CONFLICT

    async def _renew(self, key: Key, tombstone: Stored) -> None:
        """Write a tombstone anew: it refused a write that could arrive once more, and succeed when it is swept."""
        await self._committer.commit(key, tombstone, None)


def _draft(parcel: Parcel) -> Draft:
    return Draft.of(Stored("", parcel.header, parcel.body))
