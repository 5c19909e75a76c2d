"""Virtual time: it passes only while nothing else is left to do."""

from __future__ import annotations

import asyncio

import pytest

from ssshelf.testing import VirtualTimeLoop, run_in_virtual_time


@pytest.mark.timeout(10)
@pytest.mark.parametrize("days", [1, 100, 365, 3650])
def test_a_long_sleep_takes_no_time(days: int) -> None:
    async def main() -> float:
        await asyncio.sleep(days * 86400)
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == pytest.approx(days * 86400 + 1)


def test_the_loop_tells_the_time_that_has_passed() -> None:
    async def main() -> list[float]:
        times = []
        for seconds in (0, 1, 0.25, 3600):
            await asyncio.sleep(seconds)
            times.append(asyncio.get_running_loop().time())
        return times

    assert run_in_virtual_time(main()) == [0, 1, 1.25, 3601.25]


def test_what_sleeps_wakes_in_the_order_of_time() -> None:
    woken = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((seconds, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(*map(sleeper, (5, 1, 3, 1, 0)))

    run_in_virtual_time(main())

    assert woken == [(0, 0), (1, 1), (1, 1), (3, 3), (5, 5)]


def test_no_time_passes_while_there_is_something_to_do() -> None:
    async def main() -> float:
        for _ in range(1000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == 0


def test_timeouts_are_of_that_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await asyncio.sleep(1001)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) == 1000


def test_waiting_for_what_can_never_happen_is_found_out() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="deadlock: everything waits, and nothing will ever happen"):
        run_in_virtual_time(main())


def test_two_that_wait_for_each_other_are_found_out() -> None:
    async def main() -> None:
        one, other = asyncio.Event(), asyncio.Event()

        async def wait_then_set(first: asyncio.Event, second: asyncio.Event) -> None:
            await first.wait()
            second.set()

        await asyncio.gather(wait_then_set(one, other), wait_then_set(other, one))

    with pytest.raises(RuntimeError, match="deadlock"):
        run_in_virtual_time(main())


def test_a_result_is_returned() -> None:
    async def main() -> str:
        return "result"

    assert run_in_virtual_time(main()) == "result"


def test_a_failure_is_raised() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError

    with pytest.raises(LookupError):
        run_in_virtual_time(main())


def test_each_run_begins_at_nothing() -> None:
    async def main() -> float:
        started = asyncio.get_running_loop().time()
        await asyncio.sleep(5)
        return started

    assert [run_in_virtual_time(main()) for _ in range(3)] == [0, 0, 0]


def test_tasks_that_are_left_behind_are_cancelled() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.sleep(10**9)
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def main() -> asyncio.Task[None]:
        left_behind = asyncio.create_task(forever())
        await asyncio.sleep(1)
        return left_behind

    left_behind = run_in_virtual_time(main())

    assert left_behind.cancelled()
    assert ended == [1]


def test_a_loop_can_be_closed() -> None:
    loop = VirtualTimeLoop()

    loop.close()

    assert loop.is_closed()
