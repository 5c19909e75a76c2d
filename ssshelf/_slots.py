"""One key of a shelf: written only as it was read, and popped by one."""

from __future__ import annotations

import asyncio
import contextlib

from ssshelf._register import Register
from ssshelf._taken import TAKEN, is_taken
from ssshelf.errors import ConflictError, ShelfError
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import Entry, Storage

__all__ = ["Slot"]


class Slot:
    """One key of a shelf. It is empty where there is no entry, and where there is the mark of a pop.

    Args:
        storage: Where the shelf is.
        at: The name of the key.
        policy: How often and how long a request is tried.
    """

    def __init__(self, storage: Storage, at: Key, policy: RetryPolicy) -> None:
        self._storage = storage
        self._at = at
        self._policy = policy
        self._register = Register(storage, at, policy, is_stamped=False)

    async def read(self) -> Entry | None:
        """Return the entry of the value; ``None`` when the slot is empty.

        Cost:
            1 get.
        """
        entry = await self._register.read()
        return None if entry is None or is_taken(entry) else entry

    async def write(self, data: bytes, *, expect: str | None) -> str:
        """Replace the entry with the etag ``expect``, or fill an empty slot if that is ``None``; return the new etag.

        Raises:
            ConflictError, CommitUnknownError, UnavailableError, UnsupportedError: As ``Register.write``.

        Cost:
            1 put; 1 get more when a slot is not empty, and 1 get and 1 put for each mark that was there.
        """
        if expect is not None:
            return await self._register.write(data, expect=expect)
        mark: Entry | None = None
        for pause in self._policy.conflict_pauses():
            await asyncio.sleep(pause)
            try:
                return await self._register.write(data, expect=mark.etag if mark else None)
            except ConflictError:
                mark = await self._register.read()
                if mark is not None and not is_taken(mark):
                    raise
        raise ConflictError(self._at, None, None)

    async def take(self, entry: Entry) -> None:
        """Empty the slot, if ``entry`` is what is in it; of several who do so at the same time one succeeds.

        Where a store also tells those who are late that they have deleted the entry, it is overwritten by the mark,
        which one can do, and then deleted. If that fails, the mark stays: it is in nobody's way. It stays, too, where
        deletions have no conditions, since one without might remove what somebody has just stored.

        Raises:
            ConflictError: Something else is there, or nothing.
            CommitUnknownError, UnavailableError: As ``Register.delete``.
            UnsupportedError: The store ignores all conditions.

        Cost:
            1 deletion; with a mark 1 put more.
        """
        await self._storage.probe(fresh=False)  # so that the capabilities tell what the store really does
        known = self._storage.capabilities
        if known.conditional_delete and known.exclusive_delete:
            await self._register.delete(expect=entry.etag)
            return
        mark = await self._register.write(TAKEN, expect=entry.etag)
        if known.conditional_delete:
            with contextlib.suppress(ShelfError, ValueError):  # ValueError: the storage was closed meanwhile
                await self._register.delete(expect=mark)
