"""All items of a manager, in the order of their primary keys: the one listing that needs no index entries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.catalog import Catalog
from ssshelf.errors import CorruptionError
from ssshelf.items import PrimaryKey, primary_key_text
from ssshelf.listings import PAGE_LIMIT, following
from ssshelf.pages import Cursors, Page
from ssshelf.storages.base import Row, check_limit

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
        reader = self._catalog.reader
        items, storage = reader.committer.layout.items, reader.committer.storage
        first, last = self._bounds(start, stop)
        cursors = Cursors(f"{items.text} {first} {last}")
        behind = first if after is None else items.below + cursors.unpack(after)
        scan = await storage.scan(items, after=behind, before=last, limit=limit)
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
        cursor = None if scan.after is None else cursors.pack(scan.after[len(items.below) :])
        return Page(tuple(item for some in found for item in some), cursor, tuple(corrupt))

    async def iter_all(
        self, *, start: PrimaryKey | None = None, stop: PrimaryKey | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[T, None]:
        """Iterate over all items, in the order of their primary keys; the next page is read while this one is consumed.

        Args:
            start: The first primary key to list.
            stop: The first primary key not to list any more.
            skip_corrupt: Leave out what cannot be read.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            UnavailableError: The store did not answer.

        Cost:
            That of the pages, of 200 items each.
        """
        async with contextlib.aclosing(self._all_pages(start=start, stop=stop, skip_corrupt=skip_corrupt)) as pages:
            async for page in pages:
                for item in page:
                    yield item

    def _all_pages(
        self, *, start: PrimaryKey | None = None, stop: PrimaryKey | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[Page[T], None]:
        return following(
            lambda after: self.get_all(PAGE_LIMIT, after, start=start, stop=stop, skip_corrupt=skip_corrupt)
        )

    def _bounds(self, start: PrimaryKey | None, stop: PrimaryKey | None) -> tuple[str | None, str | None]:
        """Return the texts that the names of the items are greater, and less, than."""
        layout = self._catalog.reader.committer.layout
        first = None if start is None else layout.item(primary_key_text(start)).text[:-1]
        return first, None if stop is None else layout.item(primary_key_text(stop)).text
