"""A writer whose machine sleeps in the middle of a write does not guess when it wakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ssshelf import CommitUnknownError, Key, MemoryStorage, RetryPolicy, UnavailableError
from ssshelf.storages.wrapper import WrapperStorage
from tests.bookmarks import Bookmarks, bookmark

if TYPE_CHECKING:
    from ssshelf.storages.base import Condition

ITEM = Key("items", "bookmarks", "a")


class Sleepy(WrapperStorage):
    """Loses the answer to the put of an item; when the writer wakes, the item was removed, swept, and created anew."""

    now = 0.0

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        etag = await super().put(key, data, condition=condition)
        if key != ITEM:
            return etag
        shelf = Bookmarks(self.inner)
        await shelf.remove_item("a")
        await self.inner.delete(ITEM)
        await shelf.insert_item(bookmark("a", 2000))
        self.now += 3600
        msg = "no answer"
        raise UnavailableError(msg)


async def test_who_sleeps_until_a_sweep_has_forgotten_the_write_does_not_call_it_lost() -> None:
    storage = MemoryStorage(transactions=False)
    await Bookmarks(storage).insert_item(bookmark("a", 1999))
    sleepy = Sleepy(storage)
    shelf = Bookmarks(sleepy, retries=RetryPolicy(clock=lambda: sleepy.now))

    with pytest.raises(CommitUnknownError):
        await shelf.update_item("a", lambda item: item.update(year=2024))
