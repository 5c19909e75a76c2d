"""What a storage may offer besides; each is looked for in one place, and done without where it is not offered."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, TypeGuard, TypeVar, runtime_checkable

from ssshelf.keys import Key
from ssshelf.storages.base import MAX_SCAN_ROWS, Entry, Operation, Scan, Storage

__all__ = [
    "AtomicBatch",
    "BatchDelete",
    "ConditionalGet",
    "DescendingScan",
    "Prompt",
    "ReadCache",
    "atomic_batch",
    "delete_many",
    "descending_scan",
    "get_changed",
    "prompt",
    "recall",
]

# mypy: disable-error-code="type-abstract"

P = TypeVar("P")


@runtime_checkable
class AtomicBatch(Protocol):
    """A storage with transactions."""

    @abstractmethod
    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        """Apply all of ``operations``, each key once, or none.

        Returns:
            For each operation the etag that it wrote; ``None`` for a deletion.

        Raises:
            ConflictError: A condition does not hold; nothing was applied.
            UnavailableError: The outcome is unknown: all or nothing.
        """


@runtime_checkable
class BatchDelete(Protocol):
    """A storage that removes many keys with few requests."""

    @abstractmethod
    async def delete_many(self, keys: Sequence[Key]) -> None:
        """Remove all of ``keys``, absent ones included; safe to repeat after an error."""


@runtime_checkable
class DescendingScan(Protocol):
    """A storage that lists from the end, too."""

    @abstractmethod
    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        """Return the last rows under ``prefix``, the last one first.

        Args:
            prefix: As of ``Storage.scan``.
            after: Only keys whose text is greater, as there; the listing ends there.
            before: Only keys whose text is less; ``Scan.after``, given here, continues the listing.
            limit: Most rows, 1 to 1000.
        """


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
class Prompt(Protocol):
    """A storage that those who block can use in their own thread, without an event loop; safe from all threads.

    What it does waits for disks and locks, so it is not for an event loop.
    """

    @abstractmethod
    def get_now(self, key: Key) -> Entry | None:
        """Return what ``get`` would, or ``None`` if that has to be awaited; in a fork, too.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    def put_now(self, key: Key, data: bytes) -> str | None:
        """Do what ``put`` would, or return ``None`` if that has to be awaited; raises what ``put`` does.

        When it is interrupted, it may still be done.
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


def _offers(storage: Storage, offer: type[P]) -> TypeGuard[P]:
    """Whether a storage offers something; its class is asked, since Python remembers the answer."""
    return issubclass(type(storage), offer)


def atomic_batch(storage: Storage) -> AtomicBatch | None:
    """Return ``storage`` as one with transactions, if it has them; its capabilities tell how large they may be."""
    return storage if storage.capabilities.atomic_batch > 1 and _offers(storage, AtomicBatch) else None


async def delete_many(storage: Storage, keys: Sequence[Key]) -> None:
    """Remove ``keys`` with as few requests as the storage allows; they may be absent."""
    if len(keys) > 1 and _offers(storage, BatchDelete):
        await storage.delete_many(keys)
    else:
        for key in keys:
            await storage.delete(key)


def descending_scan(storage: Storage) -> DescendingScan | None:
    """Return ``storage`` as one that lists from the end, if it can."""
    return storage if storage.capabilities.descending_scan and _offers(storage, DescendingScan) else None


async def get_changed(storage: Storage, key: Key, etag: str) -> Entry | None:
    """Return what ``ConditionalGet`` does, also of a storage that always sends all of an entry."""
    if _offers(storage, ConditionalGet):
        return await storage.get_changed(key, etag)
    entry = await storage.get(key)
    return None if entry.etag == etag else entry


def prompt(storage: Storage) -> Prompt | None:
    """Return ``storage`` as one that those who block can use in their own thread, if it may be one."""
    return storage if _offers(storage, Prompt) else None


def recall(storage: Storage, key: Key, etag: str | None = None) -> Entry | None:
    """Return what ``ReadCache`` does; nothing of a storage that remembers nothing."""
    return storage.recall(key, etag) if _offers(storage, ReadCache) else None
