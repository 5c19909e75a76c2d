"""Which entries of an SQLite file are read in the thread of the caller; told by whether the caller has to wait."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import CorruptionError, NotFoundError
from ssshelf.keys import Key
from ssshelf.storages._sqlite_connections import ASK
from ssshelf.storages._sqlite_reading import NearReader, Reading, select
from ssshelf.storages.base import Entry, content_etag
from ssshelf.storages.sqlite import SQLiteStorage, _connect, _connect_twice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = Key("a")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shelf.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SQLiteStorage]:
    """Open a storage that has read before."""
    async with SQLiteStorage(path) as storage:
        storage._near_reader._clock = lambda: 0.0  # so that no read is slow
        await storage.put(KEY, b"1")
        await storage.get(KEY)
        yield storage


async def waits(storage: SQLiteStorage, key: Key = KEY) -> bool:
    """Return whether a get is answered by another thread."""
    getting = storage.get(key)
    try:
        waited_for = getting.send(None)
    except (StopIteration, NotFoundError):
        return False
    await asyncio.wait([waited_for])
    getting.close()
    return True


async def test_a_small_entry_is_read_at_once(storage: SQLiteStorage) -> None:
    assert not await waits(storage)
    assert not await waits(storage, Key("absent"))
    assert await storage.get(KEY) == await storage.get(KEY)


async def test_the_first_read_opens_the_file_in_a_thread(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        assert await waits(storage)
        assert not await waits(storage)


async def test_what_was_written_is_read(storage: SQLiteStorage, path: Path) -> None:
    async with SQLiteStorage(path) as other:
        for value in (b"2", b"3"):
            await other.put(KEY, value)
            assert (await storage.get(KEY)).data == value
        await other.delete(KEY)
        with pytest.raises(NotFoundError):
            await storage.get(KEY)


@pytest.mark.parametrize(("size", "far"), [(64 * 1024, False), (64 * 1024 + 1, True)])
async def test_a_large_entry_is_read_in_the_thread(storage: SQLiteStorage, size: int, far: bool) -> None:  # noqa: FBT001
    data = b"x" * size
    await storage.put(KEY, data)

    assert await waits(storage) == far
    assert (await storage.get(KEY)).data == data


async def test_the_event_loop_gets_its_turn(storage: SQLiteStorage) -> None:
    far = [number for number in range(200) if await waits(storage)]

    assert [later - earlier for earlier, later in pairwise(far)] == [65] * (len(far) - 1)
    assert len(far) == 3


def test_a_slow_read_sends_the_next_ones_to_the_thread(path: Path) -> None:
    took_s = 0.0
    numbers = count()
    near = NearReader(
        partial(_connect_twice, Reading, partial(_connect, str(path), 1.0)), clock=lambda: took_s * next(numbers)
    )
    with closing(near.open()):
        assert near.find(KEY) is None
        took_s = 0.006
        assert near.find(KEY) is None
        took_s = 0.0
        assert [near.find(KEY) is ASK for _ in range(66)] == [True] * 65 + [False]


async def test_who_blocks_has_no_turn_to_give(storage: SQLiteStorage) -> None:
    entry = await storage.get(KEY)

    assert await asyncio.to_thread(lambda: [storage.get_now(KEY) for _ in range(200)]) == [entry] * 200
    await storage.put(KEY, data := b"x" * 1_000_000)
    assert await asyncio.to_thread(storage.get_now, KEY) == Entry(data, content_etag(data))
    with pytest.raises(NotFoundError):
        await asyncio.to_thread(storage.get_now, Key("absent"))


async def test_an_event_loop_waits_for_nobody_who_reads_and_who_blocks_for_others(storage: SQLiteStorage) -> None:
    entry = await storage.get(KEY)
    held, release = threading.Event(), threading.Event()

    def hold() -> Any:
        reading = storage._near_reader._opened()
        assert reading is not None
        with reading.lock:
            held.set()
            release.wait()
            return storage.get_now(KEY)  # as what interrupts a read may do

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(held.wait)
    assert await waits(storage)
    waiting = asyncio.create_task(asyncio.to_thread(storage.get_now, KEY))
    release.set()
    assert (await holding, await waiting) == (entry, entry)
    assert not await waits(storage)


async def test_what_is_not_at_hand_has_to_be_awaited(storage: SQLiteStorage, path: Path) -> None:
    reading = storage._near_reader._opened()
    assert reading is not None
    reading.near.close()  # as any error
    assert await asyncio.to_thread(storage.get_now, KEY) is None
    async with SQLiteStorage(path) as unused:
        assert await asyncio.to_thread(unused.get_now, KEY) is None
    await storage.aclose()
    assert await asyncio.to_thread(storage.get_now, KEY) is None


async def test_nobody_waits_for_a_lock_of_the_file_here(storage: SQLiteStorage) -> None:
    reading = storage._near_reader._opened()
    assert reading is not None
    assert await asyncio.to_thread(lambda: reading.near.execute("PRAGMA busy_timeout").fetchone()) == (0,)
    reading.near.close()  # any error is the thread's to tell, or to wait for

    assert await waits(storage)
    assert (await storage.get(KEY)).data == b"1"


async def test_a_damaged_entry_is_noticed(storage: SQLiteStorage, path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE entries SET data = x'32'")
    connection.close()

    for _ in range(2):
        with pytest.raises(CorruptionError, match="it is damaged"):
            await storage.get(KEY)


def test_what_was_read_with_is_closed(path: Path) -> None:
    async def use() -> Any:
        async with SQLiteStorage(path) as storage:
            await storage.put(KEY, b"1")
            await storage.get(KEY)
            reading = storage._near_reader._opened()
        with pytest.raises(ValueError, match="the storage is closed"):
            await storage.get(KEY)
        return reading

    reading = asyncio.run(use())
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        select(KEY, reading.near)
