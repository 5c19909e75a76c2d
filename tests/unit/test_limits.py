"""Limits of attempts, in virtual time: what ends them, what does not, and what is left of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ssshelf.storages._limits import Limit, Limits, limit_here, read_all
from ssshelf.storages._s3_requests import BotocoreRequests
from ssshelf.testing import run_in_virtual_time

PATIENCE_S = 3.0


class Slow:
    """The body of an answer that comes in chunks of 16 KiB, each of them after a pause."""

    def __init__(self, *pauses: float) -> None:
        self.pauses = list(pauses)

    async def read(self, _: int) -> bytes:
        if not self.pauses:
            return b""
        await asyncio.sleep(self.pauses.pop(0))
        return bytes(16 * 1024)


async def read(body: Slow, sent_bytes: int = 0, limits: Limits | None = None) -> int:
    async with Limit(limits or Limits(), PATIENCE_S, sent_bytes) as limit:
        return len(await read_all(body, limit))


async def ends_after(attempt: Coroutine[Any, Any, object]) -> float | None:
    """Return when ``attempt`` was ended; ``None`` if it was not."""
    started = asyncio.get_running_loop().time()
    try:
        await attempt
    except TimeoutError:
        return asyncio.get_running_loop().time() - started
    return None


@pytest.mark.parametrize(
    ("pauses", "sent_bytes"),
    [([2.9], 0), ([0.99] * 1000, 0), ([12.9], 10 * 16 * 1024), ([0.0] * 10 + [2.9] * 3, 0)],
    ids=["a pause", "slow", "after much was sent", "what came early may be used later"],
)
def test_what_comes_has_the_time_it_needs(pauses: list[float], sent_bytes: int) -> None:
    assert run_in_virtual_time(read(Slow(*pauses), sent_bytes)) == len(pauses) * 16 * 1024


@pytest.mark.parametrize(
    ("pauses", "sent_bytes", "after_s"),
    [
        ([3.1], 0, 3),
        ([13.1], 10 * 16 * 1024, 13),
        ([0.0] * 1000 + [10.0], 0, 3),
        ([1.0, 50.0], 100 * 16 * 1024, 4),
    ],
    ids=["silence", "after much was sent", "silence in the middle", "silence after much was sent"],
)
def test_silence_is_given_up(pauses: list[float], sent_bytes: int, after_s: float) -> None:
    assert run_in_virtual_time(ends_after(read(Slow(*pauses), sent_bytes))) == pytest.approx(after_s)


def test_a_body_below_the_slowest_rate_is_given_up() -> None:
    ended = run_in_virtual_time(ends_after(read(Slow(*[1.01] * 1000))))

    assert ended is not None
    assert 200 < ended < 310  # it has three seconds, and loses a hundredth of each


def test_each_attempt_has_its_own_limit_and_all_share_a_timer() -> None:
    async def main() -> list[float | None]:
        limits = Limits()
        bodies = [Slow(9.0), Slow(1.0), Slow(*[1.9] * 9), Slow(9.0), Slow(2.0)]
        sent = [3 * 16 * 1024, 0, 0, 0, 0]
        reading = [ends_after(read(*each, limits)) for each in zip(bodies, sent, strict=True)]
        return await asyncio.gather(*reading)

    assert run_in_virtual_time(main()) == [pytest.approx(6), None, pytest.approx(5), pytest.approx(3), None]


def test_a_timer_that_comes_for_nobody_is_not_the_last() -> None:
    async def main() -> float | None:
        limits = Limits()
        await read(Slow(1.0), limits=limits)
        await asyncio.sleep(10)
        return await ends_after(read(Slow(9.0), limits=limits))

    assert run_in_virtual_time(main()) == pytest.approx(PATIENCE_S)


def test_who_is_cancelled_is_not_told_of_a_limit() -> None:
    class Stubborn(Slow):
        """Cancels the task that reads it, at the moment when that is ended anyway."""

        async def read(self, _: int) -> bytes:
            try:
                return await super().read(_)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                raise

    async def main() -> None:
        await asyncio.gather(read(Slow(1.0)), asyncio.wait_for(read(Stubborn(9.0)), 60))

    with pytest.raises(asyncio.CancelledError):
        run_in_virtual_time(main())


def test_an_attempt_is_ended_once_and_may_clean_up() -> None:
    cleaned: list[bool] = []

    class Tidy(Slow):
        async def read(self, _: int) -> bytes:
            try:
                return await super().read(_)
            finally:
                await asyncio.sleep(5)
                cleaned.append(True)

    assert run_in_virtual_time(ends_after(read(Tidy(9.0)))) == pytest.approx(PATIENCE_S + 5)
    assert cleaned


def test_a_cancelled_attempt_leaves_nothing_behind() -> None:
    async def main() -> int:
        limits = Limits()
        attempt = asyncio.ensure_future(read(Slow(9.0), limits=limits))
        await asyncio.sleep(1)
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
        return await read(Slow(2.9), limits=limits)

    assert run_in_virtual_time(main()) == 16 * 1024


def test_listings_that_botocore_reads_have_the_time_they_need() -> None:
    class Client:
        async def list_objects_v2(self, **_: object) -> dict[str, Any]:
            limit = limit_here()
            assert limit is not None
            await read_all(Slow(*[0.9] * 10), limit)
            return {"IsTruncated": False}

    async def main() -> int:
        async with Limit(Limits(), PATIENCE_S, 0) as limit:
            return len((await BotocoreRequests(Client(), "bucket").scan("", "", 1000, limit)).names)

    assert run_in_virtual_time(main()) == 0
