"""Trying again: how often, how long in between, and what is said in the end."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import ConflictError, DeniedError, NotFoundError, UnavailableError
from ssshelf.keys import Key
from ssshelf.retries import Backoff
from ssshelf.testing import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable


class Highest(random.Random):
    """Always draws the longest pause."""

    def uniform(self, a: float, b: float) -> float:
        del a
        return b


class Outcomes:
    """A request that has these outcomes, one after the other."""

    def __init__(self, *outcomes: Any) -> None:
        self.left = list(outcomes)
        self.at: list[float] = []

    async def __call__(self) -> Any:
        self.at.append(asyncio.get_running_loop().time())
        outcome = self.left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


def repeated(backoff: Backoff, request: Callable[[], Any]) -> Any:
    async def main() -> Any:
        outcomes = await asyncio.gather(backoff.repeat(request), return_exceptions=True)
        return outcomes[0]

    return run_in_virtual_time(main())


BUSY = UnavailableError("busy")


@pytest.mark.parametrize("attempts", [1, 2, 5, 2000])
def test_there_are_as_many_attempts_as_said(attempts: int) -> None:
    assert len(list(Backoff(attempts=attempts).pauses())) == attempts


@pytest.mark.parametrize("attempts", [0, -1])
def test_less_than_one_attempt_is_refused(attempts: int) -> None:
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        Backoff(attempts=attempts)


def test_pauses_double_up_to_a_cap() -> None:
    backoff = Backoff(attempts=7, base_s=0.5, cap_s=5.0, dice=Highest())

    assert list(backoff.pauses()) == [0, 0.5, 1, 2, 4, 5, 5]


def test_pauses_are_drawn_between_nothing_and_the_longest() -> None:
    backoff = Backoff(attempts=2000, base_s=1.0, cap_s=1.0, dice=random.Random(7))

    pauses = list(backoff.pauses())[1:]

    assert 0 <= min(pauses) < 0.01
    assert 0.99 < max(pauses) <= 1
    assert sum(pauses) / len(pauses) == pytest.approx(0.5, abs=0.05)


def test_the_same_dice_draw_the_same_pauses() -> None:
    one, other = (Backoff(attempts=9, dice=random.Random(7)) for _ in range(2))

    assert list(one.pauses()) == list(other.pauses())


def test_pauses_differ_without_dice_of_ones_own() -> None:
    one, other = Backoff(attempts=9), Backoff(attempts=9)

    assert list(one.pauses()) != list(other.pauses()) != list(other.pauses())


def test_a_request_that_succeeds_is_made_once() -> None:
    request = Outcomes("answer", "another")

    assert repeated(Backoff(), request) == "answer"
    assert request.at == [0]


def test_a_request_is_repeated_after_its_pauses() -> None:
    request = Outcomes(BUSY, BUSY, BUSY, "answer")

    outcome = repeated(Backoff(attempts=5, base_s=1.0, cap_s=60.0, dice=Highest()), request)

    assert outcome == "answer"
    assert request.at == [0, 1, 3, 7]


@pytest.mark.parametrize(
    "error",
    [NotFoundError(Key("a")), ConflictError(Key("a"), None, None), DeniedError("no"), ValueError("odd")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_repetition_would_not_change_is_raised_at_once(error: Exception) -> None:
    request = Outcomes(error, "answer")

    assert repeated(Backoff(), request) is error
    assert len(request.at) == 1


def test_the_last_failure_is_raised_in_the_end() -> None:
    request = Outcomes(UnavailableError("first"), UnavailableError("last"), "too late")

    failure = repeated(Backoff(attempts=2), request)

    assert isinstance(failure, UnavailableError)
    assert failure.reason == "last"
    assert request.left == ["too late"]


@pytest.mark.parametrize(
    ("attempts", "maybe_applied"),
    [([True, False], True), ([False, True], True), ([False, False], False), ([True], True), ([False], False)],
)
def test_a_write_may_have_been_applied_by_any_attempt(attempts: list[bool], maybe_applied: bool) -> None:  # noqa: FBT001
    request = Outcomes(*(UnavailableError("busy", maybe_applied=maybe) for maybe in attempts))

    failure = repeated(Backoff(attempts=len(attempts)), request)

    assert failure.maybe_applied == maybe_applied


def test_the_cause_of_the_failure_is_kept() -> None:
    cause = OSError("reset")
    last = UnavailableError("last")
    last.__cause__ = cause

    failure = repeated(Backoff(attempts=2), Outcomes(BUSY, last))

    chain = [failure, failure.__cause__, getattr(failure.__cause__, "__cause__", None)]
    assert cause in chain


def test_a_caller_that_gives_up_ends_the_pause() -> None:
    request = Outcomes(BUSY, "too late")

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await Backoff(base_s=60.0, cap_s=60.0, dice=Highest()).repeat(request)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == 5
    assert request.at == [0]


def test_a_backoff_does_not_show_its_dice() -> None:
    assert repr(Backoff()) == "Backoff(attempts=5, base_s=0.05, cap_s=2.0)"
    assert Backoff() == Backoff()
