"""What can happen to a request on its way to a bucket, and to the process that sent it."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

__all__ = ["LATE_S", "SHORT_LINEAGE", "Accident", "Fate", "Weather"]

LATE_S = 300.0
SHORT_LINEAGE = 2
"""The life of a signature: how long after it was sent a request may still be applied."""

_KINDS_OF_WEATHER = (0.0, 0.02, 0.06, 0.12, 0.25)


class Fate(enum.Enum):
    """What happens to a request."""

    ANSWERED = "answered"
    UNSENT = "unsent"
    """No connection: ``UnavailableError`` that says so; the bucket knows nothing of it."""
    LOST = "lost"
    """``UnavailableError``; it was not applied, which the sender cannot know."""
    ANSWER_LOST = "answer lost"
    """``UnavailableError``, but it was applied."""
    DELAYED = "delayed"
    """``UnavailableError``, and it is applied later, at most ``LATE_S`` after it was sent."""
    TWICE = "applied twice"
    """Something on the way repeats it: it is applied now and again later; the answer is that of either."""
    BUSY = "answered 503"
    """``UnavailableError``: SlowDown; it was not applied, which the sender cannot know."""
    RACED = "answered 409"
    """``UnavailableError``: another conditional write was under way; it was applied, or was not."""


_WRITES = (Fate.UNSENT, Fate.LOST, Fate.ANSWER_LOST, Fate.DELAYED, Fate.DELAYED, Fate.TWICE, Fate.BUSY)
_CONDITIONAL_WRITES = (*_WRITES, Fate.ANSWER_LOST, Fate.RACED)
_TRANSACTIONS = tuple(fate for fate in _CONDITIONAL_WRITES if fate is not Fate.TWICE)  # they carry a token
_READS = (Fate.UNSENT, Fate.LOST, Fate.BUSY)


@dataclass(frozen=True)
class Accident:
    """What happens to a process: ``delay_s`` after the request with this number it crashes, or sleeps ``sleep_s``."""

    number: int
    delay_s: float
    sleep_s: float | None


class Weather:
    """Draws what happens, of ``dice``; how much of it differs from schedule to schedule.

    Args:
        dice: Decide all.
        late: Whether processes often sleep, and commits are often delayed.
    """

    def __init__(self, dice: random.Random, *, late: bool) -> None:
        self._late = late
        self._dice = dice
        self._draw = dice.random
        self.rate = dice.choice(_KINDS_OF_WEATHER)
        self.pace_s = dice.choice((0.02, 0.2, 1.0))

    def fate(self, kind: str, *, conditional: bool) -> Fate:
        """Draw what happens to a request."""
        if self._draw() >= self.rate:
            return Fate.ANSWERED
        if self._late and conditional:
            return Fate.DELAYED
        if kind == "commit":
            return self._dice.choice(_TRANSACTIONS)
        if kind in ("get", "scan"):
            return self._dice.choice(_READS)
        return self._dice.choice(_CONDITIONAL_WRITES if conditional else _WRITES)

    def travel_s(self) -> float:
        """Draw how long a request, or an answer, is under way."""
        draw = self._draw()
        return self.pace_s * draw * (10 if draw > 0.95 else 1)

    def timeout_s(self) -> float:
        """Draw how long the sender waits for an answer that does not come."""
        return self._dice.choice((0.1, 1.0, 10.0)) * self._draw()

    def late_s(self) -> float:
        """Draw when a delayed request is applied: often soon, while its sender repeats it, sometimes at the last."""
        return float(LATE_S * self._draw() ** self._dice.choice((1, 4, 8)))

    def chance(self, of: float) -> bool:
        """Draw whether something happens that happens in so many cases."""
        return self._draw() < of

    def accident(self) -> Accident | None:
        """Draw what happens to a process."""
        draw = self._draw()
        if not self.rate or draw > (0.8 if self._late else 0.3):
            return None
        sleep_s = None if draw < 0.2 else self._dice.uniform(1, 2 * LATE_S)
        return Accident(self._dice.randrange(16), self._dice.choice((0, 1, 1)) * self.travel_s(), sleep_s)
