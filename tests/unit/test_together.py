"""Together: what is asked at the same moment is one call, and each who asks is on its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ssshelf.errors import UnavailableError
from ssshelf.storages._together import Together

if TYPE_CHECKING:
    from collections.abc import Sequence


class Doubler:
    """Doubles numbers once it is let; counts how often it is called, and cancelled."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.cancelled = 0
        self.let = asyncio.Event()
        self.together = Together(self.double)

    async def double(self, numbers: list[int]) -> Sequence[int]:
        self.calls.append(list(numbers))
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            self.cancelled += 1
            raise
        return [2 * number for number in numbers]

    def asked(self, *numbers: int) -> list[asyncio.Task[int]]:
        return [asyncio.create_task(self.together.ask(number)) for number in numbers]


async def turns(times: int = 4) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def test_what_is_asked_at_once_is_one_call() -> None:
    doubler = Doubler()
    first = doubler.asked(1, 2, 2)
    await turns()
    second = doubler.asked(3)
    await turns()
    doubler.let.set()

    assert await asyncio.gather(*first, *second) == [2, 4, 4, 6]
    assert doubler.calls == [[1, 2, 2], [3]]


async def test_who_goes_on_at_once_asks_together_again() -> None:
    doubler = Doubler()
    doubler.let.set()

    async def fourfold(number: int) -> int:
        return await doubler.together.ask(await doubler.together.ask(number))

    assert await asyncio.gather(*map(fourfold, range(9))) == [4 * number for number in range(9)]
    assert len(doubler.calls) == 2


async def test_a_failure_is_an_error_of_its_own_for_each() -> None:
    cause = OSError("broken")

    async def fail(_: list[int]) -> Sequence[int]:
        msg = "no answer"
        raise UnavailableError(msg, maybe_applied=False) from cause

    together = Together(fail)
    one, other = await asyncio.gather(together.ask(1), together.ask(2), return_exceptions=True)

    for error in (one, other):
        assert isinstance(error, UnavailableError)
        assert (error.reason, error.maybe_applied, error.__cause__) == ("no answer", False, cause)
    assert one is not other


async def test_who_gives_up_disturbs_nobody() -> None:
    doubler = Doubler()
    one, other = doubler.asked(1, 2)
    await turns()

    one.cancel()
    await turns()
    doubler.let.set()

    assert await other == 4
    assert one.cancelled()
    assert doubler.cancelled == 0


@pytest.mark.parametrize("turns_before", [1, 2, 3, 4])
async def test_the_last_who_gives_up_ends_the_call(turns_before: int) -> None:
    doubler = Doubler()
    asked = doubler.asked(1, 2)
    await turns(turns_before)

    for task in asked:
        task.cancel()
    await asyncio.wait(asked)
    calls = len(doubler.calls)
    doubler.let.set()

    assert all(task.cancelled() for task in asked)
    assert doubler.cancelled == calls
    assert await doubler.together.ask(3) == 6


async def test_who_asks_while_others_give_up_is_answered() -> None:
    doubler = Doubler()
    (gone,) = doubler.asked(1)
    await asyncio.sleep(0)
    gone.cancel()
    (late,) = doubler.asked(2)
    doubler.let.set()

    assert await late == 4


def test_each_event_loop_has_its_own() -> None:
    doubled: list[list[int]] = []

    async def double(numbers: list[int]) -> Sequence[int]:
        doubled.append(numbers)
        return [2 * number for number in numbers]

    together = Together(double)

    async def ask() -> list[int]:
        return list(await asyncio.gather(together.ask(1), together.ask(2)))

    assert [asyncio.run(ask()) for _ in range(2)] == [[2, 4]] * 2
    assert doubled == [[1, 2]] * 2
