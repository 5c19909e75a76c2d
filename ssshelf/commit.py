"""The commit protocol: an item and its index entries change together, whatever crashes and whoever else writes.

The item is the only truth; an index entry is a hint that the item must confirm. A write creates the entries it adds,
under names nobody used before, and claims its unique values; then it writes the item, conditionally, naming all its
entries and claims: that is the commit point; then it deletes what it dropped. A crash in between leaves only entries
and claims that no item names. Where the store has transactions, the same operations are one transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from ssshelf._concurrency import map_bounded
from ssshelf.claims import Claim, Claims
from ssshelf.drafts import Draft, Lost, Revision
from ssshelf.envelope import UNWRITTEN, Header, Stored, pack, unpack
from ssshelf.errors import CommitUnknownError, ConflictError, NotFoundError, ShelfError, UnavailableError
from ssshelf.keys import Key
from ssshelf.layout import EntryName, Layout, new_rev, number_of
from ssshelf.retries import RetryPolicy, maybe_applied
from ssshelf.storages.base import Delete, Operation, Put, Storage
from ssshelf.storages.offers import atomic_batch, delete_many, recall
from ssshelf.transactions import Transaction, next_header, plan

__all__ = ["Committer"]

_log = logging.getLogger(__name__)


class Committer:
    """Reads and writes the items of one manager.

    Args:
        storage: Where they are.
        layout: Under which names.
        policy: How long writers try.
        concurrency: How many entries are written at a time.
    """

    def __init__(self, storage: Storage, layout: Layout, policy: RetryPolicy, concurrency: int) -> None:
        self.storage = storage
        self.layout = layout
        self.policy = policy
        self._concurrency = concurrency
        self._batch = atomic_batch(storage)
        self._batch_limit = storage.capabilities.atomic_batch if self._batch else 0
        self._claims = Claims(storage, layout, self.load, self._fence, policy.conflict_pauses)

    @property
    def has_transactions(self) -> bool:
        """Whether a commit is one request, and leaves nothing to clean up when its base was wrong."""
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

    async def look(self, item: Key, *, etag: str | None = None, listed: Sequence[EntryName] = ()) -> Stored | None:
        """Return what ``load`` does, to who only shows it: what a cache remembers is good enough.

        Args:
            item: The key of the item.
            etag: That of its newest entry, if a listing has just told it.
            listed: Index entries by which a listing has just shown it. What does not name them is older than they are,
                or newer, and would be missing on the page.

        Raises:
            CorruptionError: It cannot be read.

        Cost:
            1 get, or none.
        """
        if known := recall(self.storage, item, etag):
            stored = Stored(known.etag, *unpack(item, known.data))
            if all(stored.header.entries.get(name.index) == name.ending for name in listed):
                return stored
        return await self.load(item)

    def check(self, item: Key, draft: Draft) -> None:
        """Refuse what the store has no room for, before anything is sent.

        Raises:
            KeyTooLongError: The key of the item, or of one of its index entries, is too long.
        """
        known, pk = self.storage.capabilities, self.layout.pk_of(item)
        known.check_key(item)
        for index, cover in draft.indexes.items():
            known.check_key(self.layout.longest_entry(index, pk, cover))

    async def commit(self, item: Key, base: Stored | None, draft: Draft | None) -> Revision | Lost:
        """Replace ``base``, which was stored under ``item``, by ``draft``; ``None`` leaves a tombstone.

        Either all of it is done or, to every reader, nothing.

        Returns:
            The new revision, or what somebody else stored instead.

        Raises:
            UniqueViolationError: Another item holds one of the unique values; nothing was written.
            CommitUnknownError: The store did not say, and may still apply it.
            UnavailableError: The store does not answer; nothing was written.

        Cost:
            A put for each new index entry and unique value, at once; then 1 conditional put; then 1 deletion of the
            entries dropped, if there are any, and 1 get and 1 deletion for each unique value that is given up. With
            transactions, 1 request, and 1 get before it for each value given up.
        """
        before = base.header if base else UNWRITTEN
        header = next_header(before, draft, new_rev(before.n + 1, self.policy.dice.getrandbits(64)))
        put = Put(item, pack(header, draft.body if draft else b""))
        return await self._carry_out(plan(self.layout, put, base, header), draft)

    async def transplant(self, item: Put, base: Stored | None, header: Header) -> Revision | Lost:
        """Replace ``base`` by a commit that was made elsewhere, as it is.

        Of concurrent transplants of one item one may name what another one has put, so whoever loses removes nothing;
        what it leaves is for a sweep.

        Args:
            item: What the commit stored, byte for byte, under the key that it has here, too.
            base: What is stored there, and is to be replaced.
            header: That of the commit.

        Returns:
            The revision, also when this or a later one of its line was there already; or what somebody else stored.

        Raises:
            UniqueViolationError: Another item holds one of the unique values.
            CommitUnknownError: The store did not say, and may still apply it.
            UnavailableError: The store does not answer.

        Cost:
            That of ``commit``.
        """
        return await self._carry_out(plan(self.layout, item, base, header, is_new=False), None)

    async def transplant_new(self, commits: Sequence[tuple[Put, Header]]) -> bool:
        """Store commits that were made elsewhere, in one transaction, where nothing is stored.

        Returns:
            Whether it was done. If not, nothing was: the store has no transactions of that size, or something is
            there, or somebody else holds a unique value.

        Raises:
            UnavailableError: The store did not say; doing it again is safe.

        Cost:
            1 commit.
        """
        batch = self._batch
        if batch is None:
            return False
        transactions = [plan(self.layout, item, None, header, is_new=False) for item, header in commits]
        operations = [one for each in transactions for one in (each.item, *each.preparations(self.layout))]
        # Two that want the same unique value have to be told so.
        if len({one.key for one in operations}) < len(operations) or len(operations) > self._batch_limit:
            return False
        try:
            await self.policy.repeat(lambda: batch.commit(operations))
        except ConflictError:
            return False
        return True

    async def _carry_out(self, transaction: Transaction, draft: Draft | None) -> Revision | Lost:
        """Bring a transaction to its end; ``draft`` is what an insert does again if a tombstone refuses it."""
        started = self.policy.clock()
        rest: Sequence[Operation] | None = None
        if transaction.size <= self._batch_limit:
            outcome = await self._commit_point(transaction, await self._rest(transaction), started)
            if not _hindered_by_a_claim(transaction, outcome):
                return await self._settled(transaction, draft, outcome)
            # Claims are taken one by one then; everything else still changes at once.
            rest = await self._rest(transaction._replace(claims={}))
            transaction = transaction._replace(adds=(), drops=(), releases={})
        fresh: dict[str, Claim] = {}
        try:
            await map_bounded(lambda prepare: prepare(), self._preparations(transaction, fresh), self._concurrency)
            outcome = await self._commit_point(transaction, rest, started)
        except CommitUnknownError:
            raise  # entries and claims may be needed: they are for a sweep to judge
        except ShelfError:  # which says for certain that nothing was committed; nothing else does
            await self._undo(transaction, fresh)
            raise
        if isinstance(outcome, Revision):
            await self._discard(transaction.drops, transaction.releases, outcome)
            return outcome
        settled = await self._settled(transaction, draft, outcome)
        if settled != transaction.header.rev:
            await self._undo(transaction, fresh)
        return settled

    async def _settled(
        self, transaction: Transaction, draft: Draft | None, outcome: Revision | Lost
    ) -> Revision | Lost:
        """Return what becomes of a transaction that was refused; an insert over a tombstone is done again.

        A late repetition of that insert would succeed if the tombstone was swept in the meantime, so it is not over
        before something younger is there.
        """
        if isinstance(outcome, Revision) or transaction.base is not None or draft is None:
            return outcome
        item, rev, current = transaction.item.key, transaction.header.rev, outcome.current
        if current is None:  # it was swept already
            raise CommitUnknownError(item, rev)
        if current.header.live:
            return outcome
        return await self._commit_over(item, current, draft, rev)

    async def _commit_over(self, item: Key, tombstone: Stored, draft: Draft, rev: str) -> Revision | Lost:
        """Do the insert ``rev``, which a tombstone refused, over that; if that fails, write the tombstone anew."""
        outcome: Revision | Lost
        try:
            outcome = await self.commit(item, tombstone, draft)
        except CommitUnknownError:
            raise
        except ShelfError as error:
            try:
                outcome = await self.commit(item, tombstone, None)
            except ShelfError:
                raise CommitUnknownError(item, rev) from error
            if not (_left_nothing(outcome) or _was_beaten_by(outcome, rev)):
                raise
        if _left_nothing(outcome):
            raise CommitUnknownError(item, rev)
        return Revision(rev) if _was_beaten_by(outcome, rev) else outcome

    async def was_committed(self, item: Key, rev: str) -> bool:
        """Return whether the commit ``rev`` was applied to ``item``; one that was not never will be.

        Raises:
            CommitUnknownError: It may still be, or there were too many commits since to tell.
            ValueError: ``rev`` is no revision.

        Cost:
            1 get.
        """
        number = number_of(rev)
        current = await self.load(item)
        if current is not None and current.header.descends_from(rev):
            return True
        header = current.header if current is not None else UNWRITTEN
        # Somebody else's commit came in its place; but a tombstone refuses an insert only until it is swept.
        if number <= header.n and not header.has_forgotten(number) and (header.live or number > 1):
            return False
        raise CommitUnknownError(item, rev)

    def _preparations(self, transaction: Transaction, fresh: dict[str, Claim]) -> list[Callable[[], Awaitable[object]]]:
        """Return what has to be done before the commit point, in any order.

        Claims that may be given back if there is no commit are added to ``fresh``.
        """
        entries = [partial(self.storage.put, key, b"") for key in transaction.adds]

        async def take(index: str, claim: Claim) -> None:
            if await self._claims.take(index, claim):
                fresh[index] = claim

        return [*entries, *(partial(take, index, claim) for index, claim in transaction.claims.items())]

    async def _rest(self, transaction: Transaction) -> list[Operation]:
        """Return all of a transaction but the item, for a store that does it at once."""
        rev = transaction.header.rev
        dropped = list(transaction.releases.items())
        releases = await map_bounded(lambda one: self._claims.release(*one, rev), dropped, self._concurrency)
        return [
            *transaction.preparations(self.layout),
            *(operation for operation in releases if operation is not None),
            *map(Delete, transaction.drops),
        ]

    async def _send(self, item: Put, rest: Sequence[Operation] | None) -> str:
        if self._batch is not None and rest is not None:
            return (await self._batch.commit([item, *rest]))[0] or ""
        return await self.storage.put(item.key, item.data, condition=item.condition)

    async def _fence(self, item: Key, found: Stored | None) -> bool:
        """Make every commit fail that started from ``found`` or before: write the item once more, as it is."""
        draft = Draft.of(found) if found is not None and found.header.live else None
        try:
            return isinstance(await self.commit(item, found, draft), Revision)
        except CommitUnknownError:
            return False

    async def _commit_point(
        self, transaction: Transaction, rest: Sequence[Operation] | None, started: float
    ) -> Revision | Lost:
        """Send the identical request, with ``rest`` on a store with transactions, until its outcome is known."""
        failures: list[UnavailableError] = []
        send = partial(self._send, transaction.item, rest)
        try:
            etag = await self.policy.repeat(send, started=started, failures=failures)
        except ConflictError:
            # Also after a first attempt: something on the way may have delivered it twice.
            # A claim that stood in the way of a whole transaction may be gone when an earlier attempt arrives.
            for_good = not (rest and transaction.claims and maybe_applied(failures))
            return await self._resolve(transaction, failures, started, refused=for_good)
        except Exception:
            if maybe_applied(failures):
                return await self._resolve(transaction, failures, started, refused=False)
            raise
        return Revision(transaction.header.rev, Stored(etag, transaction.header))

    async def _resolve(
        self, transaction: Transaction, failures: Sequence[UnavailableError], started: float, *, refused: bool
    ) -> Revision | Lost:
        """Find out by reading whether the transaction was applied.

        ``refused`` tells that the store found the condition not to hold, so that it will not be applied later.
        """
        base, rev = transaction.base, transaction.header.rev
        unread: list[UnavailableError] = []
        try:
            current = await self.policy.repeat(lambda: self.load(transaction.item.key), failures=unread)
        except (ShelfError, ValueError) as error:  # ValueError: the storage was closed meanwhile
            raise CommitUnknownError(transaction.item.key, rev) from error
        if current is not None and current.header.descends_from(rev):
            return Revision.of(current) if current.header.rev == rev else Revision(rev)
        # What others have stored since also rules out that the condition ever holds again: no etag comes twice.
        refused = refused or (current and current.etag) != (base and base.etag)
        # A first attempt that was refused has lost, if that was read at once: so many commits take longer.
        took_time = bool(unread) or maybe_applied(failures)
        too_long_ago = took_time and current is not None and current.header.has_forgotten(transaction.header.n)
        # Who looks later than that may find an item whose tombstone was swept, and which began anew.
        forgotten = self.policy.clock() - started > self.policy.deadline_s
        if not refused or forgotten or too_long_ago:
            raise CommitUnknownError(transaction.item.key, rev) from (failures[-1] if failures else None)
        return Lost(current)

    async def _undo(self, transaction: Transaction, fresh: Mapping[str, Claim]) -> None:
        if transaction.is_new:
            await self._discard(transaction.adds, fresh, transaction.header.rev)

    async def _discard(self, entries: Sequence[Key], claims: Mapping[str, Claim], rev: str) -> None:
        """Remove what no item names; what fails is left for a sweep."""
        try:
            if entries:
                await delete_many(self.storage, entries)
            await map_bounded(lambda one: self._claims.give_back(*one, rev), list(claims.items()), self._concurrency)
        except ShelfError as error:
            _log.debug("%d index entries and %d claims are left for a sweep: %s", len(entries), len(claims), error)


def _hindered_by_a_claim(transaction: Transaction, outcome: Revision | Lost) -> bool:
    """Whether a transaction was refused although its item is as it has to be."""
    if isinstance(outcome, Revision) or not transaction.claims:
        return False
    return (outcome.current and outcome.current.etag) == (transaction.base and transaction.base.etag)


def _left_nothing(outcome: Revision | Lost) -> bool:
    """Whether a sweep was faster."""
    return isinstance(outcome, Lost) and outcome.current is None


def _was_beaten_by(outcome: Revision | Lost, rev: str) -> bool:
    """Whether a commit was refused because ``rev`` had arrived."""
    return isinstance(outcome, Lost) and outcome.current is not None and outcome.current.header.descends_from(rev)
