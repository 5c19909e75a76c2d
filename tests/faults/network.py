"""Faults of the network, by when they show, and clients that meet them."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CommitUnknownError, ConflictError, NotFoundError, RetryPolicy, UnavailableError
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark
from tests.servers.fault_proxy import Fault, FaultProxy, Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.base import Storage

__all__ = [
    "AT_ONCE",
    "EVERY",
    "IMPATIENT",
    "IN_TIME",
    "NOT_APPLIED",
    "once",
    "outcomes",
    "survive_a_storm",
    "tell_a_late_commit_apart",
    "tries",
]

IMPATIENT = {"connect_timeout_s": 0.4, "read_timeout_s": 0.4}
AT_ONCE = {Fault.SLOW_DOWN, Fault.ERROR_AFTER, Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_MIDWAY}
IN_TIME = {Fault.SLOW_HEAD, Fault.SLOW_BODY, Fault.HANG, Fault.LATE}
NOT_APPLIED = {Fault.SLOW_DOWN, Fault.CUT_BEFORE, Fault.HANG, Fault.LATE}
EVERY = sorted({*AT_ONCE, *IN_TIME} - {Fault.SLOW_BODY}, key=str)


def tries(attempts: int, **settings: Any) -> RetryPolicy:
    return RetryPolicy(**{"attempts": attempts, "base_s": 0.001, **settings})


def once(fault: Fault, wanted: Callable[[Request], bool] = lambda _: True) -> Callable[[Request], Fault | None]:
    """Return the plan that does it to the first request that is ``wanted``."""
    left = [fault]
    return lambda request: left.pop() if left and wanted(request) else None


async def outcomes(*requests: Awaitable[Any]) -> list[Any]:
    async with asyncio.timeout(20):
        return await asyncio.gather(*requests, return_exceptions=True)


async def survive_a_storm(proxy: FaultProxy, shelf: Bookmarks, dice: random.Random) -> None:
    """Let 12 writers write while a third of all requests fail, and check that what was acknowledged is there."""
    likely = [*sorted(AT_ONCE, key=str), Fault.TWICE]
    # By primary key: what may be stored, of which only the first was acknowledged.
    possible: dict[str, list[Bookmark | None]] = {f"i{number}": [None] for number in range(12)}

    async def write(slug: str) -> None:
        for _ in range(6):
            item = None if dice.random() < 0.2 else bookmark(slug, dice.randrange(9), *dice.sample("xyz", 2))
            try:
                await (shelf.remove_item(slug) if item is None else shelf.add_item(item))
            except CommitUnknownError:
                possible[slug].append(item)
            except (ConflictError, NotFoundError, UnavailableError):
                continue
            else:
                possible[slug] = [item]

    proxy.plan = lambda _: dice.choice(likely) if dice.random() < 0.3 else None
    results = await outcomes(*map(write, possible))
    proxy.plan = None

    assert results == [None] * 12
    found = {slug: await shelf.find_item(slug) for slug in possible}
    assert {slug: found[slug] for slug in possible if found[slug] not in possible[slug]} == {}
    await assert_in_step(shelf, [item for item in found.values() if item is not None])


async def tell_a_late_commit_apart(proxy: FaultProxy, storage: Storage, is_commit: Callable[[Request], bool]) -> None:
    """Have a commit arrive after its writer has given up, and see what the shelf tells before and after."""
    shelf = Bookmarks(storage, retries=tries(2))
    old = bookmark("a", 2024, "x")
    await shelf.insert_item(old)
    proxy.plan = lambda request: Fault.LATE if is_commit(request) else None
    with pytest.raises(CommitUnknownError) as caught:
        await shelf.update_item("a", lambda item: item.update(tags=["y"]))
    proxy.plan = None

    with pytest.raises(CommitUnknownError):
        await shelf.was_committed("a", caught.value.rev)
    await assert_in_step(shelf, [old])
    await proxy.deliver_late()

    assert await shelf.was_committed("a", caught.value.rev)
    await assert_in_step(shelf, [{**old, "tags": ["y"]}])
