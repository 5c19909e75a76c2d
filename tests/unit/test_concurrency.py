"""Bounded concurrency: never more than a bound, in order per key, and nothing left running."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf._concurrency import PerKey, each_bounded, map_bounded, read_ahead
from ssshelf.testing import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator


class Gauge:
    """A function of values that takes its time, and tells how often it ran, and how often at once.

    Args:
        failing: The values that it fails for.
        seconds: How long it takes; ``None`` for no time at all, not even a turn of the event loop.
    """

    def __init__(self, failing: tuple[int, ...] = (), seconds: Callable[[int], float | None] = lambda _: 1.0) -> None:
        self.failing = failing
        self.seconds = seconds
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self.most_at_once = 0

    async def __call__(self, value: int) -> int:
        self.begun.append(value)
        self.most_at_once = max(self.most_at_once, len(self.begun) - len(self.ended) - len(self.cancelled))
        try:
            if (seconds := self.seconds(value)) is not None:
                await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(value)
            raise
        self.ended.append(value)
        if value in self.failing:
            raise ValueError(value)
        return value * 10


def time_of(work: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    """Return what ``work`` gives, or how it fails, and the seconds it takes; nothing may be left running."""

    async def main() -> tuple[Any, float]:
        results = await asyncio.gather(work(), return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1
        return results[0], asyncio.get_running_loop().time()

    return run_in_virtual_time(main())


@pytest.mark.parametrize(("bound", "seconds"), [(1, 10), (3, 4), (5, 2), (10, 1), (100, 1)])
def test_values_are_done_as_many_at_a_time_as_the_bound_allows(bound: int, seconds: int) -> None:
    gauge = Gauge()

    result = time_of(lambda: each_bounded(gauge, range(10), bound))

    assert result == (10, seconds)
    assert gauge.most_at_once == min(bound, 10)
    assert sorted(gauge.begun) == list(range(10))


def test_a_slow_value_does_not_hold_up_the_others() -> None:
    gauge = Gauge(seconds=lambda value: 9.0 if value == 0 else 1.0)

    assert time_of(lambda: each_bounded(gauge, range(10), 2)) == (10, 9)


def test_no_values_are_no_work() -> None:
    assert time_of(lambda: each_bounded(Gauge(), [], 5)) == (0, 0)


def test_values_are_taken_from_the_source_only_when_they_are_begun() -> None:
    taken = []

    def source() -> Iterator[int]:
        for value in range(1000):
            taken.append(len(gauge.ended))
            yield value

    gauge = Gauge()
    time_of(lambda: each_bounded(gauge, source(), 4))

    assert len(taken) == 1000
    assert max(index - ended for index, ended in enumerate(taken)) == 3


@pytest.mark.parametrize("seconds", [1.0, 0.0, None])
def test_after_a_failure_no_further_value_is_begun(seconds: float | None) -> None:
    gauge = Gauge(failing=(0,), seconds=lambda value: seconds if value == 0 else 1.0)

    failure, _ = time_of(lambda: each_bounded(gauge, range(1000), 3))

    assert isinstance(failure, ValueError)
    assert gauge.begun == ([0] if seconds is None else [0, 1, 2])


def test_what_runs_when_another_fails_is_awaited() -> None:
    gauge = Gauge(failing=(0,), seconds=lambda value: 1.0 + value)

    failure, seconds = time_of(lambda: each_bounded(gauge, range(3), 3))

    assert isinstance(failure, ValueError)
    assert (seconds, gauge.ended, gauge.cancelled) == (3, [0, 1, 2], [])


def test_the_first_of_several_failures_is_raised_and_says_what_was_done() -> None:
    gauge = Gauge(failing=(1, 2), seconds=lambda value: 5.0 - value)

    failure, _ = time_of(lambda: each_bounded(gauge, range(4), 4))

    assert failure.args == (2,)
    assert failure.__notes__ == ["2 of this call's operations were done, 2 failed, none is half done"]


def test_a_source_that_fails_ends_the_work() -> None:
    def source() -> Iterator[int]:
        yield from range(2)
        raise LookupError

    gauge = Gauge()
    failure, _ = time_of(lambda: each_bounded(gauge, source(), 3))

    assert isinstance(failure, LookupError)
    assert gauge.ended == [0, 1]


def test_a_caller_that_gives_up_leaves_nothing_running() -> None:
    gauge = Gauge()

    async def work() -> None:
        async with asyncio.timeout(2.5):
            await each_bounded(gauge, range(100), 3)

    failure, seconds = time_of(work)

    assert isinstance(failure, TimeoutError)
    assert seconds == 2.5
    assert (len(gauge.ended), sorted(gauge.cancelled)) == (6, [6, 7, 8])


def test_results_are_in_the_order_of_the_values() -> None:
    gauge = Gauge(seconds=lambda value: 10.0 - value)

    result, _ = time_of(lambda: map_bounded(gauge, range(10), 4))

    assert result == [value * 10 for value in range(10)]
    assert gauge.most_at_once == 4


@pytest.mark.parametrize("values", [[], [7]])
def test_few_values_have_results_too(values: list[int]) -> None:
    result, _ = time_of(lambda: map_bounded(Gauge(), values, 4))

    assert result == [value * 10 for value in values]


@pytest.mark.parametrize("values", [range(1), range(4), range(5)])
def test_a_failure_of_one_is_that_of_all(values: range) -> None:
    failure, _ = time_of(lambda: map_bounded(Gauge(failing=(0,)), values, 4))

    assert isinstance(failure, ValueError)


@pytest.mark.parametrize("count", [3, 100])
def test_what_runs_beside_a_failure_is_awaited_and_counted(count: int) -> None:
    gauge = Gauge(failing=(1, 2), seconds=lambda value: 5.0 - value)

    failure, seconds = time_of(lambda: map_bounded(gauge, range(count), 3))

    assert (failure.args, seconds) == ((2,), 5)
    assert (sorted(gauge.begun), gauge.cancelled) == ([0, 1, 2], [])
    assert failure.__notes__ == ["1 of this call's operations were done, 2 failed, none is half done"]


@pytest.mark.parametrize("count", [3, 100])
def test_after_a_failure_at_once_no_other_value_is_begun(count: int) -> None:
    gauge = Gauge(failing=(0,), seconds=lambda _: None)

    failure, _ = time_of(lambda: map_bounded(gauge, range(count), 3))

    assert gauge.begun == [0]
    assert failure.__notes__ == ["0 of this call's operations were done, 1 failed, none is half done"]


@pytest.mark.parametrize("count", [3, 100])
def test_who_gives_up_on_a_few_or_many_leaves_nothing_running(count: int) -> None:
    gauge = Gauge()

    async def work() -> None:
        async with asyncio.timeout(0.5):
            await map_bounded(gauge, range(count), 3)

    failure, seconds = time_of(work)

    assert (type(failure), seconds) == (TimeoutError, 0.5)
    assert sorted(gauge.cancelled) == [0, 1, 2]


class Lane:
    """Calls that run through one ``PerKey``, each until it is let go."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._in_order = PerKey()
        self._gates: dict[str, asyncio.Event] = {}

    async def go(self, name: str) -> str:
        """Begin a call; the first character of its name is its key."""
        self._gates[name] = asyncio.Event()

        async def through() -> str:
            self.log.append(f"{name} in")
            await self._gates[name].wait()
            self.log.append(f"{name} out")
            return name

        return await self._in_order.run(name[0], through)

    async def let_go(self, *names: str) -> None:
        for name in names:
            self._gates[name].set()
            await turns()

    @property
    def is_empty(self) -> bool:
        return self._in_order._last == {}


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def begun(lane: Lane, *names: str) -> list[asyncio.Task[str]]:
    calls = [asyncio.create_task(lane.go(name)) for name in names]
    await turns()
    return calls


