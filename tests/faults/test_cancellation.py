"""A call that is cancelled, at whichever moment, leaves a sound shelf, no task, and no connection in use."""

from __future__ import annotations

import asyncio
import itertools
import selectors
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import Collection, ConflictError, Key, NotFoundError, RetryPolicy, S3Storage
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.testing import FaultyStorage
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark
from tests.faults.test_crash_at_each_step import BYSTANDER, CASES, Case
from tests.storages import ceph, open_named, open_requests

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.base import Storage


class Shelf(Bookmarks):
    by_slug = Collection[Bookmark](lambda item: item["slug"].upper(), unique=True)


async def stream(shelf: Bookmarks) -> None:
    async for item in shelf.newest.prefix():
        assert item["slug"]
        await asyncio.sleep(0)


A_FEW_TURNS = 10
"""In which the loop closes a generator whose consumer was cancelled, and what that reads ahead."""

THREE = [bookmark(f"m{number}", 2000 + number, "x") for number in range(3)]
READS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "get": lambda m: m.get_item("m0"),
    "get many": lambda m: m.get_items(["m0", "m1", "m2"]),
    "page": lambda m: m.tagged.get_items(),
    "keys": lambda m: m.tagged.get_keys(),
    "count": lambda m: m.tagged.count(),
    "stream": stream,
    "verify": lambda m: m.verify(),
    "sweep": lambda m: m.sweep(),
    "reindex": lambda m: m.reindex(force=True),
}
ON_SERVERS = ["insert", "add over", "update", "remove", "get", "page", "stream"]
"""There each turn takes long, and the others make no request that these do not make, too."""

ALL = {**CASES, **{name: Case(THREE, do, THREE) for name, do in READS.items()}}


class SlowStorage(FaultyStorage):
    """Is suspended before and after each request, as memory itself is not."""

    async def _meet(self, kind: str, keys: tuple[Key, ...], apply: Callable[[], Awaitable[Any]]) -> Any:
        await asyncio.sleep(0)
        answer = await super()._meet(kind, keys, apply)
        await asyncio.sleep(0)
        return answer


class Turns(selectors.DefaultSelector):
    """Counts the turns of an event loop, between which every task is suspended, and acts in one of them."""

    left = -1

    def act_after(self, turns: int, act: Callable[[], object]) -> None:
        self.left, self.act = turns, act

    def select(self, timeout: float | None = None) -> Any:
        self.left -= 1
        if self.left == -1:
            self.act()
            timeout = 0  # what was caused has to run
        return super().select(timeout)


async def found(shelf: Bookmarks, case: Case) -> list[Bookmark]:
    """Return the items there are, once the store is done with what was cancelled, and check all listings of them."""
    slugs = dict.fromkeys(item["slug"] for item in (BYSTANDER, *case.before, *case.after))
    while True:
        items = [item for slug in slugs if (item := await shelf.find_item(slug)) is not None]
        try:
            await assert_in_step(shelf, items)
        except (AssertionError, NotFoundError):
            if items == [item for slug in slugs if (item := await shelf.find_item(slug)) is not None]:
                raise
        else:
            assert all(item in (BYSTANDER, *case.before, *case.after) for item in items)
            return items


async def cancelled_after(turns: int, turning: Turns, call: Awaitable[Any]) -> bool:
    """Cancel a call after so many turns of the loop; return whether it was done before."""
    others = asyncio.all_tasks()
    task = asyncio.ensure_future(call)
    turning.act_after(turns, task.cancel)
    await asyncio.wait([task])
    turning.left = -1
    assert task.cancelled() or task.result() is not NotImplemented  # raises what else it may have raised
    done = not task.cancelled()
    del task, call
    for _ in range(A_FEW_TURNS):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - others == set()
    return done


async def cancel_at_each_turn(storage: Storage, case: Case, turning: Turns) -> int:
    for turns in itertools.count():
        part = PrefixedStorage(storage, Key(turns))
        shelf = Shelf(part, retries=RetryPolicy(base_s=0))
        await shelf.add_items([BYSTANDER, *case.before])

        done = await cancelled_after(turns, turning, case.do(shelf))

        assert not isinstance(storage, S3Storage) or open_requests(storage) == 0
        items = await found(shelf, case)
        if done:
            assert items == [BYSTANDER, *case.after]
            return turns
        try:
            await case.do(shelf)
        except ConflictError:
            assert await found(shelf, case) == [BYSTANDER, *case.after]
        await assert_in_step(shelf, [BYSTANDER, *case.after])
    raise AssertionError


LOCAL = [(kind, name) for kind in ("memory", "memory-plain", "sqlite") for name in ALL]
REMOTE = [
    pytest.param(kind, name, marks=[ceph] if kind == "ceph" else []) for kind in ("moto", "ceph") for name in ON_SERVERS
]


@pytest.mark.parametrize(("kind", "name"), [*LOCAL, *REMOTE])
def test_a_call_may_be_cancelled_at_any_time(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    monkeypatch.setattr("ssshelf.collections.PAGE_LIMIT", 2)  # so that a stream reads ahead
    turning = Turns()

    async def main() -> int:
        async with open_named(kind, request) as storage:
            slow = SlowStorage(storage) if kind.startswith("memory") else storage
            return await cancel_at_each_turn(slow, ALL[name], turning)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turning)) as runner:
        turns = runner.run(main())

    assert turns > 1
