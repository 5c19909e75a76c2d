"""The values that a shelf with ``writeback`` has given out, and whether they were changed since."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from ssshelf._entries import ABSENT
from ssshelf._ranges import ShelfKey
from ssshelf.keys import Key
from ssshelf.serializers import unwrapped
from ssshelf.shelf import Shelf

__all__ = ["Kept", "Reading"]

T = TypeVar("T")
V = TypeVar("V")
_DIGEST_BYTES: Final = 16


@dataclass(slots=True)
class _Change:
    """Keys that were changed at the same time, or all when ``None``, and what was changed next."""

    keys: Collection[Key] | None = ()
    next: _Change | None = None


@dataclass(slots=True)
class Reading:
    """Knows what was changed since it began: of that, what it has read may be out of date."""

    _last: _Change
    _keys: set[Key] = field(default_factory=set)
    _is_all: bool = False

    def is_stale(self, at: Key) -> bool:
        """Whether the value of a key was changed since."""
        while (change := self._last.next) is not None:
            self._last = change
            self._is_all |= change.keys is None
            self._keys.update(change.keys or ())
        return self._is_all or at in self._keys


class Kept(Generic[V]):
    """Values by key, each with the digest of its bytes when it was given out; safe from threads.

    Which keys there are, the storage says; what their values are, this says first. Changes come one after another, each
    of the storage together with that of what is kept; reads do not wait for them.

    Args:
        shelf: Where changed values are written.
        is_on: Whether values are kept at all.
    """

    def __init__(self, shelf: Shelf[V], *, is_on: bool) -> None:
        self._shelf = shelf
        self.is_on = is_on
        # Not that of wrappers: what is encrypted twice looks different each time.
        self._plain = replace(shelf._entries, serializer=unwrapped(shelf._entries.serializer))
        self._values: dict[Key, tuple[V, bytes]] = {}
        self._last = _Change()
        self._lock = threading.Lock()  # never held while anything is awaited, or a serializer runs
        self._changing: AbstractAsyncContextManager[Any] = asyncio.Lock() if is_on else nullcontext()

    def __bool__(self) -> bool:
        return bool(self._values)

    def reading(self) -> Reading:
        """Return what will tell whether a value that is read from now on is still up to date."""
        return Reading(self._last)

    def find(self, at: Key, default: Any = ABSENT) -> V:
        """Return what is kept, or ``default``."""
        value: V = self._values.get(at, (default, b""))[0]
        return value

    def keep(self, at: Key, value: V, reading: Reading) -> V:
        """Return what is kept, after keeping ``value`` if that is nothing; ``ABSENT`` if it is out of date."""
        if not self.is_on:
            return value
        if (kept := self.find(at)) is not ABSENT:
            return kept
        entry = value, self._digest(at, value)
        with self._lock:
            return ABSENT if reading.is_stale(at) else self._values.setdefault(at, entry)[0]

    async def change(self, change: Callable[[], Awaitable[T]]) -> T:
        """Do what changes both the storage and what is kept, while nothing else does."""
        async with self._changing:
            return await change()

    async def store(self, pairs: Iterable[tuple[ShelfKey, V]], write: Callable[[], Awaitable[T]]) -> T:
        """Write values, and keep them."""
        async with self._changing:
            # The digests first: what another thread changes meanwhile has changed since.
            values = {at: (value, self._digest(at, value)) for at, value in self._named(pairs)}
            written = await write()
            self._keep_all(values)
            return written

    def drop(self, keys: Iterable[Key]) -> None:
        """Keep the values of ``keys`` no longer, which were just removed."""
        if self.is_on:
            with self._lock:
                self._note(gone := list(keys))
                for at in gone:
                    self._values.pop(at, None)

    def forget(self) -> None:
        """Keep nothing any more, and write nothing; everything was just removed."""
        with self._lock:
            self._note(None)
            self._values = {}

    async def flush(self) -> None:
        """Write what has changed; then keep nothing any more, but for what was changed again meanwhile.

        If that fails, everything stays kept.
        """
        async with self._changing:
            before = self._values.copy()
            values = {at: (value, self._digest(at, value)) for at, (value, _) in before.items()}
            changed = [at for at, (_, digest) in values.items() if digest != before[at][1]]
            await self._shelf.update((self._plain.names.parts(at), values[at][0]) for at in changed)
            again = {at: kept for at, kept in values.items() if changed and self._digest(at, kept[0]) != kept[1]}
            self.drop(values.keys() - again.keys())
            self._keep_all(again)

    def _named(self, pairs: Iterable[tuple[ShelfKey, V]]) -> Iterable[tuple[Key, V]]:
        return ((self._plain.names.key(key), value) for key, value in pairs) if self.is_on else ()

    def _keep_all(self, values: dict[Key, tuple[V, bytes]]) -> None:
        """Keep what was just written."""
        with self._lock:
            self._note(values)
            self._values.update(values)

    def _note(self, keys: Collection[Key] | None) -> None:
        """Tell those who are reading of a change."""
        self._last.next = change = _Change(keys)
        self._last = change

    def _digest(self, at: Key, value: V) -> bytes:
        data = self._plain.dump(self._plain.names.parts(at), value)
        return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()
