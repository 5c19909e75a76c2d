"""Bulk calls and a store that refuses what is too much: in virtual time, so the figures are exact."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CManager, Collection, DictItems, MemoryStorage, RetryPolicy, Shelf
from ssshelf._concurrency import PerKey, each_bounded
from ssshelf._pace import Pace, rest, slow_down
from ssshelf.errors import UnavailableError
from ssshelf.serializers import JSONSerializer
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ssshelf.keys import Key
    from ssshelf.storages.base import Condition, Storage

LATENCY_S = 0.02
BURST_S = 0.25


class Throttling(WrapperStorage):
    """Takes ``rate`` writes a second, as a bucket of tokens does, and refuses others; safe requests are repeated.

    Attributes:
        taken: When it took writes.
        refusals: How many it refused.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(MemoryStorage(transactions=False))
        self.rate = rate
        self.taken: list[float] = []
        self.refusals = 0
        self._policy = policy()
        self._tokens, self._filled = rate * BURST_S, 0.0

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        async def attempt() -> str:
            await asyncio.sleep(LATENCY_S)
            now = asyncio.get_running_loop().time()
            self._tokens = min(self.rate * BURST_S, self._tokens + self.rate * (now - self._filled))
            self._filled = now
            if self._tokens < 1:
                self.refusals += 1
                msg = "503 SlowDown"
                raise UnavailableError(msg, maybe_applied=False)
            self._tokens -= 1
            self.taken.append(now)
            return await self.inner.put(key, data, condition=condition)

        return await (attempt() if condition else self._policy.repeat(attempt))


class Things(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="id", name="things")


class Listed(Things):
    by_number = Collection[dict[str, Any]](lambda item: item["n"])
    by_digit = Collection[dict[str, Any]](lambda item: (item["n"] % 10, item["n"]))


def policy() -> RetryPolicy:
    return RetryPolicy(dice=random.Random(0), clock=lambda: asyncio.get_running_loop().time())


def values(count: int) -> dict[str, int]:
    return {f"{number:06}": number for number in range(count)}


async def update(storage: Storage, count: int) -> None:
    await Shelf[int](storage, serializer=JSONSerializer(), retries=policy()).update(values(count))


async def add_items(storage: Storage, count: int) -> None:
    await Things(storage, retries=policy()).add_items({"id": pk} for pk in values(count))


@pytest.mark.parametrize("bulk", [update, add_items])
@pytest.mark.parametrize(("rate", "refused"), [(500, 0.12), (2000, 0.03)])
def test_a_bulk_call_keeps_to_the_rate_of_the_store(
    bulk: Callable[[Storage, int], Coroutine[Any, Any, None]], rate: int, refused: float
) -> None:
    storage = Throttling(rate)

    run_in_virtual_time(bulk(storage, 4 * rate))

    assert len(storage.taken) == 4 * rate
    assert len(storage.taken) / storage.taken[-1] >= 0.9 * rate
    assert 0 < storage.refusals <= refused * len(storage.taken)


@pytest.mark.parametrize(("rate", "refused"), [(300, 0.2), (1000, 0.07)])
def test_items_with_several_entries_keep_to_the_rate_of_the_store(rate: int, refused: float) -> None:
    storage = Throttling(rate)
    items = ({"id": pk, "n": n} for pk, n in values(2 * rate).items())

    run_in_virtual_time(Listed(storage, retries=policy()).add_items(items))

    assert len(storage.taken) == 6 * rate
    assert len(storage.taken) / storage.taken[-1] >= 0.9 * rate
    assert 0 < storage.refusals <= refused * len(storage.taken)


def test_a_store_that_takes_everything_is_sent_everything() -> None:
    storage = Throttling(1_000_000)

    run_in_virtual_time(update(storage, 1000))

    assert storage.taken[-1] == pytest.approx(10 * LATENCY_S)
    assert storage.refusals == 0


def test_a_store_of_little_is_not_given_up() -> None:
    storage = Throttling(100)

    run_in_virtual_time(update(storage, 400))

    assert len(storage.taken) / storage.taken[-1] >= 0.9 * 100


@pytest.mark.parametrize("concurrency", [32, 64])
def test_two_bulk_calls_share_a_store(concurrency: int) -> None:
    storage = Throttling(1000)

    async def one(name: str) -> float:
        shelf = Shelf(storage, name=name, serializer="json", concurrency=concurrency)
        await shelf.update(values(3000))
        return asyncio.get_running_loop().time()

    async def both() -> tuple[float, float]:
        return await asyncio.gather(one("a"), one("b"))

    ends = run_in_virtual_time(both())

    assert len(storage.taken) / storage.taken[-1] >= 0.9 * 1000
    assert min(ends) >= 0.75 * max(ends)  # until the first one ended, the other got more than half as much


def test_a_store_that_recovers_is_noticed() -> None:
    storage = Throttling(200)

    async def recovering() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(update(storage, 12_000))
            await asyncio.sleep(4)
            storage.rate = 1_000_000

    run_in_virtual_time(recovering())

    assert len([moment for moment in storage.taken if moment < 4]) <= 200 * (4 + BURST_S)
    last_second = [moment for moment in storage.taken if moment > storage.taken[-1] - 1]
    assert len(last_second) >= 0.9 * 100 / LATENCY_S


async def test_what_is_refused_at_once_halves_a_window_once() -> None:
    pace, all_sent = Pace(16), asyncio.Barrier(12)
    told: list[bool] = []
    sizes: set[float] = set()

    async def value() -> None:
        async with pace:
            await all_sent.wait()
            told.append(slow_down())
            sizes.add(pace.size)
            await rest(0)

    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(value())

    assert told == [True] + [False] * 11
    assert sizes == {8}
    assert pace._running == 0


async def test_who_is_cancelled_while_it_waits_leaves_the_window_as_it_was() -> None:
    pace = Pace(1)
    begun = asyncio.Event()

    async def hold(pause_s: float) -> None:
        async with pace:
            begun.set()
            await rest(pause_s)

    first = asyncio.create_task(hold(3600))
    await begun.wait()
    others = [asyncio.create_task(hold(3600)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in (first, *others):
        task.cancel()
    await asyncio.wait([first, *others])

    assert pace._running == 0
    async with asyncio.timeout(20), pace:
        assert pace._running == 1


async def test_a_pause_outside_of_a_bulk_call_is_a_pause() -> None:
    assert slow_down()
    await rest(0)


class Down(Throttling):
    """Refuses everything."""

    def __init__(self) -> None:
        super().__init__(0)


@pytest.mark.parametrize("calls", [1, 3])
def test_bulk_calls_in_an_outage_repeat_little(calls: int) -> None:
    storage = Down()

    async def main() -> list[BaseException | None]:
        return await asyncio.gather(*(update(storage, 1000) for _ in range(calls)), return_exceptions=True)

    failures = run_in_virtual_time(main())

    assert {type(failure) for failure in failures} == {UnavailableError}
    assert storage.refusals <= 100 * calls + 100 + 2 * 100 * calls


def test_who_waits_for_one_that_rests_does_not_keep_it_from_coming_back() -> None:
    async def main() -> float:
        refusals = [UnavailableError("503 SlowDown", maybe_applied=False) for _ in range(3)]
        in_order, turns = PerKey(), RetryPolicy(dice=random.Random(1), clock=asyncio.get_running_loop().time)

        async def request() -> None:
            await asyncio.sleep(0.02)
            if refusals:
                raise refusals.pop()

        async def write(_: int) -> None:
            await in_order.run("one item", lambda: turns.repeat(request))

        await each_bounded(write, range(4), 2)
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) < 10
