"""A storage that asks a second time when an answer takes longer than most do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sortedcontainers import SortedList

from ssshelf.errors import UnavailableError
from ssshelf.keys import Key
from ssshelf.storages.base import Entry, Storage
from ssshelf.storages.offers import get_changed
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["HedgedStorage"]

T = TypeVar("T")
_WINDOW = 500
_LEAST_KNOWN = 20
_MOST_SAVED = 10.0


class HedgedStorage(WrapperStorage):
    """Sends a get again, once it takes longer than most gets before it did; the first answer counts.

    Some requests to a distributed store take many times as long as the others, and most of them would not if they were
    sent again. Both are reads that began after the call did, so either answer is as good. The other one is cancelled.

    Args:
        inner: The storage inside, which ``aclose`` closes too.
        quantile: How many of the last 500 gets were answered in less time than is waited.
        extra: Most gets that are sent in addition, as a share of all gets. So where all answers become slow at once,
            the store is not asked twice as much.

    Cost:
        1 get, and another one for at most the share ``extra`` of all.

    Source:
        Dean and Barroso, The Tail at Scale, 2013, on hedged requests.
    """

    def __init__(self, inner: Storage, *, quantile: float = 0.95, extra: float = 0.05) -> None:
        if not 0 < quantile < 1 or not 0 <= extra <= 1:
            msg = f"quantile and extra are shares between 0 and 1, not {quantile} and {extra}"
            raise ValueError(msg)
        super().__init__(inner)
        self._quantile = quantile
        self._extra = extra
        self._allowed = 0.0
        self._last: deque[float] = deque()
        self._sorted: SortedList[float] = SortedList()

    @property
    def patience_s(self) -> float | None:
        """How long an answer is waited for before a get is sent again; ``None`` while too few are known."""
        known = len(self._sorted)
        return float(self._sorted[int(known * self._quantile)]) if known >= _LEAST_KNOWN else None

    async def get(self, key: Key) -> Entry:
        return await self._hedged(lambda: self.inner.get(key))

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        return await self._hedged(lambda: get_changed(self.inner, key, etag))

    async def _hedged(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        clock, patience = asyncio.get_running_loop().time, self.patience_s
        self._allowed = min(_MOST_SAVED, self._allowed + self._extra)
        began = clock()
        try:
            return await (request() if patience is None else self._first(request, patience))
        finally:
            self._note(clock() - began)

    async def _first(self, request: Callable[[], Coroutine[Any, Any, T]], patience: float) -> T:
        attempts = [asyncio.ensure_future(request())]
        try:
            done, _ = await asyncio.wait(attempts, timeout=patience)
            if not done and self._allowed >= 1:
                self._allowed -= 1
                attempts.append(asyncio.ensure_future(request()))
            return (await _first_answer(attempts)).result()
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)  # noqa: TID251  at most two, to their ends

    def _note(self, seconds: float) -> None:
        self._last.append(seconds)
        self._sorted.add(seconds)
        if len(self._last) > _WINDOW:
            self._sorted.remove(self._last.popleft())


async def _first_answer(attempts: list[asyncio.Task[T]]) -> asyncio.Task[T]:
    """Return the first of the attempts that was answered; if none was, the last one that failed."""
    waiting = set(attempts)
    while True:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for attempt in done:
            if not waiting or not isinstance(attempt.exception(), UnavailableError):
                return attempt
