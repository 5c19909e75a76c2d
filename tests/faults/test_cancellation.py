"""A call that is cancelled, at whichever moment, leaves a sound shelf, no task, and no connection in use."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import selectors
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import Collection, ConflictError, Key, NotFoundError, RetryPolicy, S3Storage
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.testing import FaultyStorage
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark
from tests.faults.test_crash_at_each_step import BYSTANDER, CASES, Case
from tests.storages import BUCKET, ceph, open_named, open_requests, s3_storage, servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ssshelf.storages.base import Storage


class Shelf(Bookmarks):
    by_slug = Collection[Bookmark](lambda item: item["slug"].upper(), unique=True)


async def stream(shelf: Bookmarks) -> None:
    async for item in shelf.newest.prefix():
        assert item["slug"]
        await asyncio.sleep(0)


A_FEW_TURNS = 20
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
ON_MOTO = ["insert", "remove", "get", "stream"]
ON_CEPH = [*ON_MOTO, "add over", "update", "page"]
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


async def within(limit: asyncio.Timeout, call: Awaitable[Any]) -> bool:
    """Return whether a call was done within its limit."""
    try:
        async with limit:
            await call
    except TimeoutError:
        return False
    return True


def end(limit: asyncio.Timeout) -> None:
    with contextlib.suppress(RuntimeError):  # the call is done, although its task has a turn to go
        limit.reschedule(0)


async def interrupted_after(turns: int, turning: Turns, call: Awaitable[Any], *, by_timeout: bool) -> bool:
    """Cancel a call after so many turns of the loop; return whether it was done before."""
    others = asyncio.all_tasks()
    limit = asyncio.timeout(None)
    task = asyncio.ensure_future(within(limit, call))
    turning.act_after(turns, partial(end, limit) if by_timeout else task.cancel)
    await asyncio.wait([task])
    turning.act_after(-1, bool)  # never, and nothing is kept alive
    done = not task.cancelled() and task.result()
    del task, call
    for _ in range(A_FEW_TURNS):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - others == set()
    return done


async def interrupt_at_each_turn(storage: Storage, case: Case, turning: Turns, *, by_timeout: bool = False) -> int:
    for turns in itertools.count(1):  # in the first one it begins
        part = PrefixedStorage(storage, Key(turns))
        shelf = Shelf(part, retries=RetryPolicy(base_s=0))
        await shelf.add_items([BYSTANDER, *case.before])

        done = await interrupted_after(turns, turning, case.do(shelf), by_timeout=by_timeout)

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


def run_turn_by_turn(main: Callable[[Turns], Coroutine[Any, Any, int]]) -> int:
    turning = Turns()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turning)) as runner:
        return runner.run(main(turning))


@pytest.fixture
def read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream of a few items have pages to read ahead."""
    monkeypatch.setattr("ssshelf.listings.PAGE_LIMIT", 2)


LOCAL = [(kind, name) for kind in ("memory", "memory-plain", "sqlite") for name in ALL]
ON_SERVERS = [
    *(("moto", name) for name in ON_MOTO),
    *(pytest.param("ceph", name, marks=ceph) for name in ON_CEPH),
    *(pytest.param("dynamodb", name, marks=servers) for name in ON_MOTO),
]


@pytest.mark.usefixtures("read_ahead")
@pytest.mark.parametrize(("kind", "name"), [*LOCAL, *ON_SERVERS])
def test_a_call_may_be_cancelled_at_any_time(request: pytest.FixtureRequest, kind: str, name: str) -> None:
    async def main(turning: Turns) -> int:
        async with open_named(kind, request) as storage:
            slow = SlowStorage(storage) if kind.startswith("memory") else storage
            return await interrupt_at_each_turn(slow, ALL[name], turning)

    is_read_at_once = (kind, name) == ("sqlite", "get")
    assert run_turn_by_turn(main) > (0 if is_read_at_once else 1)


@pytest.mark.usefixtures("read_ahead")
@pytest.mark.parametrize(("kind", "name"), [*(("memory-plain", name) for name in ALL), ("moto", "insert")])
def test_a_call_may_run_out_of_time_at_any_time(request: pytest.FixtureRequest, kind: str, name: str) -> None:
    async def main(turning: Turns) -> int:
        async with open_named(kind, request) as storage:
            slow = SlowStorage(storage) if kind.startswith("memory") else storage
            return await interrupt_at_each_turn(slow, ALL[name], turning, by_timeout=True)

    assert run_turn_by_turn(main) > 1


def test_the_first_use_of_a_storage_may_be_cancelled_at_any_time(moto_url: str) -> None:
    async def main(turning: Turns) -> int:
        async with s3_storage(moto_url) as made:
            prefix = made.prefix
        for turns in itertools.count(1):
            async with S3Storage(BUCKET, prefix, endpoint_url=moto_url, addressing_style="path") as storage:
                done = await interrupted_after(turns, turning, storage.scan(Key()), by_timeout=False)

                assert open_requests(storage) == 0
                assert (await storage.scan(Key())).rows == ()
                if done:
                    return turns
        raise AssertionError

    assert run_turn_by_turn(main) > 1
