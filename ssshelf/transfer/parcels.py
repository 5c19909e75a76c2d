"""A parcel: an item on its way from one storage to another, as it was stored."""

from __future__ import annotations

from dataclasses import dataclass

from ssshelf.envelope import Header, unpack
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key

__all__ = ["Parcel"]

_ITEM_PARTS = 3  # "items", the manager, the primary key


@dataclass(frozen=True, slots=True)
class Parcel:
    """An item as it is stored, live or a tombstone.

    Attributes:
        key: The key of the item.
        data: All that is stored under it; bytes that another version wrote are kept as they are.
        header: The header in ``data``.
        body: The document in ``data``.
    """

    key: Key
    data: bytes
    header: Header
    body: bytes

    @property
    def manager(self) -> str:
        """The name of its manager."""
        return str(self.key.parts[1])

    @classmethod
    def unpack(cls, key: Key, data: bytes) -> Parcel:
        """Return the parcel of what is stored under ``key``.

        Raises:
            CorruptionError: It is no item.
        """
        if key.text.count("!/") != _ITEM_PARTS - 1 or key.text[-1:] != "!":
            raise CorruptionError(key, "its name is not that of an item")
        return cls(key, data, *unpack(key, data))
