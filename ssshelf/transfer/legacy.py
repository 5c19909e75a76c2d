"""What ssshelf 0.1 stored, read as it is: items, and listings that may be wrong.

::

    items/{manager}/{pk}                              an item, as the program serialized it
    collections/{collection}/{part}/…/{pk}            an empty entry

Parts are quoted as in a URL's query. A collection does not say whose items it lists. Its entries outlive items that a
program removed or changed, if it crashed, or gave another key than before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus

from ssshelf.keys import Key
from ssshelf.storages.base import Row, Storage, scan_pages

__all__ = ["LegacyBucket", "LegacyEntry", "LegacyItem"]

_ITEMS, _COLLECTIONS = "items", "collections"


@dataclass(frozen=True, slots=True)
class LegacyItem:
    """An item that is listed under this key of its storage."""

    pk: str
    row: Row


@dataclass(frozen=True, slots=True)
class LegacyEntry:
    """An entry of a collection."""

    pk: str
    parts: tuple[str, ...]


class LegacyBucket:
    """Reads what a program with ssshelf 0.1 has stored; writes nothing.

    Args:
        storage: The bucket. Names of 0.1 are no k1 keys, but a key takes any text.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    async def managers(self) -> list[str]:
        """Return the names of the item managers.

        Cost:
            1 scan of a single row for each, and 1.
        """
        return [name async for name in self._names(_ITEMS)]

    async def collections(self) -> list[str]:
        """Return the names of the collections; like ``managers``."""
        return [name async for name in self._names(_COLLECTIONS)]

    async def items(self, manager: str, after: str | None = None) -> AsyncIterator[list[LegacyItem]]:
        """Yield the items of a manager, behind a key text, in the order of their names.

        Cost:
            1 scan for each 1,000.
        """
        prefix = _prefix(_ITEMS, manager)
        async for rows in scan_pages(self.storage, prefix, after):
            names = ((row, row.key.text[len(prefix.below) :]) for row in rows)
            if items := [LegacyItem(unquote_plus(name), row) for row, name in names if "/" not in name]:
                yield items

    async def entries(self, collection: str) -> AsyncIterator[list[LegacyEntry]]:
        """Yield the entries of a collection; like ``items``."""
        prefix = _prefix(_COLLECTIONS, collection)
        async for rows in scan_pages(self.storage, prefix):
            names = (row.key.text[len(prefix.below) :].split("/") for row in rows)
            yield [LegacyEntry(unquote_plus(pk), tuple(map(unquote_plus, parts))) for *parts, pk in names if parts]

    async def _names(self, kind: str) -> AsyncIterator[str]:
        """Yield the parts that follow the first one, by skipping what is below each."""
        prefix = Key.from_text(kind)
        after: str | None = ""
        while after is not None:
            scan = await self.storage.scan(prefix, after=after or None, limit=1)
            after = scan.after
            for row in scan.rows:
                quoted, slash, _ = row.key.text[len(prefix.below) :].partition("/")
                after = after and f"{prefix.below}{quoted}0"  # "0" follows "/"
                if slash:
                    yield unquote_plus(quoted)


def _prefix(kind: str, name: str) -> Key:
    return Key.from_text(f"{kind}/{quote_plus(name)}")
