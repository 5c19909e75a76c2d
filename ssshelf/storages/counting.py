"""A storage that counts what it is asked for: how tests and users find out what an operation costs."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from ssshelf.keys import Key
from ssshelf.storages.base import MAX_SCAN_ROWS, Condition, Entry, IfMatch, Operation, Scan, Storage
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["CountingStorage"]


class CountingStorage(WrapperStorage):
    """Counts requests by kind, and how many had to wait for one another.

    Args:
        inner: The storage inside, which ``aclose`` closes too.

    Attributes:
        counts: Requests by kind: get, put, delete, scan, commit, delete_many.
        steps: The longest chain of requests of which each was made after the one before was answered. It is what
            an operation costs in round trips; requests that are under way together count once.
        most_at_once: Most requests under way at any time.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._under_way = 0
        self._resets = 0
        self.reset()

    def reset(self) -> None:
        """Count from zero again."""
        self.counts: Counter[str] = Counter()
        self.steps = 0
        self.most_at_once = self._under_way
        self._resets += 1

    @property
    def total(self) -> int:
        """Requests of all kinds."""
        return self.counts.total()

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        return f"{kinds or 'no requests'} in {self.steps} {'step' if self.steps == 1 else 'steps'}"

    async def get(self, key: Key) -> Entry:
        async with self._counted("get"):
            return await super().get(key)

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        async with self._counted("get"):
            return await super().get_changed(key, etag)

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        async with self._counted("put"):
            return await super().put(key, data, condition=condition)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        async with self._counted("delete"):
            await super().delete(key, condition=condition)

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        async with self._counted("scan"):
            return await super().scan(prefix, after=after, before=before, limit=limit)

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        async with self._counted("scan"):
            return await super().scan_descending(prefix, after=after, before=before, limit=limit)

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        async with self._counted("commit"):
            return await super().commit(operations)

    async def delete_many(self, keys: Sequence[Key]) -> None:
        async with self._counted("delete_many"):
            await super().delete_many(keys)

    @contextlib.asynccontextmanager
    async def _counted(self, kind: str) -> AsyncIterator[None]:
        self.counts[kind] += 1
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        step, resets = self.steps + 1, self._resets  # it may depend on any request that was answered
        try:
            await asyncio.sleep(0)  # for requests that are made together to be under way together on any storage
            yield
        finally:
            self._under_way -= 1
            if resets == self._resets:
                self.steps = max(self.steps, step)
