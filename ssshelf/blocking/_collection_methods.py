"""The methods of a blocking Collection; ``tools/blocking_methods.py`` has written them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from ssshelf import collections
from ssshelf._calls import Calls
from ssshelf.collections import PAGE_LIMIT, Keys, Prefix
from ssshelf.covered import Covered
from ssshelf.items import PrimaryKey
from ssshelf.pages import KeyPage, Page

__all__ = ["CollectionMethods"]

T = TypeVar("T")


class CollectionMethods(Generic[T]):
    """What the async Collection can do, for callers that block."""

    _source: collections.Collection[T]
    _calls: Calls

    @property
    def name(self) -> str:
        """The name that the listing is stored under."""
        return self._source.name

    def key(self, item: T) -> Keys:
        """Return where ``item`` is listed.

        One key: a part (str, number, bool, datetime, date, bytes, UUID, ``Desc`` of one) or a tuple of parts, which
        sorts by the first, then the second, and so on. Several keys: a list, set or generator of such, one entry
        each; a list among them counts as a tuple. ``None``, or an iterable without a key: the item is not listed.
        Values of different types never compare by value: 5 and "5" are far apart.
        """
        return self._source.key(item)

    def get_pk(self, item: T) -> PrimaryKey:
        """Return the primary key of ``item``, as the item manager has it; an override has to agree with it."""
        return self._source.get_pk(item)

    def get_items(
        self,
        limit: int = PAGE_LIMIT,
        after: str | None = None,
        *,
        prefix: Prefix | None = None,
        start: Prefix | None = None,
        stop: Prefix | None = None,
        skip_corrupt: bool = False,
    ) -> Page[T]:
        """Return one page of items, in the order of their keys.

        Every row was true at some instant during the call, and an item that was there all the time with its key in
        the window of the page is on it, once for each of its keys. Pages are not a snapshot of each other.

        Args:
            limit: Most rows, 1 to 1000. There may be fewer although more follow; only ``after`` tells.
            after: The ``after`` of the page before; ``None`` reads the first.
            prefix: Leading parts of the keys, each matched whole; one part may stand for itself.
            start: The first key to list, of the parts that follow the prefix.
            stop: The first key not to list any more, likewise.
            skip_corrupt: Leave out what cannot be read, and name it in ``Page.corrupt``.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            InvalidCursorError: ``after`` is of another listing.
            ValueError: ``limit`` is not 1 to 1000.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan, or 1 of each shard at once; then 1 get for each item, as many at a time as the manager's
            ``concurrency``. An item with several rows is read once and deserialized for each, so that no two rows
            share an object.
        """
        return self._calls.call(
            self._source.get_items, limit, after, prefix=prefix, start=start, stop=stop, skip_corrupt=skip_corrupt
        )

    def get_keys(
        self,
        limit: int = PAGE_LIMIT,
        after: str | None = None,
        *,
        prefix: Prefix | None = None,
        start: Prefix | None = None,
        stop: Prefix | None = None,
    ) -> KeyPage:
        """Return one page of primary keys without reading the items.

        The listing is not confirmed by the items. Where the store has no transactions it may name an item under a
        key that a write in progress, or one that crashed, was about to add or to drop.

        Args:
            limit: Most rows, 1 to 1000; there may be fewer although more follow.
            after: The ``after`` of the page before; ``None`` reads the first.
            prefix: Leading parts of the keys, each matched whole; one part may stand for itself.
            start: The first key to list, of the parts that follow the prefix.
            stop: The first key not to list any more, likewise.

        Raises:
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            InvalidCursorError: ``after`` is of another listing.
            ValueError: ``limit`` is not 1 to 1000.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan, or 1 of each shard at once.
        """
        return self._calls.call(self._source.get_keys, limit, after, prefix=prefix, start=start, stop=stop)

    def get_covered(
        self,
        limit: int = PAGE_LIMIT,
        after: str | None = None,
        *,
        prefix: Prefix | None = None,
        start: Prefix | None = None,
        stop: Prefix | None = None,
        skip_corrupt: bool = False,
    ) -> Page[Covered]:
        """Return one page of what the entries of the collection cover, without reading the items.

        Each row is of some version of an item, whole: key and values belong together. Where the store has transactions
        that was the newest when it was listed. Elsewhere, while a write is in progress, or after one crashed and until
        a sweep, an item is also listed under the key that this write adds, although it may never be committed, and
        under the one that it drops; and so is an item that is being added or removed. Under a key that stays, an item
        has one row, with its values before or after the write: where there are two entries, the item is asked.

        Args:
            limit: Most rows, 1 to 1000. There may be fewer although more follow; only ``after`` tells.
            after: The ``after`` of the page before, also of items or keys; ``None`` reads the first.
            prefix: Leading parts of the keys, each matched whole; one part may stand for itself.
            start: The first key to list, of the parts that follow the prefix.
            stop: The first key not to list any more, likewise.
            skip_corrupt: Leave out what has to be read and cannot be, and name it in ``Page.corrupt``.

        Raises:
            CorruptionError: An item has to be read and cannot be, and ``skip_corrupt`` is false.
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            InvalidCursorError: ``after`` is of another listing.
            ValueError: ``limit`` is not 1 to 1000.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan, or 1 of each shard at once. 1 get more for each item whose entry lacks one of ``covers``, as it was
            too large for a name or was written before that was covered, and for each that has two entries for one key.
        """
        return self._calls.call(
            self._source.get_covered, limit, after, prefix=prefix, start=start, stop=stop, skip_corrupt=skip_corrupt
        )

    def iter_covered(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> Iterator[Covered]:
        """Iterate over what the entries whose keys begin with ``parts`` cover, in order; like ``get_covered``.

        The next page is read while this one is consumed, and the one after that is scanned meanwhile: memory holds
        three pages at the most.

        Args:
            parts: Leading parts of the keys, each matched whole.
            start: The first key to list, of the parts that follow.
            stop: The first key not to list any more, likewise.
            skip_corrupt: Leave out what has to be read and cannot be.

        Raises:
            CorruptionError: An item has to be read and cannot be, and ``skip_corrupt`` is false.
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer.

        Cost:
            That of the pages, of 1,000 rows each, or 1,000 of each shard; gets, where they are needed, are at once
            with the next scan.
        """
        return self._calls.pages(self._source._covered_pages(*parts, start=start, stop=stop, skip_corrupt=skip_corrupt))

    def prefix(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> Iterator[T]:
        """Iterate over the items whose keys begin with ``parts``, in order; without parts, over all.

        The next page is read while this one is consumed, and the one after that is scanned meanwhile: memory holds the
        items of two pages and the names of a third at the most. Each page is read some time after it was scanned, so it
        may have more than 200 rows, if items have gained keys.

        Args:
            parts: Leading parts of the keys, each matched whole.
            start: The first key to list, of the parts that follow.
            stop: The first key not to list any more, likewise.
            skip_corrupt: Leave out what cannot be read.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer.

        Cost:
            That of the pages, of 200 items each; only the first scan is waited for, the others are at once with gets.
        """
        return self._calls.pages(self._source._pages(*parts, start=start, stop=stop, skip_corrupt=skip_corrupt))

    def count(self, prefix: Prefix | None = None, *, start: Prefix | None = None, stop: Prefix | None = None) -> int:
        """Return how many entries have keys that begin with ``prefix``; an item counts once for each of its keys.

        Like ``get_keys`` it counts without asking the items.

        Raises:
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan for each 1,000 entries; with shards some more, and at least 1 of each.
        """
        return self._calls.call(self._source.count, prefix, start=start, stop=stop)
