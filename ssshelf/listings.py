"""Listings: the entries of a collection and the items that they list, read page by page."""

from __future__ import annotations

import contextlib
import copy
from abc import abstractmethod
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.covered import Covered, CoveredRows
from ssshelf.errors import CorruptionError, IncompleteError, UnsupportedError
from ssshelf.index_scans import IndexScans, Listed
from ssshelf.keys import Key, Part, decode
from ssshelf.layout import EntryName
from ssshelf.pages import DescendingWindow, KeyPage, Page, Window, following, parts_of
from ssshelf.reader import Reader
from ssshelf.schema import indexed_versions
from ssshelf.shards import Shards
from ssshelf.storages.base import check_limit
from ssshelf.storages.offers import descending_scan

if TYPE_CHECKING:
    from typing import Self

__all__ = ["PAGE_LIMIT", "Listing", "Prefix"]

T = TypeVar("T")

Prefix: TypeAlias = "Part | tuple[Part, ...] | list[Part]"
"""Leading parts of a key; a single part may stand for itself, but None, which is ``(None,)``."""

PAGE_LIMIT: Final = 200


class Listing(Generic[T]):
    """What can be read of a collection that is bound to its manager."""

    version: int
    covers: tuple[str, ...] = ()
    _reader: Reader[T] | None = None
    _shards: Shards = Shards("", 1)
    _is_complete: bool = False
    _window_type: type[Window] = Window

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that the listing is stored under."""

    def descending(self) -> Self:
        """Return the same collection, listed from its end on: all its methods, but in the reverse order.

        ``start`` and ``stop`` stay what they are, the first key to list and the first one not to, in the order of keys.
        An ``after`` continues the direction that it is of.

        Raises:
            UnsupportedError: The store lists forwards only, as S3 does; it would have to list everything. Declare a
                collection whose key is ``Desc`` of this one's.
        """
        storage = self._bound.committer.storage
        if descending_scan(storage) is None:
            msg = (
                f"{storage!r} lists forwards only: to list {self.name!r} from its end, declare a collection "
                "whose key is Desc(…) of this one's"
            )
            raise UnsupportedError(msg)
        listing = copy.copy(self)
        listing._window_type = DescendingWindow
        return listing

    async def get_items(
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
        check_limit(limit)
        window = self._window(prefix, start, stop)
        listed = await self._scan(window, after, limit)
        rows, corrupt = await self._rows(window, listed, skip_corrupt=skip_corrupt)
        cursor = listed.after
        if len(rows) > limit:  # items have gained keys since the scan
            del rows[limit:]
            cursor = window.cursor(rows[-1][0])
        return Page(tuple(item for _, item in rows), cursor, tuple(corrupt))

    async def get_keys(
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
        check_limit(limit)
        window = self._window(prefix, start, stop)
        listed = await self._scan(window, after, limit)
        found = dict.fromkeys((name.index, name.pk) for name in listed.names)
        pks = tuple(pk for _, text in found if (pk := _decoded(text)) is not None)
        return KeyPage(pks, listed.after)

    async def get_covered(
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
        check_limit(limit)
        listed = await self._scan_keys(self._window(prefix, start, stop), after, limit)
        rows, corrupt = await self._covered_rows(listed, skip_corrupt=skip_corrupt)
        return Page(tuple(rows), listed.after, tuple(corrupt))

    async def iter_covered(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[Covered, None]:
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
        pages = self._covered_pages(*parts, start=start, stop=stop, skip_corrupt=skip_corrupt)
        async with contextlib.aclosing(pages):
            async for page in pages:
                for row in page:
                    yield row

    async def prefix(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[T, None]:
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
        async with contextlib.aclosing(self._pages(*parts, start=start, stop=stop, skip_corrupt=skip_corrupt)) as pages:
            async for page in pages:
                for item in page:
                    yield item

    def _pages(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[list[T], None]:
        window = self._window(_leading(parts), start, stop)

        async def read(listed: Listed) -> list[T]:
            rows, _ = await self._rows(window, listed, skip_corrupt=skip_corrupt)
            return [item for _, item in rows]

        return following(lambda after: self._scan(window, after, PAGE_LIMIT), read)

    def _covered_pages(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[list[Covered], None]:
        window = self._window(_leading(parts), start, stop)

        async def read(listed: Listed) -> list[Covered]:
            return (await self._covered_rows(listed, skip_corrupt=skip_corrupt))[0]

        return following(lambda after: self._scan_keys(window, after, self._shards.most), read)

    async def count(
        self, prefix: Prefix | None = None, *, start: Prefix | None = None, stop: Prefix | None = None
    ) -> int:
        """Return how many entries have keys that begin with ``prefix``; an item counts once for each of its keys.

        Like ``get_keys`` it counts without asking the items.

        Raises:
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan for each 1,000 entries; with shards some more, and at least 1 of each.
        """
        window = self._window(prefix, start, stop)
        found, after = 0, None
        while True:
            listed = await self._scan(window, after, self._shards.most)
            found += len({self._shards.position(name.index, name.pk) for name in listed.names})
            if listed.after is None:
                return found
            after = listed.after

    @property
    def _bound(self) -> Reader[T]:
        if self._reader is None:
            msg = f"collection {self.name!r} is only declared: read it through an instance of its manager"
            raise TypeError(msg)
        return self._reader

    def _window(self, prefix: Prefix | None, start: Prefix | None, stop: Prefix | None) -> Window:
        """Return what a listing is about; ``None`` bounds nothing, the part None is ``(None,)``."""
        first, last = () if start is None else parts_of(start), None if stop is None else parts_of(stop)
        leading = () if prefix is None else parts_of(prefix)
        return self._window_type(self._bound.committer.layout, self._shards.below, leading, first, last)

    async def _scan(self, window: Window, cursor: str | None, limit: int) -> Listed:
        """Return the entries of a page."""
        await self._check_complete()
        return await IndexScans(self._bound, window, self._shards).page(cursor, limit)

    async def _scan_keys(self, window: Window, cursor: str | None, limit: int) -> Listed:
        """Return the entries of a page on which no key lacks one of its own."""
        await self._check_complete()
        return await IndexScans(self._bound, window, self._shards).page_of_keys(cursor, limit)

    async def _check_complete(self) -> None:
        if self.version == 1 or self._is_complete:
            return
        committer = self._bound.committer
        indexed = (await indexed_versions(committer.storage, committer.layout)).get(self.name, 1)
        if indexed < self.version:
            raise IncompleteError(self.name, self.version, indexed)
        self._is_complete = True

    async def _rows(
        self, window: Window, listed: Listed, *, skip_corrupt: bool
    ) -> tuple[list[tuple[str, T]], list[CorruptionError]]:
        """Return the rows of a page with their positions, and the errors of items that cannot be read."""
        reader, layout = self._bound, self._bound.committer.layout
        named: dict[Key, list[EntryName]] = {}
        for name in listed.names:
            named.setdefault(layout.item_of(name.pk), []).append(name)
        rows: list[tuple[str, T]] = []
        corrupt: list[CorruptionError] = []

        async def read(item: Key) -> None:
            try:
                stored = await reader.committer.look(item, listed=named[item])
                if stored is None or not stored.header.live:
                    return
                # Not the entries that were listed but those that the item names: it may have moved within the
                # page since, and then the entry listed is gone and the new one was not there yet.
                positions = [self._shards.position(index, layout.pk_of(item)) for index in stored.header.entries]
                held = [position for position in positions if window.holds(position, listed.behind, listed.last)]
                rows.extend((position, reader.revive(item, stored)) for position in held)
            except CorruptionError as error:
                if not skip_corrupt:
                    raise
                corrupt.append(error)

        await map_bounded(read, list(named), reader.concurrency)
        rows.sort(key=lambda row: row[0], reverse=window.is_descending)
        return rows, corrupt

    async def _covered_rows(self, listed: Listed, *, skip_corrupt: bool) -> tuple[list[Covered], list[CorruptionError]]:
        """Return the rows of a page, and the errors of items that had to be read and cannot be."""
        rows, corrupt = await CoveredRows(self._bound, self.covers, self._shards).read(listed.names)
        if corrupt and not skip_corrupt:
            raise corrupt[0]
        return rows, corrupt


def _leading(parts: tuple[Prefix, ...]) -> tuple[Part, ...]:
    """Return the parts that a caller gave one by one, or as one tuple."""
    return parts_of(parts[0]) if len(parts) == 1 else parts  # type: ignore[return-value]  # of single parts


def _decoded(pk_text: str) -> str | None:
    """Return a primary key, or ``None`` when something else wrote the entry."""
    try:
        return str(decode(f"{pk_text}/")[0])
    except ValueError:
        return None
