"""Trying again: how often, and how long to wait in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from ssshelf.errors import UnavailableError

__all__ = ["Backoff"]

T = TypeVar("T")
_MOST_DOUBLINGS = 32


@dataclass(frozen=True)
class Backoff:
    """A bounded number of attempts with exponentially growing, fully jittered pauses between them.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Attributes:
        attempts: How often to try in all, the first time included.
        base_s: The longest pause after the first attempt; it doubles with each further one.
        cap_s: The longest pause of all.
        dice: Draws the pauses.
    """

    attempts: int = 5
    base_s: float = 0.05
    cap_s: float = 2.0
    dice: random.Random = field(default_factory=random.SystemRandom, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            msg = f"attempts must be at least 1, not {self.attempts}"
            raise ValueError(msg)

    def pauses(self) -> Iterator[float]:
        """Yield, for each attempt, the seconds to wait before it; 0 for the first."""
        yield 0.0
        for attempt in range(self.attempts - 1):
            yield self.dice.uniform(0, min(self.cap_s, self.base_s * 2 ** min(attempt, _MOST_DOUBLINGS)))

    async def repeat(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return what ``request``, which must be safe to repeat, returns in the end.

        Raises:
            UnavailableError: That of the last attempt; it may have been applied if any of them may.
        """
        failures: list[UnavailableError] = []
        for pause in self.pauses():
            if pause:
                await asyncio.sleep(pause)
            try:
                return await request()
            except UnavailableError as error:
                failures.append(error)
        last = failures[-1]
        raise UnavailableError(last.reason, any(failure.maybe_applied for failure in failures)) from last
