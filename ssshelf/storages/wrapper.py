"""A storage around a storage; what concerns every request is added as one of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssshelf.errors import UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import MAX_SCAN_ROWS, Capabilities, Condition, Entry, IfMatch, Operation, Scan, Storage
from ssshelf.storages.offers import atomic_batch, delete_many, descending_scan, get_changed, recall

if TYPE_CHECKING:
    from ssshelf.storages.probe import Probe

__all__ = ["WrapperStorage"]


class WrapperStorage(Storage):
    """Does what the storage inside does; the base of storages that add something to it.

    It offers transactions, batch deletions, descending listings, conditional gets and a cache when that does; no
    ``Prompt``, which would go past what a subclass does about gets.

    Args:
        inner: The storage inside, which ``aclose`` closes too.
    """

    def __init__(self, inner: Storage) -> None:
        self.inner = inner

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def get(self, key: Key) -> Entry:
        return await self.inner.get(key)

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        return await get_changed(self.inner, key, etag)

    def recall(self, key: Key, etag: str | None = None) -> Entry | None:
        return recall(self.inner, key, etag)

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await self.inner.put(key, data, condition=condition)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await self.inner.delete(key, condition=condition)

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return await self.inner.scan(prefix, after=after, before=before, limit=limit)

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        descending = descending_scan(self.inner)
        if descending is None:
            msg = f"{self.inner!r} lists forwards only"
            raise UnsupportedError(msg)
        return await descending.scan_descending(prefix, after=after, before=before, limit=limit)

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        batch = atomic_batch(self.inner)
        if batch is None:
            msg = f"{self.inner!r} has no transactions"
            raise UnsupportedError(msg)
        return await batch.commit(operations)

    async def delete_many(self, keys: Sequence[Key]) -> None:
        await delete_many(self.inner, keys)

    async def probe(self, *, fresh: bool = True) -> Probe:
        return await self.inner.probe(fresh=fresh)

    async def aclose(self) -> None:
        await self.inner.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"
