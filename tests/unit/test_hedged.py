"""Hedging: what takes too long is asked again, and a store that is slow throughout is not asked twice as much."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import NotFoundError, UnavailableError
from ssshelf.keys import Key
from ssshelf.storages.hedged import HedgedStorage
from ssshelf.testing import CountingStorage, Fault, FaultyStorage, MemoryStorage, Request, run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.faulty import Plan

KEY = Key("a")
USUAL_S, SLOW_S = 0.020, 1.0
BEFORE = [USUAL_S + number * 1e-6 for number in reversed(range(40))]
"""How long answers took until a test begins; none took longer than most before it."""


class Slow:
    """A store of which each answer takes as long as is said, in the order of requests; then the usual time."""

    def __init__(self, *seconds: float | Fault) -> None:
        self.seconds = list(seconds)

    def __call__(self, request: Request) -> float | Fault:
        return self.seconds.pop(0) if request.kind == "get" and self.seconds else USUAL_S


def hedging(plan: Plan) -> HedgedStorage:
    return HedgedStorage(CountingStorage(FaultyStorage(MemoryStorage(), plan)))


async def experienced(storage: HedgedStorage) -> None:
    """Have the storage see enough answers to know what is usual."""
    await storage.put(KEY, b"one")
    for _ in BEFORE:
        await storage.get(KEY)
    assert isinstance(storage.inner, CountingStorage)
    storage.inner.reset()


def taken(storage: HedgedStorage, work: Callable[[], Awaitable[object]]) -> tuple[Any, int]:
    """Return the seconds that ``work`` takes on an experienced storage, and its requests."""

    async def main() -> tuple[Any, int]:
        await experienced(storage)
        began = asyncio.get_running_loop().time()
        await work()
        assert isinstance(storage.inner, CountingStorage)
        assert len(asyncio.all_tasks()) == 1
        return asyncio.get_running_loop().time() - began, storage.inner.total

    return run_in_virtual_time(main())


def late(*seconds: float | Fault) -> Slow:
    return Slow(*BEFORE, *seconds)


def test_an_answer_in_the_usual_time_costs_one_request() -> None:
    storage = hedging(late())

    assert taken(storage, lambda: storage.get(KEY)) == (pytest.approx(USUAL_S, rel=0.01), 1)


def test_a_late_answer_is_overtaken_by_a_second_request() -> None:
    storage = hedging(late(SLOW_S))

    assert taken(storage, lambda: storage.get(KEY)) == (pytest.approx(2 * USUAL_S, rel=0.01), 2)


def test_the_first_request_may_still_be_first() -> None:
    storage = hedging(late(USUAL_S * 1.5, SLOW_S))

    assert taken(storage, lambda: storage.get(KEY)) == (pytest.approx(1.5 * USUAL_S, rel=0.01), 2)


def test_a_failure_is_no_answer_while_the_other_may_come() -> None:
    storage = hedging(late(SLOW_S, Fault.LOST))

    assert taken(storage, lambda: storage.get(KEY)) == (pytest.approx(SLOW_S), 2)


def test_that_nothing_is_there_is_an_answer() -> None:
    storage = hedging(late(SLOW_S))

    async def work() -> None:
        with pytest.raises(NotFoundError):
            await storage.get(Key("b"))

    assert taken(storage, work) == (pytest.approx(2 * USUAL_S, rel=0.01), 2)


def test_who_fails_at_once_is_not_asked_again() -> None:
    storage = hedging(late(Fault.UNSENT))

    async def work() -> None:
        with pytest.raises(UnavailableError):
            await storage.get(KEY)

    assert taken(storage, work) == (0, 1)


def test_nothing_goes_on_after_the_caller_gave_up() -> None:
    storage = hedging(late(SLOW_S, SLOW_S))

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(storage.get(KEY), SLOW_S / 2)

    assert taken(storage, work) == (pytest.approx(SLOW_S / 2), 2)


def test_a_store_that_becomes_slow_is_asked_little_more() -> None:
    storage = hedging(late(*[SLOW_S] * 10_000))

    async def work() -> None:
        for _ in range(400):
            await storage.get(KEY)

    _, requests = taken(storage, work)

    assert 400 < requests <= 440 * 1.05


def test_a_new_storage_waits_until_it_knows_what_is_usual() -> None:
    storage = hedging(Slow(SLOW_S))

    async def main() -> float:
        await storage.put(KEY, b"")
        began = asyncio.get_running_loop().time()
        await storage.get(KEY)
        return asyncio.get_running_loop().time() - began

    assert storage.patience_s is None
    assert run_in_virtual_time(main()) == pytest.approx(SLOW_S)


def test_the_slowest_of_a_hundred_becomes_fast() -> None:
    def slowest(storage: CountingStorage | HedgedStorage) -> tuple[float, int]:
        """Return how long 99 % of many gets take at most, and how many requests there were."""

        async def main() -> float:
            await storage.put(KEY, b"")
            clock, seconds = asyncio.get_running_loop().time, []
            for _ in range(4000):
                began = clock()
                await storage.get(KEY)
                seconds.append(clock() - began)
            return sorted(seconds)[int(len(seconds) * 0.99)]

        counting = storage.inner if isinstance(storage, HedgedStorage) else storage
        assert isinstance(counting, CountingStorage)
        return run_in_virtual_time(main()), counting.counts["get"]

    def heavy_tail() -> CountingStorage:
        dice = random.Random(7)
        return CountingStorage(
            FaultyStorage(MemoryStorage(), lambda _: SLOW_S if dice.random() < 0.02 else dice.uniform(0.015, 0.025))
        )

    alone, requests = slowest(heavy_tail())
    hedged, more = slowest(HedgedStorage(heavy_tail()))

    assert alone == SLOW_S
    assert hedged < 3 * USUAL_S
    assert requests < more <= requests * 1.05


@pytest.mark.parametrize("wrong", [{"quantile": 0.0}, {"quantile": 1.0}, {"extra": -0.1}, {"extra": 1.5}])
def test_shares_are_between_none_and_all(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        HedgedStorage(MemoryStorage(), **wrong)
