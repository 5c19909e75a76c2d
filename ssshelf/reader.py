"""Reader: what the collections of a manager read with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from ssshelf.commit import Committer
from ssshelf.envelope import Stored
from ssshelf.errors import CorruptionError
from ssshelf.items import IManager
from ssshelf.keys import Key

__all__ = ["Reader"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """What the collections of one manager read with.

    Attributes:
        committer: Reads items.
        items: Makes them of bytes.
        concurrency: How many items of a page are read at a time.
    """

    committer: Committer
    items: IManager[T]
    concurrency: int

    def revive(self, key: Key, stored: Stored) -> T:
        """Return the item that is stored under ``key``.

        Raises:
            CorruptionError: ``deserialize_item`` cannot make one of the document.
        """
        try:
            return self.items.deserialize_item(stored.body)
        except Exception as error:
            reason = f"deserialize_item of {self.items.name} raised {type(error).__name__}"
            raise CorruptionError(key, reason) from error