async def test_calls_of_one_key_run_one_by_one_in_the_order_of_arrival() -> None:
    lane = Lane()
    calls = await begun(lane, "a1", "a2", "a3")

    await lane.let_go("a3", "a2", "a1")

    assert lane.log == ["a1 in", "a1 out", "a2 in", "a2 out", "a3 in", "a3 out"]
    assert [await call for call in calls] == ["a1", "a2", "a3"]
    assert lane.is_empty


async def test_calls_of_different_keys_run_at_once() -> None:
    lane = Lane()
    calls = await begun(lane, "a1", "b1", "c1")

    assert lane.log == ["a1 in", "b1 in", "c1 in"]
    await lane.let_go("c1", "b1", "a1")
    await asyncio.gather(*calls)
    assert lane.is_empty


async def test_a_waiter_that_is_cancelled_lets_nobody_past_those_before_it() -> None:
    lane = Lane()
    calls = await begun(lane, "a1", "a2", "a3")

    calls[1].cancel()
    await turns()
    log_then = list(lane.log)
    await lane.let_go("a1", "a3")

    assert log_then == ["a1 in"]
    assert lane.log == ["a1 in", "a1 out", "a3 in", "a3 out"]
    assert lane.is_empty


async def test_all_waiters_may_be_cancelled() -> None:
    lane = Lane()
    calls = await begun(lane, "a1", "a2", "a3", "a4")

    for call in calls[1:]:
        call.cancel()
    await turns()
    later = await begun(lane, "a5")
    await lane.let_go("a1", "a5")

    assert lane.log == ["a1 in", "a1 out", "a5 in", "a5 out"]
    assert await later[0] == "a5"
    assert lane.is_empty


async def test_a_call_that_is_cancelled_while_it_runs_lets_the_next_one_in() -> None:
    lane = Lane()
    calls = await begun(lane, "a1", "a2")

    calls[0].cancel()
    await turns()
    await lane.let_go("a2")

    assert lane.log == ["a1 in", "a2 in", "a2 out"]
    assert lane.is_empty


async def test_a_call_that_fails_lets_the_next_one_in() -> None:
    in_order = PerKey()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError

    async def succeed() -> str:
        return "done"

    results = await asyncio.gather(in_order.run("a", fail), in_order.run("a", succeed), return_exceptions=True)

    assert isinstance(results[0], ValueError)
    assert results[1] == "done"


async def test_a_key_that_is_free_again_does_not_wait() -> None:
    lane = Lane()
    await begun(lane, "a1")
    await lane.let_go("a1")

    await begun(lane, "a2")

    assert lane.log == ["a1 in", "a1 out", "a2 in"]
    await lane.let_go("a2")


async def test_what_is_read_ahead_is_closed_although_its_end_is_cancelled() -> None:
    log: list[str] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            log.append("closed")

    source = numbers()
    ahead = read_ahead(source)
    assert await anext(ahead) == 1
    closing = asyncio.ensure_future(ahead.aclose())
    await asyncio.sleep(0)
    assert log == []

    closing.cancel()
    await asyncio.wait([closing])

    assert log == ["closed"]
