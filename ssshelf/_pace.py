"""How many requests at once a store takes: fewer when it refuses, more while it does not."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import ContextVar

__all__ = ["Pace", "is_bulk", "rest", "slow_down"]

_LONGEST_WAIT_S = 1.0


class _Place:
    """What runs at a pace."""

    __slots__ = ("is_resting", "number", "pace")

    def __init__(self, pace: Pace, number: int) -> None:
        self.pace = pace
        self.number = number
        self.is_resting = False


class Pace:
    """A bound that adapts to the store: it halves when that refuses, and grows by one with each round trip.

    It starts at its most, so that a store which takes everything is never slower for it. Of what runs at once, all that
    is refused halves it once: it is told of one overload by many. What was refused gives its place to others until it
    is tried again. Use it as ``async with pace`` around what may send requests; ``RetryPolicy.repeat``, which sees
    them refused, finds the pace by the context that it runs in.

    Args:
        most: Its size at the beginning, and most of all.

    Attributes:
        size: How many may run at once; the fraction waits to become one more.

    Source: https://www.rfc-editor.org/rfc/rfc5681#section-3.1, congestion avoidance.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = float(most)
        self._running = 0
        self._begun = 0
        self._halved_at = 0
        self._spoken_for = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._outer = _place.get()

    async def __aenter__(self) -> None:
        if self._is_full:
            await self._turn(first=False)
        else:
            self._begin()
        _place.set(_Place(self, self._begun))

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _place.set(self._outer)
        if kind is None:
            self.size = min(self.most, self.size + 1 / self.size)
        self._leave()

    async def rest(self, place: _Place, pause_s: float) -> None:
        """Let others run for ``pause_s``, and until there is room again, but not much longer."""
        if place.is_resting:  # another request of the same place
            await asyncio.sleep(pause_s)
            return
        place.is_resting = True
        self._leave()
        try:
            await asyncio.sleep(pause_s)
            await self._come_back()
            place.number = self._begun
        except BaseException:
            self._running += 1  # what ends now leaves once more
            raise
        finally:
            place.is_resting = False

    async def _come_back(self) -> None:
        """Wait for room, but not for long: all who run may be waiting for this one."""
        if not self._is_full:
            self._begin()
            return
        try:
            async with asyncio.timeout(_LONGEST_WAIT_S):
                await self._turn(first=True)
        except TimeoutError:
            self._begin()

    def refuse(self, place: _Place) -> bool:
        """Halve it, unless what was refused was begun before it was halved the last time.

        Returns:
            Whether that is news: not of what ran at the same time as something else that was refused.
        """
        if place.number > self._halved_at:
            self._spoken_for = self.size - 1
            self.size = max(1.0, self.size / 2)
            self._halved_at = self._begun
            return True
        self._spoken_for -= 1
        return self._spoken_for < 0

    @property
    def _is_full(self) -> bool:
        return bool(self._waiting) or self._running + 1 > self.size

    async def _turn(self, *, first: bool) -> None:
        """Wait to be let in, before all others or behind them."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.insert(0 if first else len(self._waiting), turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was let in at the same time
                self._leave()
            raise

    def _leave(self) -> None:
        self._running -= 1
        while self._waiting and self._running + 1 <= self.size:
            turn = self._waiting.popleft()
            if not turn.done():
                self._begin()
                turn.set_result(None)

    def _begin(self) -> None:
        self._running += 1
        self._begun += 1


_place: ContextVar[_Place | None] = ContextVar("ssshelf-pace", default=None)


def is_bulk() -> bool:
    """Return whether the caller is part of a bulk call."""
    return _place.get() is not None


def slow_down() -> bool:
    """Have the paces that the caller runs at slow down, since a request was refused.

    Returns:
        Whether nobody has told of it yet: of what a bulk call has sent at once, the first refusal speaks for all.
    """
    place, is_news = _place.get(), True
    while place is not None:
        is_news = place.pace.refuse(place) and is_news
        place = place.pace._outer
    return is_news


async def rest(pause_s: float) -> None:
    """Wait before a request that was refused is repeated; meanwhile others of the same bulk call have its place."""
    place = _place.get()
    if place is not None:
        await place.pace.rest(place, pause_s)
    elif pause_s:
        await asyncio.sleep(pause_s)
