"""The loop: virtual time, any order of what is ready, and processes that sleep and crash."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.simulation.loop import PROCESS, Process, simulate

SEEDS = range(50)


async def order() -> tuple[int, ...]:
    ran: list[int] = []

    async def run(number: int) -> None:
        ran.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(run(number))
    return tuple(ran)


def start(process: Process, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    context = contextvars.Context()
    context.run(PROCESS.set, process)
    return asyncio.create_task(coroutine, context=context)


def test_every_order_occurs() -> None:
    orders = {simulate(order(), random.Random(seed)) for seed in range(500)}

    assert len(orders) == 24


def test_a_seed_is_an_order() -> None:
    assert [simulate(order(), random.Random(seed)) for seed in SEEDS] == [
        simulate(order(), random.Random(seed)) for seed in SEEDS
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_asyncio_promises_holds_in_any_order(seed: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done: list[str] = []

        async def work(name: str, seconds: float) -> str:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                done.append(f"{name} cancelled")
                raise
            done.append(name)
            return name

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await work("too slow", 10)
        assert loop.time() == 5
        shielded = asyncio.ensure_future(work("shielded", 2))
        outer = asyncio.ensure_future(asyncio.shield(shielded))
        await asyncio.sleep(1)
        outer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await outer
        assert await shielded == "shielded"
        with pytest.raises(ExceptionGroup) as caught:
            await both(work("sibling", 10), fail())
        assert caught.group_contains(LookupError)
        assert done == ["too slow cancelled", "shielded", "sibling cancelled"]

    async def both(*coroutines: Coroutine[Any, Any, Any]) -> None:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)

    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError

    simulate(main(), random.Random(seed))


def test_a_process_that_sleeps_runs_nothing_and_notices_the_time() -> None:
    async def main() -> list[float]:
        process, other, woke = Process("P"), Process("Q"), []

        async def work() -> None:
            await asyncio.sleep(1)
            woke.append(asyncio.get_running_loop().time())

        process.wakes = 100
        tasks = [start(process, work()), start(other, work())]
        await asyncio.wait(tasks)
        return woke

    assert simulate(main(), random.Random(0)) == [1, 101]


def test_a_process_that_is_dead_runs_nothing_more() -> None:
    ran: list[str] = []

    async def main() -> asyncio.Task[Any]:
        process = Process("P")

        async def work() -> None:
            try:
                ran.append("before")
                await asyncio.sleep(1)
                ran.append("after")
            finally:
                ran.append(f"cancelled {simulated.done()}")

        simulated = asyncio.ensure_future(asyncio.sleep(1000))
        task = start(process, work())
        await asyncio.sleep(0.5)
        process.dead = True
        await simulated
        assert ran == ["before"]
        return task

    task = simulate(main(), random.Random(0))

    assert task.cancelled()
    assert ran == ["before", "cancelled True"]
