"""The methods of a blocking CManager; ``tools/blocking_methods.py`` has written them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from ssshelf import managers
from ssshelf._calls import Calls
from ssshelf.collections import PAGE_LIMIT
from ssshelf.drafts import Revision
from ssshelf.items import PrimaryKey
from ssshelf.maintenance import Reindexed, Report, Swept
from ssshelf.pages import Page

__all__ = ["CManagerMethods"]

T = TypeVar("T")


class CManagerMethods(Generic[T]):
    """What the async CManager can do, for callers that block."""

    _source: managers.CManager[T]
    _calls: Calls

    def add_item(self, item: T) -> Revision:
        """Create the item, or replace the one with its primary key, and return its revision.

        Of concurrent writers the last one wins, whole: item and listings always agree.

        Raises:
            CommitUnknownError: It may or may not have been written; adding again is safe.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            ConflictError: Others kept being faster.
            UnavailableError: The store does not answer; nothing was written.
            TypeError, ValueError: The item has no primary key, or cannot be serialized or listed; nothing was sent.

        Cost:
            1 get; a put for each new index entry and unique value, at once; 1 put; 1 deletion if entries were dropped,
            1 get and 1 deletion for each unique value given up. With transactions, 1 commit; if there was an item, 2
            and 1 get. On SQLite, 1 get and 1 commit.
        """
        return self._calls.call(self._source.add_item, item)

    def insert_item(self, item: T) -> Revision:
        """Create the item and return its revision; of concurrent inserts exactly one succeeds.

        Raises:
            AlreadyExistsError: There is an item with its primary key; nothing was written.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            CommitUnknownError: It may or may not have been written.
            UnavailableError: The store does not answer; nothing was written.
            TypeError, ValueError: The item has no primary key, or cannot be serialized or listed; nothing was sent.

        Cost:
            A put for each index entry and unique value, at once; then 1 put. With transactions, 1 commit. More when an
            item with this primary key was removed before.
        """
        return self._calls.call(self._source.insert_item, item)

    def replace_item(self, item: T, *, expect: str) -> Revision:
        """Replace the item if it still has the revision ``expect``, and return its new one.

        Args:
            item: The new item.
            expect: What a write, or ``get_revision``, returned; its plain text serves too.

        Raises:
            ConflictError: It has another revision, or is gone; nothing was written.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            CommitUnknownError: It may or may not have been written.
            UnavailableError: The store does not answer; nothing was written.
            TypeError, ValueError: The item has no primary key, or cannot be serialized or listed; nothing was sent.

        Cost:
            That of ``add_item``, without the get when ``expect`` is the very object that a write returned.
        """
        return self._calls.call(self._source.replace_item, item, expect=expect)

    def update_item(self, pk: PrimaryKey, fn: Callable[[T], T | Awaitable[T | None] | None]) -> Revision:
        """Read the item, change it, write it; again from the start when somebody else was faster.

        Args:
            pk: The primary key.
            fn: Returns the changed item, or changes it in place and returns ``None``. It may be called several
                times, each time with a fresh item, and may be a coroutine function.

        Raises:
            NotFoundError: There is no such item.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            ConflictError: Others kept being faster.
            CommitUnknownError: It may or may not have been written.
            UnavailableError: The store does not answer; nothing was written.
            ValueError: ``fn`` changed the primary key; nothing was written.

        Cost:
            1 get and 1 put when no index key changes; else that of ``add_item``.
        """
        return self._calls.call(self._source.update_item, pk, fn)

    def remove_item(self, item_or_pk: T | PrimaryKey) -> bool:
        """Remove an item from the shelf and all its collections.

        Args:
            item_or_pk: The item, of which only the primary key is used, or its primary key.

        Returns:
            Whether there was one.

        Raises:
            CommitUnknownError: It may or may not have been removed; removing again is safe.
            ConflictError: Others kept being faster.
            UnavailableError: The store does not answer; nothing was removed.

        Cost:
            1 get, 1 put, and 1 deletion of its index entries if it has any; 1 get and 1 deletion for each of its unique
            values. With transactions, 1 get, 1 more for each unique value, and 1 commit.
        """
        return self._calls.call(self._source.remove_item, item_or_pk)

    def get_item(self, pk: PrimaryKey) -> T:
        """Return the item with this primary key.

        Raises:
            NotFoundError: There is none.
            CorruptionError: It cannot be read.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get.
        """
        return self._calls.call(self._source.get_item, pk)

    def find_item(self, pk: PrimaryKey) -> T | None:
        """Return the item with this primary key, or ``None``; otherwise like ``get_item``."""
        return self._calls.call(self._source.find_item, pk)

    def get_revision(self, pk: PrimaryKey) -> tuple[T, Revision]:
        """Return the item with this primary key and its revision, for a later ``replace_item``; like ``get_item``."""
        return self._calls.call(self._source.get_revision, pk)

    def was_committed(self, pk: PrimaryKey, rev: str) -> bool:
        """Return whether the write that was to give an item the revision ``rev`` was done.

        It answers what a ``CommitUnknownError`` left open. ``False`` is for good: the write will not be done later
        either. Ask within the hour, before a sweep forgets removed items.

        Args:
            pk: The primary key.
            rev: ``CommitUnknownError.rev``, or what a write returned.

        Raises:
            CommitUnknownError: It may still be done, since nobody has written the item in the meantime; or so many
                have that nobody can tell. Writing the item again settles it.
            UnavailableError: The store did not answer; safe to repeat.
            ValueError: ``rev`` is no revision.

        Cost:
            1 get.
        """
        return self._calls.call(self._source.was_committed, pk, rev)

    def get_items(self, pks: Iterable[PrimaryKey]) -> list[T]:
        """Return the items with these primary keys, in their order.

        Raises:
            NotFoundError: There is none with one of them.
            CorruptionError: One cannot be read.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get for each, as many at a time as ``concurrency``.
        """
        return list(chain.from_iterable(self._calls.in_batches(self._source.get_items, pks)))

    def add_items(self, items: Iterable[T]) -> int:
        """Add items as ``add_item`` does, many at a time; of several with one primary key the last one stays.

        After the first failure no further item is begun. Each item is written whole or not at all; adding them all
        again is safe.

        Args:
            items: As many as you like, also of a generator: memory does not grow with their number.

        Returns:
            How many items were written.
        """
        return sum(self._calls.in_batches(self._source.add_items, items))

    def remove_items(self, items_or_pks: Iterable[T | PrimaryKey]) -> int:
        """Remove items as ``remove_item`` does, many at a time, and return how many there were."""
        return sum(self._calls.in_batches(self._source.remove_items, items_or_pks))

    def get_all(
        self,
        limit: int = PAGE_LIMIT,
        after: str | None = None,
        *,
        start: PrimaryKey | None = None,
        stop: PrimaryKey | None = None,
        skip_corrupt: bool = False,
    ) -> Page[T]:
        """Return one page of all items, in the order of their primary keys.

        Args:
            limit: Most rows, 1 to 1000. There may be fewer although more follow; only ``after`` tells.
            after: The ``after`` of the page before; ``None`` reads the first.
            start: The first primary key to list.
            stop: The first primary key not to list any more.
            skip_corrupt: Leave out what cannot be read, and name it in ``Page.corrupt``.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            InvalidCursorError: ``after`` is of another listing.
            ValueError: ``limit`` is not 1 to 1000.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan, then 1 get for each item, and for each that was removed and not swept yet. With a ``CachedStorage``
            there are none for those that are still what was read before, as the scan tells.
        """
        return self._calls.call(self._source.get_all, limit, after, start=start, stop=stop, skip_corrupt=skip_corrupt)

    def iter_all(
        self, *, start: PrimaryKey | None = None, stop: PrimaryKey | None = None, skip_corrupt: bool = False
    ) -> Iterator[T]:
        """Iterate over all items, in the order of their primary keys.

        The next page is read while this one is consumed, and the one after that is scanned meanwhile: memory holds the
        items of two pages and the names of a third at the most.

        Args:
            start: The first primary key to list.
            stop: The first primary key not to list any more.
            skip_corrupt: Leave out what cannot be read.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            UnavailableError: The store did not answer.

        Cost:
            That of the pages, of 200 items each; only the first scan is waited for, the others are at once with gets.
        """
        return self._calls.pages(self._source._all_pages(start=start, stop=stop, skip_corrupt=skip_corrupt))

    def sweep(self, *, grace_s: float | None = None, progress: Report | None = None) -> Swept:
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
        return self._calls.call(self._source.sweep, grace_s=grace_s, progress=progress)

    def reindex(self, *, force: bool = False, progress: Report | None = None) -> Reindexed:
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
        return self._calls.call(self._source.reindex, force=force, progress=progress)
