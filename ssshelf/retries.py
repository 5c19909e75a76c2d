"""Trying again: how often, how long to wait in between, and when to give up."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from ssshelf._pace import rest, slow_down
from ssshelf.errors import ConflictError, UnavailableError

__all__ = ["RetryBudget", "RetryPolicy", "maybe_applied", "uptime_s"]

T = TypeVar("T")
_MOST_DOUBLINGS = 32
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)


def uptime_s() -> float:
    """Return the seconds since boot; where the system can tell, those it slept are counted too.

    An entry may be swept once its writer must have given up, so a writer whose machine slept has to notice.
    """
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class _Dice(random.Random):
    """Draws that no other process repeats, without a system call for each, during which SQLite's threads compete."""

    def getrandbits(self, k: int) -> int:
        return (super().getrandbits(k) + time.time_ns()) % (1 << k)


_dice = _Dice()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_dice.seed)


@dataclass
class RetryBudget:
    """How many repetitions a store that is down is bothered with: a bucket of tokens.

    A repetition takes ``cost`` tokens and is not made when there are fewer. A success brings ``refund`` back, or
    ``cost`` when it was a repetition itself. So while nothing succeeds, all calls together make at most
    ``capacity // cost`` repetitions, and then one attempt each; while most succeeds, a budget is never felt. Of what a
    bulk call has sent at once, the first repetition pays for all, so it makes at most twice its ``concurrency`` more.

    The rule and the numbers are those of the AWS SDKs' standard mode.
    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html

    Attributes:
        capacity: Most tokens there are, and those at the beginning.
        cost: Tokens that a repetition takes.
        refund: Tokens that a success at the first attempt brings back.
    """

    capacity: float = 500
    cost: float = 5
    refund: float = 1
    tokens: float = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.tokens = self.capacity

    def take(self) -> bool:
        """Take the tokens for a repetition, if there are enough."""
        if self.tokens < self.cost:
            return False
        self.tokens -= self.cost
        return True

    def succeeded(self, *, repeated: bool) -> None:
        """Bring tokens back for a request that succeeded, at its first attempt or ``repeated``."""
        self.tokens = min(self.capacity, self.tokens + (self.cost if repeated else self.refund))


@dataclass(frozen=True)
class RetryPolicy:
    """How long and how often requests and writes are tried, with exponentially growing, fully jittered pauses.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Attributes:
        attempts: How often a request that is safe to repeat is sent in all, the first time included; also the commit
            of a write while its outcome is unknown.
        conflicts: How often a write that may be redone is done in all, while others are faster; more often where it
            takes more although nobody is.
        deadline_s: When repeating ends, and a writer gives up. Garbage is swept only when it is older than this and
            the longest time that a delayed request can take to arrive.
        base_s: The longest pause after the first attempt; it doubles with each further one.
        cap_s: The longest pause of all.
        budget: Bounds the repetitions of everything that shares it, as all users of one policy do.
        dice: Draws pauses and revisions. The default's draws also differ between processes that were forked from one,
            or restored from one snapshot.
        clock: Seconds that go on while the machine sleeps.
    """

    attempts: int = 8
    conflicts: int = 32
    deadline_s: float = 60.0
    base_s: float = 0.05
    cap_s: float = 2.0
    budget: RetryBudget = field(default_factory=RetryBudget)
    dice: random.Random = field(default_factory=lambda: _dice, repr=False, compare=False)
    clock: Callable[[], float] = field(default=uptime_s, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, least in (("attempts", 1), ("conflicts", 1), ("base_s", 0), ("cap_s", 0)):
            if not getattr(self, name) >= least:
                msg = f"{name} must be at least {least}, not {getattr(self, name)}"
                raise ValueError(msg)
        if not self.deadline_s > 0:
            msg = f"deadline_s must be positive, not {self.deadline_s}"
            raise ValueError(msg)

    def pauses(self, started: float | None = None) -> Iterator[float]:
        """Yield, for each attempt that may be made, the seconds to wait before it; 0 for the first.

        Args:
            started: When, on ``clock``, what these attempts belong to began; ``None`` means now.
        """
        return self._pauses(self.attempts, started)

    def conflict_pauses(self, least: int = 1) -> Iterator[float]:
        """Yield the same for a write that is redone; a store that answers needs no budget.

        Args:
            least: How many attempts it may take although nobody else is faster.
        """
        return self._pauses(max(self.conflicts, least), None)

    async def redo(self, write: Callable[[], Awaitable[T]]) -> T:
        """Return what ``write`` returns once it is not refused because somebody else was faster.

        Raises:
            ConflictError: Others were faster each time.
        """
        refused: ConflictError | None = None
        for pause in self.conflict_pauses():
            if pause:
                await asyncio.sleep(pause)
            try:
                return await write()
            except ConflictError as error:
                refused = error
        raise refused or UnavailableError(f"no attempt within {self.deadline_s:g} s", maybe_applied=False)

    def _pauses(self, times: int, started: float | None) -> Iterator[float]:
        give_up = (self.clock() if started is None else started) + self.deadline_s
        for number in range(times):
            pause = 0.0
            if number:
                pause = self.dice.uniform(0, min(self.cap_s, self.base_s * 2 ** min(number - 1, _MOST_DOUBLINGS)))
            if self.clock() + pause > give_up:
                return
            yield pause

    async def repeat(
        self,
        request: Callable[[], Awaitable[T]],
        *,
        started: float | None = None,
        failures: list[UnavailableError] | None = None,
    ) -> T:
        """Return what ``request``, which must be safe to repeat, returns in the end.

        Args:
            request: Makes one attempt.
            started: As for ``pauses``.
            failures: Where to note the attempts that failed, for who needs to know them also after a success.

        Raises:
            UnavailableError: That of the last attempt; it may have been applied if any of them may.
        """
        failures = [] if failures is None else failures
        started = self.clock() if started is None else started
        for number, pause in enumerate(self.pauses(started)):
            if number and not await self._may_repeat(pause, started):
                break
            try:
                answer = await request()
            except UnavailableError as error:
                failures.append(error)
            else:
                self.budget.succeeded(repeated=bool(failures))
                return answer
        if not failures:
            msg = f"more than {self.deadline_s:g} s had passed before the first attempt"
            raise UnavailableError(msg, maybe_applied=False)
        last = failures[-1]
        raise UnavailableError(last.reason, maybe_applied(failures)) from last

    async def _may_repeat(self, pause_s: float, started: float) -> bool:
        """Wait before a repetition; return whether it may be made."""
        # A bulk call that this is part of sends fewer at once, and what it has sent at once pays once.
        if slow_down() and not self.budget.take():
            return False
        await rest(pause_s)
        return self.clock() - started <= self.deadline_s  # the machine may have slept, too


def maybe_applied(failures: Iterable[UnavailableError]) -> bool:
    """Return whether one of the attempts that failed may have been applied, or may be later."""
    return any(failure.maybe_applied for failure in failures)
