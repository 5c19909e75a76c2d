"""Trying again: how often, how long in between, and what is said in the end."""

from __future__ import annotations

import asyncio
import math
import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import ConflictError, DeniedError, NotFoundError, UnavailableError
from ssshelf.keys import Key
from ssshelf.retries import RetryBudget, RetryPolicy
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


def repeated(policy: RetryPolicy, request: Callable[[], Any]) -> Any:
    async def main() -> Any:
        outcomes = await asyncio.gather(policy.repeat(request), return_exceptions=True)
        return outcomes[0]

    return run_in_virtual_time(main())


BUSY = UnavailableError("busy")


@pytest.mark.parametrize("attempts", [1, 2, 5, 2000])
def test_there_are_as_many_attempts_as_said(attempts: int) -> None:
    assert len(list(RetryPolicy(attempts=attempts).pauses())) == attempts


def test_there_are_as_many_turns_after_conflicts_as_said() -> None:
    assert len(list(RetryPolicy(attempts=2, conflicts=5, budget=RetryBudget(0)).conflict_pauses())) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"conflicts": 0},
        {"deadline_s": 0},
        {"base_s": -0.1},
        {"cap_s": -1},
        {"cap_s": math.nan},
        {"deadline_s": math.nan},
    ],
    ids=str,
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        RetryPolicy(**wrong)


def test_pauses_double_up_to_a_cap() -> None:
    policy = RetryPolicy(attempts=7, base_s=0.5, cap_s=5.0, dice=Highest())

    assert list(policy.pauses()) == [0, 0.5, 1, 2, 4, 5, 5]


def test_pauses_are_drawn_between_nothing_and_the_longest() -> None:
    policy = RetryPolicy(attempts=2000, base_s=1.0, cap_s=1.0, dice=random.Random(7))

    pauses = list(policy.pauses())[1:]

    assert 0 <= min(pauses) < 0.01
    assert 0.99 < max(pauses) <= 1
    assert sum(pauses) / len(pauses) == pytest.approx(0.5, abs=0.05)


def test_the_same_dice_draw_the_same_pauses() -> None:
    one, other = (RetryPolicy(attempts=9, dice=random.Random(7)) for _ in range(2))

    assert list(one.pauses()) == list(other.pauses())


def test_pauses_differ_without_dice_of_ones_own() -> None:
    one, other = RetryPolicy(attempts=9), RetryPolicy(attempts=9)

    assert list(one.pauses()) != list(other.pauses()) != list(other.pauses())


def test_a_request_that_succeeds_is_made_once() -> None:
    request = Outcomes("answer", "another")

    assert repeated(RetryPolicy(), request) == "answer"
    assert request.at == [0]


def test_a_request_is_repeated_after_its_pauses() -> None:
    request = Outcomes(BUSY, BUSY, BUSY, "answer")

    outcome = repeated(RetryPolicy(attempts=5, base_s=1.0, cap_s=60.0, dice=Highest()), request)

    assert outcome == "answer"
    assert request.at == [0, 1, 3, 7]


@pytest.mark.parametrize(
    "error",
    [NotFoundError(Key("a")), ConflictError(Key("a"), None, None), DeniedError("no"), ValueError("odd")],
    ids=lambda error: type(error).__name__,
)
def test_what_a_repetition_would_not_change_is_raised_at_once(error: Exception) -> None:
    request = Outcomes(error, "answer")

    assert repeated(RetryPolicy(), request) is error
    assert len(request.at) == 1


def test_the_last_failure_is_raised_in_the_end() -> None:
    request = Outcomes(UnavailableError("first"), UnavailableError("last"), "too late")

    failure = repeated(RetryPolicy(attempts=2), request)

    assert isinstance(failure, UnavailableError)
    assert failure.reason == "last"
    assert request.left == ["too late"]


@pytest.mark.parametrize(
    ("attempts", "maybe_applied"),
    [([True, False], True), ([False, True], True), ([False, False], False), ([True], True), ([False], False)],
)
def test_a_write_may_have_been_applied_by_any_attempt(attempts: list[bool], maybe_applied: bool) -> None:  # noqa: FBT001
    request = Outcomes(*(UnavailableError("busy", maybe_applied=maybe) for maybe in attempts))

    failure = repeated(RetryPolicy(attempts=len(attempts)), request)

    assert failure.maybe_applied == maybe_applied


def test_the_cause_of_the_failure_is_kept() -> None:
    cause = OSError("reset")
    last = UnavailableError("last")
    last.__cause__ = cause

    failure = repeated(RetryPolicy(attempts=2), Outcomes(BUSY, last))

    chain = [failure, failure.__cause__, getattr(failure.__cause__, "__cause__", None)]
    assert cause in chain


def test_a_caller_that_gives_up_ends_the_pause() -> None:
    request = Outcomes(BUSY, "too late")

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await RetryPolicy(base_s=30.0, cap_s=30.0, dice=Highest()).repeat(request)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == 5
    assert request.at == [0]


