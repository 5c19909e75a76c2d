"""Listings: the entries of a collection and the items that they list, read page by page."""

from __future__ import annotations

import contextlib
import copy
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from ssshelf._concurrency import map_bounded, read_ahead
from ssshelf.covered import Covered, CoveredRows
from ssshelf.errors import CorruptionError, IncompleteError, UnsupportedError
from ssshelf.keys import Key, Part, decode
from ssshelf.layout import EntryName, position_of
from ssshelf.pages import DescendingWindow, KeyPage, Page, Window, parts_of
from ssshelf.reader import Reader
from ssshelf.schema import indexed_versions
from ssshelf.storages.base import MAX_SCAN_ROWS, Scan, check_limit
from ssshelf.storages.offers import descending_scan

if TYPE_CHECKING:
    from typing import Self

__all__ = ["PAGE_LIMIT", "Listing", "Prefix", "following"]

T = TypeVar("T")
R = TypeVar("R")

Prefix: TypeAlias = "Part | tuple[Part, ...] | list[Part]"
"""Leading parts of a key; a single part may stand for itself, but None, which is ``(None,)``."""

PAGE_LIMIT: Final = 200


class Listing(Generic[T]):
    """What can be read of a collection that is bound to its manager."""

    version: int
    covers: tuple[str, ...] = ()
    _reader: Reader[T] | None = None
    _below: str = ""
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
            1 scan, then 1 get for each item, as many at a time as the manager's ``concurrency``. An item with several
            rows is read once and deserialized for each, so that no two rows share an object.
        """
        window = self._window(prefix, start, stop)
        return await self._read_page(window, after, limit, skip_corrupt=skip_corrupt)

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
            1 scan.
        """
        window = self._window(prefix, start, stop)
        names, last = await self._scan(window, after, limit)
        found = dict.fromkeys((name.index, name.pk) for name in names)
        pks = tuple(pk for _, text in found if (pk := _decoded(text)) is not None)
        return KeyPage(pks, None if last is None else window.cursor(last))

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
            1 scan. 1 get more for each item whose entry lacks one of ``covers``, as it was too large for a name or was
            written before that was covered, and for each that has two entries for one key.
        """
        window = self._window(prefix, start, stop)
        return await self._read_covered(window, after, limit, skip_corrupt=skip_corrupt)

    async def iter_covered(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[Covered, None]:
        """Iterate over what the entries whose keys begin with ``parts`` cover, in order; like ``get_covered``.

        The next page is read while this one is consumed.

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
            That of the pages, of 1,000 rows each.
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

        The next page is read while this one is consumed; memory holds two pages at the most.

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
            That of the pages, of 200 items each.
        """
        async with contextlib.aclosing(self._pages(*parts, start=start, stop=stop, skip_corrupt=skip_corrupt)) as pages:
            async for page in pages:
                for item in page:
                    yield item

    def _pages(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[Page[T], None]:
        window = self._window(_leading(parts), start, stop)
        return following(lambda after: self._read_page(window, after, PAGE_LIMIT, skip_corrupt=skip_corrupt))

    def _covered_pages(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[Page[Covered], None]:
        window = self._window(_leading(parts), start, stop)
        return following(lambda after: self._read_covered(window, after, MAX_SCAN_ROWS, skip_corrupt=skip_corrupt))

    async def count(
        self, prefix: Prefix | None = None, *, start: Prefix | None = None, stop: Prefix | None = None
    ) -> int:
        """Return how many entries have keys that begin with ``prefix``; an item counts once for each of its keys.

        Like ``get_keys`` it counts without asking the items.

        Raises:
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan for each 1,000 entries.
        """
        window = self._window(prefix, start, stop)
        found, after = 0, None
        while True:
            names, last = await self._scan(window, after, MAX_SCAN_ROWS)
            found += len({name.position for name in names})
            if last is None:
                return found
            after = window.cursor(last)

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
        return self._window_type(self._bound.committer.layout, self._below, leading, first, last)

    async def _scan(self, window: Window, cursor: str | None, limit: int) -> tuple[list[EntryName], str | None]:
        """Return the entries of a page, and the position that it ends at if more follow."""
        check_limit(limit)
        committer = self._bound.committer
        if self.version > 1 and not self._is_complete:
            await self._check_complete()
        begin: str | None = window.begin(cursor)[1]
        names: list[EntryName] = []
        while begin is not None and not names:  # rows that something else wrote may fill a page
            scan = await self._scan_from(window, begin, limit)
            names = [name for row in scan.rows if (name := committer.layout.parse(row.key)) is not None]
            begin = scan.after
        return names, None if begin is None else names[-1].position

    async def _scan_from(self, window: Window, begin: str, limit: int) -> Scan:
        storage = self._bound.committer.storage
        after, before = window.bounds(begin)
        if window.is_descending and (descending := descending_scan(storage)) is not None:
            return await descending.scan_descending(window.prefix, after=after, before=before, limit=limit)
        return await storage.scan(window.prefix, after=after, before=before, limit=limit)

    async def _check_complete(self) -> None:
        committer = self._bound.committer
        indexed = (await indexed_versions(committer.storage, committer.layout)).get(self.name, 1)
        if indexed < self.version:
            raise IncompleteError(self.name, self.version, indexed)
        self._is_complete = True

    async def _read_page(self, window: Window, cursor: str | None, limit: int, *, skip_corrupt: bool) -> Page[T]:
        reader, layout = self._bound, self._bound.committer.layout
        behind, _ = window.begin(cursor)
        names, last = await self._scan(window, cursor, limit)
        listed: dict[Key, list[EntryName]] = {}
        for name in names:
            listed.setdefault(layout.item_of(name.pk), []).append(name)
        rows: list[tuple[str, T]] = []
        corrupt: list[CorruptionError] = []

        async def read(item: Key) -> None:
            try:
                stored = await reader.committer.look(item, listed=listed[item])
                if stored is None or not stored.header.live:
                    return
                # Not the entries that were listed but those that the item names: it may have moved within the
                # page since, and then the entry listed is gone and the new one was not there yet.
                positions = [position_of(index, layout.pk_of(item)) for index in stored.header.entries]
                held = [position for position in positions if window.holds(position, behind, last)]
                rows.extend((position, reader.revive(item, stored)) for position in held)
            except CorruptionError as error:
                if not skip_corrupt:
                    raise
                corrupt.append(error)

        await map_bounded(read, list(listed), reader.concurrency)
        rows.sort(key=lambda row: row[0], reverse=window.is_descending)
        if len(rows) > limit:  # items have gained keys since the scan
            del rows[limit:]
            last = rows[-1][0]
        after = None if last is None else window.cursor(last)
        return Page(tuple(item for _, item in rows), after, tuple(corrupt))

    async def _read_covered(
        self, window: Window, cursor: str | None, limit: int, *, skip_corrupt: bool
    ) -> Page[Covered]:
        check_limit(limit)
        # One more than asked for: the last entry may be one of two for its key, of which the other one is behind it.
        names, last = await self._scan(window, cursor, min(limit + 1, MAX_SCAN_ROWS))
        groups: dict[str, list[EntryName]] = {}
        for name in names:
            groups.setdefault(name.position, []).append(name)
        whole = len(groups) if last is None else max(1, len(groups) - 1)
        kept = list(groups)[: min(limit, whole)]
        rows, corrupt = await CoveredRows(self._bound, self.covers).read([groups[position] for position in kept])
        if corrupt and not skip_corrupt:
            raise corrupt[0]
        more = last is not None or len(kept) < len(groups)
        return Page(tuple(rows), window.cursor(kept[-1]) if more else None, tuple(corrupt))


def _leading(parts: tuple[Prefix, ...]) -> tuple[Part, ...]:
    """Return the parts that a caller gave one by one, or as one tuple."""
    return parts_of(parts[0]) if len(parts) == 1 else parts  # type: ignore[return-value]  # of single parts


def following(read: Callable[[str | None], Awaitable[Page[R]]]) -> AsyncGenerator[Page[R], None]:
    """Yield page after page, each while the next one is read."""

    async def pages() -> AsyncGenerator[Page[R], None]:
        after: str | None = ""
        while after is not None:
            yield (page := await read(after or None))
            after = page.after

    return read_ahead(pages())


def _decoded(pk_text: str) -> str | None:
    """Return a primary key, or ``None`` when something else wrote the entry."""
    try:
        return str(decode(f"{pk_text}/")[0])
    except ValueError:
        return None
