"""The values that a shelf with ``writeback`` has given out, and whether they were changed since."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, Final, Generic, TypeVar

from ssshelf.keys import Key
from ssshelf.serializers import unwrapped
from ssshelf.shelf import Shelf

__all__ = ["ABSENT", "Kept"]

V = TypeVar("V")
ABSENT: Final[Any] = object()
_DIGEST_BYTES = 16


class Kept(Generic[V]):
    """Values by key, each with the digest of its bytes when it was given out; safe from threads.

    Which keys there are, the storage says; what their values are, this says first.

    Args:
        shelf: Where changed values are written.
        is_on: Whether values are kept at all.
    """

    def __init__(self, shelf: Shelf[V], *, is_on: bool) -> None:
        self._shelf = shelf
        self._is_on = is_on
        # Not that of wrappers: what is encrypted twice looks different each time.
        self._plain = replace(shelf._entries, serializer=unwrapped(shelf._entries.serializer))
        self._values: dict[Key, tuple[V, bytes]] = {}

    def find(self, at: Key) -> V:
        """Return what is kept, or ``ABSENT``."""
        value: V = self._values.get(at, (ABSENT, b""))[0]
        return value

    def keep(self, at: Key, value: V) -> V:
        """Return what is kept, after keeping ``value`` if that is nothing."""
        if not self._is_on:
            return value
        kept = self._values.get(at) or self._values.setdefault(at, (value, self._digest(at, value)))
        return kept[0]

    def put(self, at: Key, value: V) -> None:
        """Keep ``value``, which was just written."""
        if self._is_on:
            self._values[at] = value, self._digest(at, value)

    def take(self, at: Key, value: V) -> V:
        """Return what is kept instead of ``value``, and keep it no longer."""
        return self._values.pop(at, (value, b""))[0]

    def forget(self) -> None:
        """Keep nothing any more, and write nothing."""
        self._values = {}

    async def flush(self) -> None:
        """Write what has changed; then keep nothing any more. What could not be written stays kept."""
        values, self._values = self._values, {}
        try:
            await self._shelf.update(
                (self._plain.names.parts(at), value)
                for at, (value, digest) in values.items()
                if self._digest(at, value) != digest
            )
        except BaseException:
            self._values = values | self._values
            raise

    def _digest(self, at: Key, value: V) -> bytes:
        data = self._plain.dump(self._plain.names.parts(at), value)
        return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
