"""One entry, replaced or removed only as it was read; what became of a request is found out, not guessed.

While its outcome is unknown a conditional request is repeated as it is: an attempt that arrives once another one was
applied is refused, however late. When one is refused then, or none is answered, an entry that has something of its
writer's own tells: it is as it was to be, or nobody can say any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ssshelf.errors import CommitUnknownError, NotFoundError, ShelfError, UnavailableError
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy, maybe_applied
from ssshelf.storages.base import Entry, IfAbsent, IfMatch, Storage, content_etag

__all__ = ["Register"]

_NO_ETAG = ""


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of a storage.

    After an attempt without an answer, what another writer did cannot be told from the same done by this one, unless
    each writer puts something of its own into the entry.

    Attributes:
        storage: Where it is.
        key: Under which key.
        policy: How often and how long a request is tried.
        is_stamped: Whether equal bytes, or none, are those of this writer. Otherwise nothing can be found out after an
            attempt without an answer, unless a later one is applied.
    """

    storage: Storage
    key: Key
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    is_stamped: bool = True

    async def read(self) -> Entry | None:
        """Return the entry; ``None`` when there is none.

        Cost:
            1 get.
        """
        try:
            return await self.storage.get(self.key)
        except NotFoundError:
            return None

    async def write(self, data: bytes, *, expect: str | None) -> str:
        """Replace the entry with the etag ``expect``, or create it if that is ``None``, and return the new etag.

        Raises:
            ConflictError: Another entry is there, or none; nothing was written.
            CommitUnknownError: The store did not say, and may still do it; or somebody has written since.
            UnavailableError: The store does not answer; nothing was written.
            UnsupportedError: The store ignores conditions.

        Cost:
            1 put; after an attempt without an answer 1 more, and 1 get if entries are stamped.
        """
        condition = IfAbsent() if expect is None else IfMatch(expect)
        return await self._apply(lambda: self.storage.put(self.key, data, condition=condition), data)

    async def delete(self, *, expect: str) -> None:
        """Remove the entry with the etag ``expect``.

        Raises:
            ConflictError: Another entry is there, or none; nothing was removed.
            CommitUnknownError: The store did not say, and may still do it; or somebody has written since.
            UnavailableError: The store does not answer; nothing was removed.
            UnsupportedError: The store ignores conditions of deletions, as ``conditional_delete`` tells.

        Cost:
            1 deletion; after an attempt without an answer 1 more, and 1 get if entries are stamped.
        """

        async def delete() -> str:
            await self.storage.delete(self.key, condition=IfMatch(expect))
            return _NO_ETAG

        await self._apply(delete, None)

    async def _apply(self, send: Callable[[], Awaitable[str]], wanted: bytes | None) -> str:
        """Send a conditional request until its outcome is known; return the etag of what is there then."""
        failures: list[UnavailableError] = []
        try:
            return await self.policy.repeat(send, failures=failures)
        except Exception as error:
            if not maybe_applied(failures):
                raise
            return await self._look_for(wanted, error)

    async def _look_for(self, wanted: bytes | None, failure: Exception) -> str:
        """Return the etag of what is there after ``failure``, if it is what was wanted."""
        unknown = CommitUnknownError(self.key, content_etag(wanted) if wanted is not None else "")
        if not self.is_stamped:
            raise unknown from failure
        try:
            entry = await self.policy.repeat(self.read)
        except (ShelfError, ValueError):  # ValueError: the storage was closed meanwhile
            raise unknown from failure
        if (entry.data if entry else None) != wanted:
            raise unknown from failure
        return entry.etag if entry else _NO_ETAG
