"""The commit protocol: an item and its index entries change together, whatever crashes and whoever else writes.

The item is the only truth; an index entry is a hint that the item must confirm. A write creates the entries it adds,
under names nobody used before; then it writes the item, conditionally, naming all its entries: that is the commit
point; then it deletes the entries it dropped. A crash in between leaves only entries that no item names. Where the
store has transactions, the same operations are one transaction.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssshelf._concurrency import map_bounded
from ssshelf.envelope import LINEAGE, Header, pack, unpack
from ssshelf.errors import CommitUnknownError, ConflictError, NotFoundError, ShelfError, UnavailableError
from ssshelf.keys import Key
from ssshelf.layout import Layout, new_rev
from ssshelf.retries import Backoff
from ssshelf.storages.base import Delete, IfAbsent, IfMatch, Put, Storage, atomic_batch, delete_many

if TYPE_CHECKING:
    from typing import Self

__all__ = ["CommitPolicy", "Committer", "Draft", "Lost", "Revision", "Stored"]

_log = logging.getLogger(__name__)
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def _uptime_s() -> float:
    """Return the seconds since boot; where the system can tell, those it slept are counted too.

    An entry may be swept once its writer must have given up, so a writer whose machine slept has to notice.
    """
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class _Dice(random.Random):
    """Draws that no other process repeats, without a system call for each, during which SQLite's threads compete."""

    def getrandbits(self, k: int) -> int:
        return (super().getrandbits(k) + time.time_ns()) % (1 << k)


_dice = _Dice()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_dice.seed)


@dataclass(frozen=True)
class CommitPolicy:
    """How long writers try.

    Attributes:
        deadline_s: When a writer gives up. Garbage is swept only when it is older than this and the longest time
            that a delayed request can take to arrive.
        attempts: How often the commit itself is sent while its outcome is unknown.
        conflicts: How often a write that may be redone is redone after somebody else was faster.
        dice: Draws revisions. The default's draws also differ between processes that were forked from one, or
            restored from one snapshot.
        clock: Seconds that go on while the machine sleeps.
    """

    deadline_s: float = 60.0
    attempts: Backoff = field(default_factory=lambda: Backoff(attempts=8))
    conflicts: Backoff = field(default_factory=lambda: Backoff(attempts=32, base_s=0.01, cap_s=1.0))
    dice: random.Random = field(default_factory=lambda: _dice, repr=False)
    clock: Callable[[], float] = _uptime_s


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored under a primary key: a live item or a tombstone."""

    etag: str
    header: Header
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be stored under a primary key.

    Attributes:
        body: The serialized document.
        indexes: The index keys it is to be listed under, as ``EntryName.index``.
        content_type: The media type of the document.
    """

    body: bytes
    indexes: frozenset[str]
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """A commit that somebody else's was faster than; ``current`` is what they stored."""

    current: Stored | None


class Revision(str):
    """The version of an item, as text; also after a round trip as text it can be given as ``expect``.

    Given back as it is, it saves the request that would find out what to change.
    """

    __slots__ = ("stored",)

    stored: Stored | None

    def __new__(cls, rev: str, stored: Stored | None = None) -> Self:
        """Return ``rev``, remembering what its commit stored."""
        self = super().__new__(cls, rev)
        self.stored = stored
        return self

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """Return the revision of what is stored, without its document."""
        return cls(stored.header.rev, Stored(stored.etag, stored.header))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


@dataclass(frozen=True, slots=True)
class _Transaction:
    header: Header
    base: Stored | None
    item: Put
    adds: Sequence[Key]
    drops: Sequence[Key]