def test_nothing_is_repeated_after_the_deadline() -> None:
    request = Outcomes(*[BUSY] * 9)

    async def main() -> Any:
        clock = asyncio.get_running_loop().time
        policy = RetryPolicy(attempts=9, deadline_s=10, base_s=1, cap_s=60, dice=Highest(), clock=clock)
        return (await asyncio.gather(policy.repeat(request), return_exceptions=True))[0]

    failure = run_in_virtual_time(main())

    assert isinstance(failure, UnavailableError)
    assert request.at == [0, 1, 3, 7]


def test_what_began_too_long_ago_is_not_attempted() -> None:
    request = Outcomes("answer")
    policy = RetryPolicy(deadline_s=10, clock=lambda: 100.0)

    async def main() -> Any:
        return (await asyncio.gather(policy.repeat(request, started=89.0), return_exceptions=True))[0]

    failure = run_in_virtual_time(main())

    assert isinstance(failure, UnavailableError)
    assert not failure.maybe_applied
    assert request.left == ["answer"]


def test_the_time_that_went_before_the_attempts_counts() -> None:
    policy = RetryPolicy(attempts=9, deadline_s=10, base_s=1, cap_s=60, dice=Highest(), clock=lambda: 100.0)

    assert list(policy.pauses(started=100.0)) == [0, 1, 2, 4, 8]
    assert list(policy.pauses(started=95.0)) == [0, 1, 2, 4]
    assert list(policy.pauses(started=90.0)) == [0]
    assert list(policy.pauses(started=89.9)) == []


def test_failures_are_told_also_after_a_success() -> None:
    failures: list[UnavailableError] = []

    run_in_virtual_time(RetryPolicy(base_s=0).repeat(Outcomes(BUSY, BUSY, "answer"), failures=failures))

    assert failures == [BUSY, BUSY]


def requests_in_an_outage(policy: RetryPolicy, calls: int) -> int:
    """Count the requests of ``calls`` calls, all at once, to a store that is down."""
    requests = [Outcomes(*[BUSY] * 99) for _ in range(calls)]

    async def main() -> None:
        await asyncio.gather(*(policy.repeat(request) for request in requests), return_exceptions=True)

    run_in_virtual_time(main())
    return sum(len(request.at) for request in requests)


def test_calls_that_share_a_budget_repeat_no_more_than_it_has() -> None:
    assert requests_in_an_outage(RetryPolicy(attempts=4), calls=20) == 80
    assert requests_in_an_outage(RetryPolicy(attempts=4, budget=RetryBudget(100, cost=5)), calls=20) == 20 + 20
    assert requests_in_an_outage(RetryPolicy(attempts=4, budget=RetryBudget(0)), calls=20) == 20


def test_policies_may_share_a_budget_and_do_not_by_default() -> None:
    budget = RetryBudget(50, cost=5)

    assert requests_in_an_outage(RetryPolicy(budget=budget), calls=1) == 8
    assert requests_in_an_outage(RetryPolicy(budget=budget), calls=1) == 4
    assert requests_in_an_outage(RetryPolicy(), calls=1) == 8


def test_successes_refill_a_budget_up_to_its_capacity() -> None:
    budget = RetryBudget(10, cost=5, refund=1)
    policy = RetryPolicy(attempts=3, base_s=0, budget=budget)

    run_in_virtual_time(policy.repeat(Outcomes("answer")))
    assert budget.tokens == 10
    repeated(policy, Outcomes(BUSY, BUSY, BUSY))
    assert budget.tokens == 0
    run_in_virtual_time(policy.repeat(Outcomes("answer")))
    assert budget.tokens == 1


def test_a_repetition_that_succeeds_is_given_back() -> None:
    budget = RetryBudget(10, cost=5, refund=1)

    run_in_virtual_time(RetryPolicy(base_s=0, budget=budget).repeat(Outcomes(BUSY, "answer")))

    assert budget.tokens == 10


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # of the fork
def test_draws_differ_in_a_forked_process() -> None:
    """Also of the default dice, whose state a fork would repeat."""
    dice = RetryPolicy().dice
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, str([dice.random() for _ in range(3)]).encode())
        os._exit(0)
    os.wait()

    assert os.read(reader, 1000).decode() != str([dice.random() for _ in range(3)])
    os.close(reader)
    os.close(writer)


def test_a_policy_shows_its_numbers() -> None:
    shown = (
        "RetryPolicy(attempts=8, conflicts=32, deadline_s=60.0, base_s=0.05, cap_s=2.0, "
        "budget=RetryBudget(capacity=500, cost=5, refund=1))"
    )

    assert repr(RetryPolicy()) == shown
    assert RetryPolicy() == RetryPolicy()


async def test_a_write_that_always_loses_gives_up() -> None:
    attempts = []

    async def lose() -> None:
        attempts.append(1)
        raise ConflictError(Key("a"), "1", "2")

    with pytest.raises(ConflictError, match="expected 1, found 2"):
        await RetryPolicy(conflicts=3, base_s=0).redo(lose)
    assert len(attempts) == 3
