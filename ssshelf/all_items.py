"""All items of a manager, in the order of their primary keys: the one listing that needs no index entries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.catalog import Catalog
from ssshelf.errors import CorruptionError
from ssshelf.items import PrimaryKey, primary_key_text
from ssshelf.listings import PAGE_LIMIT
from ssshelf.pages import Cursors, Page, following
from ssshelf.storages.base import Row, Scan, check_limit

__all__ = ["AllItems"]

T = TypeVar("T")


class AllItems(Generic[T]):
    """What a manager can list without a collection."""

    _catalog: Catalog[T]

    async def get_all(
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
        check_limit(limit)
        items, bounds = self._catalog.reader.committer.layout.items, self._bounds(start, stop)
        cursors = Cursors(f"{items.text} {bounds[0]} {bounds[1]}")
        scan = await self._scan_all(None if after is None else items.below + cursors.unpack(after), bounds, limit)
        found, corrupt = await self._read_all(scan, skip_corrupt=skip_corrupt)
        cursor = None if scan.after is None else cursors.pack(scan.after[len(items.below) :])
        return Page(tuple(found), cursor, tuple(corrupt))

    async def iter_all(
        self, *, start: PrimaryKey | None = None, stop: PrimaryKey | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[T, None]:
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
        async with contextlib.aclosing(self._all_pages(start=start, stop=stop, skip_corrupt=skip_corrupt)) as pages:
            async for page in pages:
                for item in page:
                    yield item

    def _all_pages(
        self, *, start: PrimaryKey | None = None, stop: PrimaryKey | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[list[T], None]:
        bounds = self._bounds(start, stop)

        async def read(scan: Scan) -> list[T]:
            return (await self._read_all(scan, skip_corrupt=skip_corrupt))[0]

        return following(lambda after: self._scan_all(after, bounds, PAGE_LIMIT), read)

    async def _scan_all(self, after: str | None, bounds: tuple[str | None, str | None], limit: int) -> Scan:
        """Return the names of the items between ``bounds`` that follow ``after``."""
        committer = self._catalog.reader.committer
        first, last = bounds
        return await committer.storage.scan(committer.layout.items, after=after or first, before=last, limit=limit)

    async def _read_all(self, scan: Scan, *, skip_corrupt: bool) -> tuple[list[T], list[CorruptionError]]:
        """Return the items that a scan has named, and the errors of those that cannot be read."""
        reader = self._catalog.reader
        corrupt: list[CorruptionError] = []

        async def read(row: Row) -> list[T]:
            try:
                stored = await reader.committer.look(row.key, etag=row.etag)
                return [reader.revive(row.key, stored)] if stored is not None and stored.header.live else []
            except CorruptionError as error:
                if not skip_corrupt:
                    raise
                corrupt.append(error)
                return []

        found = await map_bounded(read, scan.rows, reader.concurrency)
        return [item for some in found for item in some], corrupt

    def _bounds(self, start: PrimaryKey | None, stop: PrimaryKey | None) -> tuple[str | None, str | None]:
        """Return the texts that the names of the items are greater, and less, than."""
        layout = self._catalog.reader.committer.layout
        first = None if start is None else layout.item(primary_key_text(start)).text[:-1]
        return first, None if stop is None else layout.item(primary_key_text(stop)).text