class Committer:
    """Reads and writes the items of one manager.

    Args:
        storage: Where they are.
        layout: Under which names.
        policy: How long writers try.
        concurrency: How many entries are written at a time.
    """

    def __init__(self, storage: Storage, layout: Layout, policy: CommitPolicy, concurrency: int) -> None:
        self.storage = storage
        self.layout = layout
        self.policy = policy
        self._concurrency = concurrency
        self._batch = atomic_batch(storage)
        self._batch_limit = storage.capabilities.atomic_batch if self._batch else 0

    @property
    def may_guess(self) -> bool:
        """Whether a commit on a wrong base costs no more than one request, and leaves nothing to clean up."""
        return self._batch is not None

    async def load(self, item: Key) -> Stored | None:
        """Return what is stored under the key of an item; ``None`` when it never was, or is swept.

        Raises:
            CorruptionError: It cannot be read.

        Cost:
            1 get.
        """
        try:
            entry = await self.storage.get(item)
        except NotFoundError:
            return None
        return Stored(entry.etag, *unpack(item, entry.data))

    def check(self, item: Key, draft: Draft) -> None:
        """Refuse what the store has no room for, before anything is sent.

        Raises:
            KeyTooLongError: The key of the item, or of one of its index entries, is too long.
        """
        self.storage.capabilities.check_key(item)
        if draft.indexes:
            longest = max(draft.indexes, key=len)
            self.storage.capabilities.check_key(self.layout.longest_entry(longest, self.layout.pk_of(item)))

    async def commit(self, item: Key, base: Stored | None, draft: Draft | None) -> Revision | Lost:
        """Replace ``base``, which was stored under ``item``, by ``draft``; ``None`` leaves a tombstone.

        Either all of it is done or, to every reader, nothing.

        Returns:
            The new revision, or what somebody else stored instead.

        Raises:
            CommitUnknownError: The store did not say, and may still apply it.
            UnavailableError: The store does not answer; nothing was written.

        Cost:
            A put for each new index entry, at once; then 1 conditional put; then 1 deletion of the entries dropped, if
            there are any. With transactions, 1 request.
        """
        transaction = self._plan(item, base, draft)
        started = self.policy.clock()
        if self._fits_a_batch(transaction):
            return await self._commit_point(transaction, started)
        try:
            await map_bounded(self._put_entry, transaction.adds, self._concurrency)
            outcome = await self._commit_point(transaction, started)
        except CommitUnknownError:
            raise  # the entries may be needed: they are for a sweep to judge
        except ShelfError:  # which says for certain that nothing was committed; nothing else does
            await self._discard(transaction.adds)
            raise
        await self._discard(transaction.adds if isinstance(outcome, Lost) else transaction.drops)
        return outcome

    def _plan(self, item: Key, base: Stored | None, draft: Draft | None) -> _Transaction:
        before = base.header if base else Header("", 0)
        n = before.n + 1
        rev = new_rev(n, self.policy.dice.getrandbits(64))
        lineage = (before.rev, *before.lineage)[:LINEAGE] if base else ()
        named = before.entries  # a tombstone's are none: they may be gone, so nothing carries them forward
        wanted = sorted(draft.indexes) if draft else []  # an order that is the same in every process
        header = Header(
            rev,
            n,
            lineage,
            live=draft is not None,
            # Entries of unchanged index keys keep their names and cost nothing.
            entries={index: named.get(index, rev) for index in wanted},
            content_type=draft.content_type if draft else "",
        )
        pk = self.layout.pk_of(item)
        data = pack(header, draft.body if draft else b"")
        return _Transaction(
            header,
            base,
            Put(item, data, IfMatch(base.etag) if base else IfAbsent()),
            adds=[self.layout.entry(index, pk, rev) for index in wanted if index not in named],
            drops=[self.layout.entry(index, pk, old) for index, old in named.items() if index not in wanted],
        )

    def _fits_a_batch(self, transaction: _Transaction) -> bool:
        return len(transaction.adds) + 1 + len(transaction.drops) <= self._batch_limit

    async def _put_entry(self, key: Key) -> None:
        await self.storage.put(key, b"")

    async def _send(self, transaction: _Transaction) -> str:
        item = transaction.item
        if self._batch and self._fits_a_batch(transaction):
            adds, drops = [Put(key, b"") for key in transaction.adds], map(Delete, transaction.drops)
            etags = await self._batch.commit([*adds, item, *drops])
            return etags[len(adds)] or ""
        return await self.storage.put(item.key, item.data, condition=item.condition)

    async def _commit_point(self, transaction: _Transaction, started: float) -> Revision | Lost:
        """Send the identical request until its outcome is known."""
        failures: list[Exception] = []
        for pause in self._pauses(started):
            if pause:
                await asyncio.sleep(pause)
            try:
                etag = await self._send(transaction)
            except ConflictError:
                # Also after a first attempt: something on the way may have delivered it twice.
                return await self._resolve(transaction, failures, refused=True)
            except Exception as error:  # noqa: BLE001  raised below, unless an earlier attempt was applied
                failures.append(error)
                if not isinstance(error, UnavailableError):
                    break
            else:
                return Revision(transaction.header.rev, Stored(etag, transaction.header))
        if _maybe_applied(failures):
            return await self._resolve(transaction, failures, refused=False)
        raise failures[-1] if failures else UnavailableError("the writer was too slow to commit", maybe_applied=False)

    def _pauses(self, started: float) -> Iterator[float]:
        """Yield the pause before each attempt that the writer may still make."""
        for pause in self.policy.attempts.pauses():
            if self.policy.clock() - started + pause > self.policy.deadline_s:
                return
            yield pause

    async def _resolve(
        self, transaction: _Transaction, failures: Sequence[Exception], *, refused: bool
    ) -> Revision | Lost:
        """Find out by reading whether the transaction was applied.

        ``refused`` tells that the store found the condition not to hold, so that it will not be applied later.
        """
        base, rev = transaction.base, transaction.header.rev
        try:
            current = await self.policy.attempts.repeat(lambda: self.load(transaction.item.key))
        except (ShelfError, ValueError) as error:  # ValueError: the storage was closed meanwhile
            raise CommitUnknownError(transaction.item.key, rev) from error
        if current is not None and current.header.descends_from(rev):
            return Revision.of(current) if current.header.rev == rev else Revision(rev)
        # What others have stored since also rules out that the condition ever holds again: no etag comes twice.
        refused = refused or (current and current.etag) != (base and base.etag)
        too_long_ago = current is not None and current.header.n - transaction.header.n >= LINEAGE
        if not refused or (too_long_ago and _maybe_applied(failures)):
            raise CommitUnknownError(transaction.item.key, rev)
        return Lost(current)

    async def _discard(self, keys: Sequence[Key]) -> None:
        """Delete entries that no item names; what fails is left for a sweep."""
        if not keys:
            return
        try:
            await delete_many(self.storage, keys)
        except ShelfError as error:
            _log.debug("%d index entries are left for a sweep: %s", len(keys), error)


def _maybe_applied(failures: Sequence[Exception]) -> bool:
    return any(getattr(failure, "maybe_applied", False) for failure in failures)
