"""Scans of index entries: which are on a page of a collection, whichever shards they are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from ssshelf._concurrency import map_bounded
from ssshelf.keys import Key
from ssshelf.layout import EntryName
from ssshelf.pages import Window
from ssshelf.reader import Reader
from ssshelf.shards import Shards
from ssshelf.storages.base import Scan
from ssshelf.storages.offers import descending_scan

__all__ = ["IndexScans", "Listed"]

Found: TypeAlias = tuple[list[EntryName], str | None]
"""Entries in the order of a listing, and the position that they end at if more follow."""


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
        window: Where they lie; it knows nothing of shards.
        shards: Of the collection.
    """

    def __init__(self, reader: Reader[Any], window: Window, shards: Shards) -> None:
        self._storage, self._layout = reader.committer.storage, reader.committer.layout
        self._concurrency = reader.concurrency
        self._window = window
        self._shards = shards
        self._head = len(self._layout.text(shards.below))  # where the shard stands in a name

    async def page(self, cursor: str | None, limit: int) -> Listed:
        """Return the page of up to ``limit`` entries that begins at a cursor; it is empty only if none are left.

        Cost:
            1 scan of each shard, at once.
        """
        behind, begin = self._window.begin(cursor)
        share = self._shards.share(limit)
        found = await map_bounded(lambda shard: self._names(shard, begin, share), self._shards.parts, self._concurrency)
        names, last = self._merged(found, behind, limit) if len(found) > 1 else found[0]
        return self._listed(names, behind, last)

    async def page_of_keys(self, cursor: str | None, limit: int) -> Listed:
        """Return the same for up to ``limit`` keys of items, and all entries that there are for each of them.

        Cost:
            1 scan of each shard, at once.
        """
        # One more than asked for: the last entry may be one of two for its key, of which the other one is behind it.
        listed = await self.page(cursor, min(limit + 1, self._shards.most))
        ends = {self._position(name): end for end, name in enumerate(listed.names, 1)}
        whole = len(ends) if listed.last is None else max(1, len(ends) - 1)
        kept = list(ends)[: min(limit, whole)]
        if len(kept) == len(ends):
            return listed
        return self._listed(listed.names[: ends[kept[-1]]], listed.behind, kept[-1])

    def _listed(self, names: Sequence[EntryName], behind: str, last: str | None) -> Listed:
        return Listed(names, behind, last, None if last is None else self._window.cursor(last))

    def _position(self, name: EntryName) -> str:
        return self._shards.position(name.index, name.pk)

    def _merged(self, found: Sequence[Found], behind: str, limit: int) -> Found:
        """Return what one scan of all shards would have found, as far as each of them is known."""
        is_descending = self._window.is_descending
        placed = [(self._position(name), name) for names, _ in found for name in names]
        placed.sort(key=itemgetter(0), reverse=is_descending)
        ends = [last for _, last in found if last is not None]
        last = (max if is_descending else min)(ends) if ends else None
        placed = [(position, name) for position, name in placed if self._window.holds(position, behind, last)]
        if len(placed) > limit:
            del placed[limit:]
            last = placed[-1][0]
        return [name for _, name in placed], last

    async def _names(self, shard: str, begin: str | None, limit: int) -> Found:
        """Return the entries in a shard that begin at a text, and the position that they end at if more follow."""
        names: list[EntryName] = []
        while begin is not None and not names:  # rows that something else wrote may fill a page
            scan = await self._scan(shard, begin, limit)
            names = [name for row in scan.rows if (name := self._layout.parse(row.key)) is not None]
            begin = None if scan.after is None else scan.after[: self._head] + scan.after[self._head + len(shard) :]
        return names, None if begin is None else self._position(names[-1])

    async def _scan(self, shard: str, begin: str, limit: int) -> Scan:
        prefix = Key.from_text(self._within(shard, self._window.prefix.below)[:-1])
        after, before = (None if text is None else self._within(shard, text) for text in self._window.bounds(begin))
        if self._window.is_descending and (descending := descending_scan(self._storage)) is not None:
            return await descending.scan_descending(prefix, after=after, before=before, limit=limit)
        return await self._storage.scan(prefix, after=after, before=before, limit=limit)

    def _within(self, shard: str, text: str) -> str:
        """Return what a text in the order of the window is in that of a shard."""
        return text[: self._head] + shard + text[self._head :]
