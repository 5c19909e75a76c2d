"""What a shelf costs in round trips: counted in virtual time, where each request takes a second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import MemoryStorage, Shelf
from ssshelf.testing import CountingStorage, FaultyStorage, run_in_virtual_time
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

THOUSAND = {f"k{n:04}": n for n in range(1000)}


async def distant(use: Callable[[Shelf[Any]], Awaitable[object]], **options: Any) -> tuple[str, int, float]:
    """Return the requests, most at once, and the seconds, on a shelf of 1,000 values, each a second away."""
    memory = MemoryStorage(transactions=False)
    await Shelf(memory).update(THOUSAND)
    counting = CountingStorage(FaultyStorage(memory, lambda _: 1.0))
    started = asyncio.get_running_loop().time()
    await use(Shelf(counting, **options))
    requests = ", ".join(f"{count} {kind}" for kind, count in sorted(counting.counts.items()))
    return requests, counting.most_at_once, asyncio.get_running_loop().time() - started


async def one_by_one(shelf: Shelf[Any]) -> None:
    for key, value in THOUSAND.items():
        await shelf.set(key, value)


async def read_all(shelf: Shelf[Any]) -> None:
    assert {key: value async for key, value in shelf.items()} == THOUSAND


async def read_slowly(shelf: Shelf[Any]) -> None:
    async for _ in shelf.values():
        await asyncio.sleep(0.1)


CASES: list[Any] = [
    (one_by_one, "1000 put", 1, 1000),
    (lambda shelf: shelf.update(THOUSAND), "1000 put", 100, 10),
    (lambda shelf: shelf.get_many(THOUSAND), "1000 get", 100, 10),
    (lambda shelf: shelf.delete_many(THOUSAND), "1 delete_many", 1, 1),
    (lambda shelf: shelf.clear(), "1 delete_many, 1 scan", 1, 2),
    (lambda shelf: shelf.count(), "1 scan", 1, 1),
    (read_all, "1000 get, 1 scan", 100, 11),
]


@pytest.mark.parametrize(("use", "requests", "at_once", "seconds"), CASES)
def test_many_values_cost_few_round_trips(use: Any, requests: str, at_once: int, seconds: int) -> None:
    assert run_in_virtual_time(distant(use)) == (requests, at_once, seconds)


@pytest.mark.parametrize(
    ("atomic_batch", "counts"), [(2**31, {"commit": 3}), (1000, {"commit": 3}), (100, {"put": 2500})]
)
async def test_transactions_take_a_thousand_values_or_none(atomic_batch: int, counts: dict[str, int]) -> None:
    counting = CountingStorage(LimitedStorage(MemoryStorage(), atomic_batch=atomic_batch))
    await Shelf(counting).update({n: n for n in range(2500)})
    assert counting.counts == counts


def test_a_bulk_call_keeps_its_bound() -> None:
    assert run_in_virtual_time(distant(lambda shelf: shelf.update(THOUSAND), concurrency=10)) == ("1000 put", 10, 100)


def test_values_are_read_while_others_are_used() -> None:
    _, _, seconds = run_in_virtual_time(distant(read_slowly))

    assert seconds == pytest.approx(1 + 4 + 1000 * 0.1)  # the listing, the first 256 values, and what their user does


def test_who_reads_one_value_has_not_read_all() -> None:
    async def first(shelf: Shelf[Any]) -> None:
        items = shelf.items()
        await anext(items)
        await items.aclose()

    requests, _, seconds = run_in_virtual_time(distant(first, concurrency=10))

    assert requests == "40 get, 1 scan"  # one page; the next one is read once this one is used
    assert seconds == 5
