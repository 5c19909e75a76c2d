"""Wrappers: they do what the storage inside does, and offer no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ssshelf.errors import UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import Put
from ssshelf.storages.memory import MemoryStorage
from ssshelf.storages.wrapper import WrapperStorage

if TYPE_CHECKING:
    from ssshelf.storages.base import IfMatch

KEY = Key("a")


class Deletions(MemoryStorage):
    """Tells which keys were deleted one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted: list[Key] = []

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        self.deleted.append(key)
        await super().delete(key, condition=condition)


async def test_a_wrapper_offers_no_transactions_that_are_not_there() -> None:
    storage = WrapperStorage(MemoryStorage(transactions=False))

    with pytest.raises(UnsupportedError, match=r"MemoryStorage\(0 entries\) has no transactions"):
        await storage.commit([Put(KEY, b"1"), Put(Key("b"), b"2")])

    assert (await storage.scan(Key())).rows == ()


async def test_a_wrapper_deletes_one_by_one_where_the_store_cannot_do_better() -> None:
    inner = Deletions()
    await inner.put(KEY, b"1")

    await WrapperStorage(inner).delete_many([KEY, Key("b")])

    assert inner.deleted == [KEY, Key("b")]
    assert (await inner.scan(Key())).rows == ()


def test_a_wrapper_can_do_what_the_storage_inside_can() -> None:
    inner = MemoryStorage(transactions=False)

    assert WrapperStorage(inner).capabilities is inner.capabilities


async def test_closing_a_wrapper_closes_the_storage_inside() -> None:
    inner = MemoryStorage()

    async with WrapperStorage(inner):
        await inner.put(KEY, b"1")

    with pytest.raises(ValueError, match="closed"):
        await inner.get(KEY)


def test_a_wrapper_shows_what_is_inside() -> None:
    class Mine(WrapperStorage):
        pass

    assert repr(Mine(WrapperStorage(MemoryStorage()))) == "Mine(WrapperStorage(MemoryStorage(0 entries)))"
