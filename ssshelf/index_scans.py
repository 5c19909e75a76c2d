"""Scans of index entries: which are on a page of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ssshelf.layout import EntryName
from ssshelf.pages import Window
from ssshelf.reader import Reader
from ssshelf.storages.base import MAX_SCAN_ROWS, Scan
from ssshelf.storages.offers import descending_scan

__all__ = ["IndexScans", "Listed"]


@dataclass(frozen=True, slots=True)
class Listed:
    """The entries on a page.

    Attributes:
        names: In the order of the listing, as they were found: their items may not have these keys yet, or any more.
        behind: The position that the page begins behind.
        last: The position that it ends at; ``None`` if no more follow.
        after: The cursor that continues behind it, likewise.
    """

    names: Sequence[EntryName]
    behind: str
    last: str | None
    after: str | None


class IndexScans:
    """Scans the entries of a collection that lie in a window.

    Args:
        reader: Of the manager.
        window: Where they lie.
    """

    def __init__(self, reader: Reader[Any], window: Window) -> None:
        self._storage, self._layout = reader.committer.storage, reader.committer.layout
        self._window = window

    async def page(self, cursor: str | None, limit: int) -> Listed:
        """Return the page of up to ``limit`` entries that begins at a cursor; it is empty only if none are left.

        Cost:
            1 scan.
        """
        behind, begin = self._window.begin(cursor)
        names, last = await self._names(begin, limit)
        return self._listed(names, behind, last)

    async def page_of_keys(self, cursor: str | None, limit: int) -> Listed:
        """Return the same for up to ``limit`` keys of items, and all entries that there are for each of them.

        Cost:
            1 scan.
        """
        # One more than asked for: the last entry may be one of two for its key, of which the other one is behind it.
        listed = await self.page(cursor, min(limit + 1, MAX_SCAN_ROWS))
        ends = {name.position: end for end, name in enumerate(listed.names, 1)}
        whole = len(ends) if listed.last is None else max(1, len(ends) - 1)
        kept = list(ends)[: min(limit, whole)]
        if len(kept) == len(ends):
            return listed
        return self._listed(listed.names[: ends[kept[-1]]], listed.behind, kept[-1])

    def _listed(self, names: Sequence[EntryName], behind: str, last: str | None) -> Listed:
        return Listed(names, behind, last, None if last is None else self._window.cursor(last))

    async def _names(self, begin: str | None, limit: int) -> tuple[list[EntryName], str | None]:
        """Return the entries that begin at a text, and the position that they end at if more follow."""
        names: list[EntryName] = []
        while begin is not None and not names:  # rows that something else wrote may fill a page
            scan = await self._scan(begin, limit)
            names = [name for row in scan.rows if (name := self._layout.parse(row.key)) is not None]
            begin = scan.after
        return names, None if begin is None else names[-1].position

    async def _scan(self, begin: str, limit: int) -> Scan:
        prefix, (after, before) = self._window.prefix, self._window.bounds(begin)
        if self._window.is_descending and (descending := descending_scan(self._storage)) is not None:
            return await descending.scan_descending(prefix, after=after, before=before, limit=limit)
        return await self._storage.scan(prefix, after=after, before=before, limit=limit)
