"""A storage that answers before the index entries that a write dropped are deleted."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final

from ssshelf.errors import ShelfError
from ssshelf.keys import Key
from ssshelf.storages.base import MAX_SCAN_ROWS, IfMatch, Storage
from ssshelf.storages.offers import delete_many
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["DeferringStorage"]

_log = logging.getLogger(__name__)
_INDEX_ENTRIES: Final = Key("collections").below
_MOST_WAITING = 10 * MAX_SCAN_ROWS


class DeferringStorage(WrapperStorage):
    """Deletes index entries in the background, a thousand with one request, after their deletion was answered.

    A write on S3 that moves a key, and a removal, are one step shorter for it, and many of them delete together. The
    price: what is dropped is there a little longer. No strict reader sees it, since items do not name it any more; but
    ``get_keys`` and ``count`` do, and so does ``verify``, as garbage. What a crash, an event loop that ends, or a store
    that does not answer leaves of it is for a ``sweep``, as ever. Everything else, other deletions too, is done as by
    the storage inside; where that has transactions, nothing is deferred.

    Use it as ``async with DeferringStorage(…) as storage``, or call ``aclose``, which first deletes what waits.

    Args:
        inner: The storage inside, which ``aclose`` closes too.

    Cost:
        1 deletion for up to 1,000 entries. When 10,000 wait, who drops more waits with them.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._waiting: deque[Key] = deque()
        self._deleting: asyncio.Task[None] | None = None

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is None and _is_index_entry(key):
            await self._defer([key])
        else:
            await self.inner.delete(key, condition=condition)

    async def delete_many(self, keys: Sequence[Key]) -> None:
        entries = [key for key in keys if _is_index_entry(key)]
        if len(entries) < len(keys):
            await delete_many(self.inner, [key for key in keys if not _is_index_entry(key)])
        await self._defer(entries)

    async def drain(self) -> None:
        """Wait until everything is deleted that was to be deleted before."""
        if self._deleting is not None and self._deleting.get_loop() is asyncio.get_running_loop():
            await asyncio.wait([self._deleting])
        await self._delete_waiting()  # what another event loop left

    async def aclose(self) -> None:
        await self.drain()
        await self.inner.aclose()

    async def _defer(self, entries: Sequence[Key]) -> None:
        self._waiting.extend(entries)
        if len(self._waiting) > _MOST_WAITING:
            await self.drain()
        elif self._waiting and not self._is_deleting():
            self._deleting = asyncio.create_task(self._delete_waiting())

    def _is_deleting(self) -> bool:
        task = self._deleting
        return task is not None and not task.done() and not task.get_loop().is_closed()

    async def _delete_waiting(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_SCAN_ROWS))]
            try:
                await delete_many(self.inner, batch)
            except ShelfError as error:
                _log.debug("%d index entries are left for a sweep: %s", len(batch), error)


def _is_index_entry(key: Key) -> bool:
    return key.text.startswith(_INDEX_ENTRIES)
