"""Rows of covering collections: what index entries tell by themselves, and items that have to be asked instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.covers import pack_cover, unpack_cover, values_of
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key, Leaf, Part, decode
from ssshelf.layout import EntryName
from ssshelf.reader import Reader
from ssshelf.shards import Shards

__all__ = ["Covered", "CoveredRows"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Covered:
    """What a collection tells of an item without reading it.

    Attributes:
        pk: The primary key.
        key: The parts of the key that the item is listed under; numbers and dates as ``decode`` has them.
        values: What the collection covers, by name. A mapping that has no such key covers ``None``.
    """

    pk: str
    key: tuple[Part, ...]
    values: Mapping[str, Any]


class CoveredRows(Generic[T]):
    """Reads what entries cover.

    Args:
        reader: Of the manager.
        names: Of the values.
        shards: Of the collection.
    """

    def __init__(self, reader: Reader[T], names: Collection[str], shards: Shards) -> None:
        self._reader = reader
        self._names = names
        self._shards = shards

    async def read(self, names: Iterable[EntryName]) -> tuple[list[Covered], list[CorruptionError]]:
        """Return the rows of entries, one for all entries for the same key of the same item.

        Where there are several, or one that lacks a value, the item tells, if it still names that key.

        Returns:
            The rows, and the errors of items that had to be read and cannot be.

        Cost:
            1 get for each item that has to be asked.
        """
        groups: dict[str, list[EntryName]] = {}
        for name in names:
            groups.setdefault(self._position(name), []).append(name)
        rows = {group[0]: self._row(group[0], self._carried(group)) for group in groups.values()}
        asked: dict[str, list[EntryName]] = {}
        for name in [name for name, row in rows.items() if row is None]:
            asked.setdefault(name.pk, []).append(name)
        corrupt: list[CorruptionError] = []

        async def ask(pk: str) -> None:
            try:
                rows.update(await self._answers(self._reader.committer.layout.item_of(pk), asked[pk]))
            except CorruptionError as error:
                corrupt.append(error)

        await map_bounded(ask, list(asked), self._reader.concurrency)
        return [row for row in rows.values() if row is not None], corrupt

    def _carried(self, group: Sequence[EntryName]) -> dict[str, Any] | None:
        """Return the values in the name of an entry; ``None`` if it lacks any, or is not the only one for its key."""
        if len(group) > 1:
            return None
        carried = unpack_cover(group[0].cover)
        if not all(name in carried for name in self._names):
            return None
        return {name: carried[name] for name in self._names}

    async def _answers(self, item: Key, asked: Sequence[EntryName]) -> dict[EntryName, Covered | None]:
        """Return the rows that an item has for those of some entries whose keys it names."""
        stored = await self._reader.committer.load(item)
        held = [] if stored is None else [name for name in asked if name.index in stored.header.entries]
        if stored is None or not held:
            return {}
        values = values_of(self._reader.revive(item, stored), self._names)
        # As an entry would give them back, each row its own.
        return {name: self._row(name, unpack_cover(pack_cover(values))) for name in held}

    def _row(self, name: EntryName, values: dict[str, Any] | None) -> Covered | None:
        """Return the row of an entry; ``None`` without values, or when something else wrote that."""
        if values is None:
            return None
        try:
            _, *key, leaf = decode(self._position(name))
        except ValueError:
            return None
        return Covered(leaf.value, tuple(key), values) if isinstance(leaf, Leaf) else None

    def _position(self, name: EntryName) -> str:
        return self._shards.position(name.index, name.pk)
