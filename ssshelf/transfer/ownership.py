"""Whose items the entries of 0.1 list: they name a primary key, and no manager."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from ssshelf.errors import KeyTooLongError
from ssshelf.keys import Key, Part
from ssshelf.storages.base import Put, scan_pages
from ssshelf.storages.sqlite import SQLiteStorage
from ssshelf.transfer.legacy import LegacyEntry, LegacyItem

__all__ = ["Ownership"]


class Ownership:
    """Finds the items that entries list, by primary key, in a file of its own, so that memory does not grow.

    Args:
        storage: The file.
        assigned: The manager of each collection, where that is known.

    Attributes:
        entries: How many entries there are.
        too_long: How many of them are not kept, since no storage has room for their names.
        dangling: How many list no item; known after ``check``.
    """

    def __init__(self, storage: SQLiteStorage, assigned: Mapping[str, str]) -> None:
        self._storage = storage
        self._assigned = assigned
        self.entries = 0
        self.too_long = 0
        self.dangling = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, assigned: Mapping[str, str]) -> AsyncIterator[Ownership]:
        """Open an empty one, which is gone at the end."""
        folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="ssshelf-")
        try:
            async with SQLiteStorage(Path(folder.name, "ownership.db")) as storage:
                yield cls(storage, assigned)
        finally:
            await asyncio.to_thread(folder.cleanup)

    async def add_items(self, manager: str, items: Iterable[LegacyItem]) -> None:
        """Note that a manager has these items."""
        await self._put(("items", item.pk, manager) for item in items)

    async def add_entries(self, collection: str, entries: Iterable[LegacyEntry]) -> None:
        """Note that a collection has these entries."""
        count, kept = await self._put(("entries", entry.pk, collection, *entry.parts) for entry in entries)
        self.entries += count
        self.too_long += count - kept

    async def check(self, undeclared: AbstractSet[str]) -> None:
        """Find the manager of each entry.

        Args:
            undeclared: The managers whose items are to be listed where the entries say.

        Raises:
            ValueError: One of these, and another one, have an item of the primary key that an entry names.
        """
        ambiguous: dict[str, set[str]] = {}
        async for rows in scan_pages(self._storage, Key("entries")):
            for row in rows:
                _, pk, collection, *_ = row.key.parts
                owners = await self._owners(str(pk), str(collection))
                self.dangling += not owners
                if len(owners) > 1 and undeclared & set(owners):
                    ambiguous.setdefault(str(collection), set()).update(owners)
        if ambiguous:
            which = "; ".join(f"{name} those of {' or '.join(sorted(of))}" for name, of in sorted(ambiguous.items()))
            msg = f"several managers have items of the same primary keys, so say whose a collection lists: {which}"
            raise ValueError(msg)

    async def indexes(self, manager: str, pk: str) -> frozenset[str]:
        """Return where an item is listed: collection and index key, as k1 text."""
        prefix = Key("entries", pk)
        indexes = [
            row.key.text[len(prefix.below) :] async for rows in scan_pages(self._storage, prefix) for row in rows
        ]
        of = {index: str(Key.from_text(index).parts[0]) for index in indexes}
        return frozenset(index for index in indexes if self._assigned.get(of[index], manager) == manager)

    async def _owners(self, pk: str, collection: str) -> list[str]:
        scan = await self._storage.scan(Key("items", pk))
        owners = [str(row.key.parts[-1]) for row in scan.rows]
        assigned = self._assigned.get(collection)
        return owners if assigned is None else [owner for owner in owners if owner == assigned]

    async def _put(self, names: Iterable[tuple[Part, ...]]) -> tuple[int, int]:
        """Keep names; return how many there were, and how many fit."""
        count = 0
        puts: dict[Key, Put] = {}
        for parts in names:
            count += 1
            key = Key(*parts)
            with contextlib.suppress(KeyTooLongError):
                self._storage.capabilities.check_key(key)
                puts[key] = Put(key, b"")
        await self._storage.commit(list(puts.values()))
        return count, len(puts)
