"""What a storage may offer besides; each is looked for in one place, and done without where it is not offered."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, runtime_checkable

from ssshelf.keys import Key
from ssshelf.storages.base import Entry, Storage

__all__ = ["ConditionalGet", "ReadCache", "get_changed", "recall"]


@runtime_checkable
class ConditionalGet(Protocol):
    """A storage that need not send what the caller already has."""

    @abstractmethod
    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        """Return the newest entry under ``key``, or ``None`` if that has the etag ``etag``.

        Raises:
            NotFoundError: There is none.
        """


@runtime_checkable
class ReadCache(Protocol):
    """A storage that remembers what was read from it."""

    @abstractmethod
    def recall(self, key: Key, etag: str | None = None) -> Entry | None:
        """Return an entry that is remembered, or ``None``; sends nothing.

        Args:
            key: The key.
            etag: That of the entry; ``None`` takes any that was the newest one as short a time ago as was agreed.
        """


async def get_changed(storage: Storage, key: Key, etag: str) -> Entry | None:
    """Return what ``ConditionalGet`` does, also of a storage that always sends all of an entry."""
    if isinstance(storage, ConditionalGet):
        return await storage.get_changed(key, etag)
    entry = await storage.get(key)
    return None if entry.etag == etag else entry


def recall(storage: Storage, key: Key, etag: str | None = None) -> Entry | None:
    """Return what ``ReadCache`` does; nothing of a storage that remembers nothing."""
    return storage.recall(key, etag) if isinstance(storage, ReadCache) else None
