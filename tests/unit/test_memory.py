"""Memory: what the contract of all storages does not say."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import KeyTooLongError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import Delete, Put
from ssshelf.storages.memory import MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Key("a")
START = dt.datetime(2024, 2, 29, tzinfo=dt.UTC)


def ticking() -> Callable[[], dt.datetime]:
    """Return a clock that goes on by a second each time it is read."""
    times = iter(START + dt.timedelta(seconds=n) for n in range(100))
    return lambda: next(times)


async def test_a_scan_tells_when_an_entry_was_written() -> None:
    storage = MemoryStorage(clock=ticking())
    await storage.put(Key("a"), b"")
    await storage.put(Key("b"), b"")
    await storage.put(Key("a"), b"")

    rows = (await storage.scan(Key())).rows

    assert [row.modified for row in rows] == [START + dt.timedelta(seconds=2), START + dt.timedelta(seconds=1)]


async def test_storages_share_nothing() -> None:
    one, other = MemoryStorage(), MemoryStorage()

    await one.put(KEY, b"")

    assert (await other.scan(Key())).rows == ()


async def test_it_does_what_a_bucket_does_when_made_without_transactions() -> None:
    storage = MemoryStorage(transactions=False)

    with pytest.raises(UnsupportedError, match="was made without transactions"):
        await storage.commit([Put(KEY, b"")])

    assert storage.capabilities.atomic_batch == 1
    assert (await storage.scan(Key())).rows == ()


def test_it_says_that_it_forgets() -> None:
    assert not MemoryStorage().capabilities.persistent


@pytest.mark.parametrize(
    ("impossible", "error"),
    [(Put(Key("b"), "text"), TypeError), (Put(Key("b" * 2000), b""), KeyTooLongError)],  # type: ignore[arg-type]
    ids=["type", "key"],
)
async def test_a_batch_with_an_impossible_entry_is_not_applied_at_all(impossible: Put, error: type[Exception]) -> None:
    storage = MemoryStorage()
    await storage.put(KEY, b"old")

    with pytest.raises(error):
        await storage.commit([Put(KEY, b"new"), Delete(KEY), impossible])

    assert (await storage.get(KEY)).data == b"old"


@pytest.mark.parametrize(
    "operation",
    [
        lambda storage: storage.delete(KEY),
        lambda storage: storage.commit([Delete(KEY)]),
    ],
    ids=["delete", "commit"],
)
async def test_a_closed_storage_changes_nothing(operation: Any) -> None:
    storage = MemoryStorage()
    await storage.aclose()

    with pytest.raises(ValueError, match="this MemoryStorage is closed"):
        await operation(storage)


async def test_it_shows_how_much_is_in_it() -> None:
    storage = MemoryStorage()

    await storage.put(KEY, b"")

    assert repr(storage) == "MemoryStorage(1 entries)"
