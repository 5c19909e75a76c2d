"""Counting: how many requests there are, and how many of them have to wait for one another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import ConflictError, NotFoundError
from ssshelf.keys import Key
from ssshelf.storages.base import Delete, IfAbsent, Put
from ssshelf.testing import CountingStorage, FaultyStorage, MemoryStorage, run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

KEY = Key("a")


def slow(seconds: float = 1.0) -> CountingStorage:
    """Return a storage that takes its time for each request."""
    return CountingStorage(FaultyStorage(MemoryStorage(), lambda _: seconds))


def measured(work: Callable[[CountingStorage], Awaitable[object]], storage: CountingStorage) -> float:
    """Do ``work`` and return the seconds it takes."""

    async def main() -> float:
        await work(storage)
        return asyncio.get_running_loop().time()

    return run_in_virtual_time(main())


async def test_requests_are_counted_by_kind() -> None:
    storage = CountingStorage(MemoryStorage())

    await storage.put(KEY, b"")
    await storage.put(KEY, b"")
    await storage.get(KEY)
    await storage.scan(Key())
    await storage.delete(KEY)
    await storage.commit([Put(KEY, b""), Delete(Key("b"))])
    await storage.delete_many([KEY, Key("b")])

    assert storage.counts == {"put": 2, "get": 1, "scan": 1, "delete": 1, "commit": 1, "delete_many": 1}
    assert storage.total == 7
    assert str(storage) == "1 commit, 1 delete, 1 delete_many, 1 get, 2 put, 1 scan in 7 steps"


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (lambda storage: storage.get(Key("b")), NotFoundError),
        (lambda storage: storage.put(KEY, b"", condition=IfAbsent()), ConflictError),
    ],
    ids=["get", "put"],
)
async def test_requests_that_fail_are_counted(request_: Any, error: type[Exception]) -> None:
    storage = CountingStorage(MemoryStorage())
    await storage.put(KEY, b"")
    storage.reset()

    with pytest.raises(error):
        await request_(storage)

    assert (storage.total, storage.steps) == (1, 1)


def test_requests_one_after_the_other_are_as_many_steps() -> None:
    async def work(storage: CountingStorage) -> None:
        for _ in range(5):
            await storage.put(KEY, b"")

    storage = slow()

    assert measured(work, storage) == storage.steps == 5
    assert storage.most_at_once == 1


def test_requests_under_way_together_are_one_step() -> None:
    async def work(storage: CountingStorage) -> None:
        await asyncio.gather(*(storage.put(Key(n), b"") for n in range(5)))

    storage = slow()

    assert measured(work, storage) == storage.steps == 1
    assert storage.most_at_once == storage.total == 5


async def test_requests_made_together_are_one_step_even_where_they_take_no_time() -> None:
    storage = CountingStorage(MemoryStorage())

    await asyncio.gather(*(storage.put(Key(n), b"") for n in range(5)))

    assert (storage.steps, storage.most_at_once) == (1, 5)


def test_the_most_requests_at_once_are_remembered() -> None:
    async def work(storage: CountingStorage) -> None:
        await asyncio.gather(*(storage.put(Key(n), b"") for n in range(5)))
        await storage.get(Key(0))

    storage = slow()
    measured(work, storage)

    assert storage.most_at_once == 5


def test_rounds_of_requests_are_as_many_steps() -> None:
    async def work(storage: CountingStorage) -> None:
        for _ in range(3):
            await asyncio.gather(*(storage.put(Key(n), b"") for n in range(5)))

    storage = slow()

    assert measured(work, storage) == storage.steps == 3
    assert (storage.total, storage.most_at_once) == (15, 5)


def test_a_long_request_beside_a_chain_of_short_ones_adds_no_step() -> None:
    async def chain(storage: CountingStorage) -> None:
        for _ in range(3):
            await storage.put(KEY, b"")

    async def work(storage: CountingStorage) -> None:
        await asyncio.gather(storage.scan(Key()), chain(storage))

    faulty = FaultyStorage(MemoryStorage(), lambda request: 10.0 if request.kind == "scan" else 1.0)
    storage = CountingStorage(faulty)

    assert measured(work, storage) == 10
    assert (storage.steps, storage.most_at_once) == (3, 2)


def test_what_takes_no_time_at_all_is_still_a_step() -> None:
    async def work(storage: CountingStorage) -> None:
        await storage.put(KEY, b"")
        await storage.get(KEY)

    storage = CountingStorage(MemoryStorage())

    assert measured(work, storage) == 0
    assert storage.steps == 2


async def test_nothing_is_counted_before_the_first_request() -> None:
    storage = CountingStorage(MemoryStorage())

    assert (storage.counts, storage.total, storage.steps, storage.most_at_once) == ({}, 0, 0, 0)
    assert str(storage) == "no requests in 0 steps"


async def test_reset_counts_from_zero() -> None:
    storage = CountingStorage(MemoryStorage())
    await storage.put(KEY, b"")
    await storage.get(KEY)

    storage.reset()
    await storage.get(KEY)

    assert (storage.counts, storage.total, storage.steps, storage.most_at_once) == ({"get": 1}, 1, 1, 1)


def test_reset_keeps_what_is_under_way_out_of_what_comes_after() -> None:
    async def work(storage: CountingStorage) -> None:
        for _ in range(3):
            await storage.put(KEY, b"")
        begun_before = asyncio.create_task(storage.scan(Key()))
        await asyncio.sleep(0.5)
        storage.reset()
        await begun_before

    storage = slow()
    measured(work, storage)

    assert (storage.counts, storage.steps) == ({}, 0)


def test_after_a_reset_requests_at_once_are_still_told() -> None:
    async def work(storage: CountingStorage) -> None:
        begun_before = asyncio.create_task(storage.scan(Key()))
        await asyncio.sleep(0.5)
        storage.reset()
        await begun_before
        await asyncio.gather(storage.get(KEY), storage.get(KEY), return_exceptions=True)

    storage = slow()
    measured(work, storage)

    assert storage.most_at_once == 2


def test_it_shows_what_is_inside() -> None:
    assert repr(CountingStorage(MemoryStorage())) == "CountingStorage(MemoryStorage(0 entries))"
