"""A storage that keeps in memory what was read from it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from weakref import WeakKeyDictionary

from ssshelf.errors import NotFoundError
from ssshelf.keys import Key
from ssshelf.retries import uptime_s
from ssshelf.storages._shared_task import SharedTask
from ssshelf.storages.base import Condition, Entry, IfMatch, Operation, Storage
from ssshelf.storages.offers import get_changed
from ssshelf.storages.wrapper import WrapperStorage

try:
    from cachetools import LRUCache
except ModuleNotFoundError as error:
    msg = "CachedStorage needs cachetools: pip install 'ssshelf[cache]'"
    raise ModuleNotFoundError(msg, name=error.name) from error

__all__ = ["CachedStorage"]

_ROW_BYTES = 600
"""What an entry takes in memory besides its key and its data, about."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """An entry, and when the request began by which it was last seen to be the newest one."""

    entry: Entry
    since: float
    size_bytes: int


class _Flight:
    """One request for the newest entry, on which any number of callers wait.

    Args:
        before: The one under way, whose end it waits for.

    Attributes:
        began: When it was sent; ``None`` before.
        is_overtaken: Whether a write was under way meanwhile, so that who comes later must not see its answer.
        answer: Returns the answer.
    """

    answer: SharedTask[Entry]

    def __init__(self, before: _Flight | None) -> None:
        self.before = before
        self.began: float | None = None
        self.is_overtaken = False

    def serves(self, oldest: float) -> bool:
        """Return whether its answer is true for a caller who takes none from before ``oldest``."""
        if self.answer.is_given_up:
            return False
        return self.began is None or (self.began >= oldest and not self.is_overtaken)

    async def begin(self, now: Callable[[], float]) -> None:
        """Wait for the one before it."""
        if self.before is not None:
            await self.before.answer.ended()
            self.before = None
        self.began, self.is_overtaken = now(), False


class CachedStorage(WrapperStorage):
    """Keeps entries in memory, no more than so many bytes; those that were not used for longest go first.

    ``get`` always asks the store, so it is as true as without a cache; a store with conditional gets, as S3, does not
    send again what is kept. One get of a key is under way at a time; those that are called meanwhile share the next
    one.

    With ``max_age_s``, managers show what the store held at most that long ago, without asking it; what they write they
    start from the newest. What was written through this object is seen at once.

    Args:
        inner: The storage inside, which ``aclose`` closes too.
        max_bytes: Most bytes of memory for what is kept, about.
        max_age_s: How old may be what is shown.
        clock: Seconds that go on while the machine sleeps.

    Cost:
        1 get for each ``get`` that shares none.
    """

    def __init__(
        self,
        inner: Storage,
        *,
        max_bytes: int = 64 * 2**20,
        max_age_s: float = 0.0,
        clock: Callable[[], float] = uptime_s,
    ) -> None:
        if max_bytes < 0 or max_age_s < 0:
            msg = f"max_bytes and max_age_s cannot be negative: {max_bytes}, {max_age_s}"
            raise ValueError(msg)
        super().__init__(inner)
        self._max_age_s = max_age_s
        self._clock = clock
        self._kept: LRUCache[Key, _Kept] = LRUCache(max_bytes, getsizeof=attrgetter("size_bytes"))
        self._of_loops: MutableMapping[asyncio.AbstractEventLoop, dict[Key, _Flight]] = WeakKeyDictionary()

    @property
    def kept_bytes(self) -> int:
        """How much memory is used for what is kept, about."""
        return int(self._kept.currsize)

    async def get(self, key: Key) -> Entry:
        called = self._clock()
        flights = self._of_loops.setdefault(asyncio.get_running_loop(), {})
        flight = flights.get(key)
        if flight is None or not flight.serves(called):
            flight = flights[key] = _Flight(flight)
            flight.answer = SharedTask(self._fly(key, flight, flights))
        return await flight.answer.wait()

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        entry = await self.get(key)
        return None if entry.etag == etag else entry

    def recall(self, key: Key, etag: str | None = None) -> Entry | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if etag is not None:
            return kept.entry if kept.entry.etag == etag else None
        is_recent = self._max_age_s and self._clock() - kept.since <= self._max_age_s
        return kept.entry if is_recent else None

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        with self._changing([key]):
            return await super().put(key, data, condition=condition)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        with self._changing([key]):
            await super().delete(key, condition=condition)

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        with self._changing([operation.key for operation in operations]):
            return await super().commit(operations)

    async def delete_many(self, keys: Sequence[Key]) -> None:
        with self._changing(keys):
            await super().delete_many(keys)

    async def _fly(self, key: Key, flight: _Flight, flights: dict[Key, _Flight]) -> Entry:
        try:
            await flight.begin(self._clock)
            entry = await self._newest(key)
        except NotFoundError:
            self._kept.pop(key, None)
            raise
        else:
            self._keep(key, entry, flight)
            return entry
        finally:
            if flights.get(key) is flight:
                del flights[key]

    async def _newest(self, key: Key) -> Entry:
        kept = self._kept.get(key)
        if kept is None:
            return await self.inner.get(key)
        return await get_changed(self.inner, key, kept.entry.etag) or kept.entry

    def _keep(self, key: Key, entry: Entry, flight: _Flight) -> None:
        size_bytes = _ROW_BYTES + len(key.text) + len(entry.data)
        self._kept.pop(key, None)
        if not flight.is_overtaken and size_bytes <= self._kept.maxsize:
            self._kept[key] = _Kept(entry, flight.began or 0.0, size_bytes)

    @contextlib.contextmanager
    def _changing(self, keys: Sequence[Key]) -> Iterator[None]:
        """Forget what is known of ``keys``, and what is read while they change."""
        self._forget(keys)
        try:
            yield
        finally:
            self._forget(keys)

    def _forget(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self._kept.pop(key, None)
            for flights in list(self._of_loops.values()):
                flight = flights.get(key)
                while flight is not None:
                    flight.is_overtaken = True
                    flight = flight.before
