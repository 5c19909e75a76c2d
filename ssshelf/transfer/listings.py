"""Two listings side by side: which entries are the same here and there, without reading any."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence

from ssshelf.keys import Key
from ssshelf.storages.base import Row, Storage, scan_pages

__all__ = ["SideBySide", "same_content"]

_MD5 = re.compile(r"[0-9a-f]{32}")


class SideBySide:
    """One walk along what two storages have under a prefix, in key order and in memory that does not grow.

    Args:
        source: Whose entries are walked along.
        destination: What they are compared with.
        prefix: What the entries are under, in both.
        after: The key text behind which to begin.

    Attributes:
        only_there: How many entries the destination has and the source has not, as far as the walk has come.
    """

    def __init__(self, source: Storage, destination: Storage, prefix: Key, after: str = "") -> None:
        self._source = source
        self._destination = destination
        self._prefix = prefix
        self._start = after or None
        self._next: str | None = after
        self._page: Sequence[Row] = ()
        self.only_there = 0

    async def pairs(self) -> AsyncIterator[list[tuple[Row, Row | None]]]:
        """Yield up to 1,000 entries of the source at a time, each with what the destination has under its key.

        Cost:
            1 scan of each storage for each 1,000 entries that it has.
        """
        async for rows in scan_pages(self._source, self._prefix, self._start):
            there = await self._up_to(rows[-1].key.text, {row.key.text for row in rows})
            yield [(row, there.get(row.key.text)) for row in rows]
        await self._up_to("~", set())

    async def _up_to(self, last: str, wanted: set[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        while await self._has_more() and self._page[0].key.text <= last:
            end = bisect_right(self._page, last, key=lambda row: row.key.text)
            found |= {row.key.text: row for row in self._page[:end] if row.key.text in wanted}
            self.only_there += sum(row.key.text not in wanted for row in self._page[:end])
            self._page = self._page[end:]
        return found

    async def _has_more(self) -> bool:
        while not self._page and self._next is not None:
            scan = await self._destination.scan(self._prefix, after=self._next or None)
            self._page, self._next = scan.rows, scan.after
        return bool(self._page)


def same_content(one: Row, other: Row) -> bool:
    """Whether the etags of two entries tell that they have the same bytes: where they are the MD5 of those."""
    return one.etag == other.etag and one.etag is not None and _MD5.fullmatch(one.etag) is not None
