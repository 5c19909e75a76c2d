"""A real S3 behind a proxy that makes every fault of the network and of a busy store."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CommitUnknownError, Key, RetryBudget, UnavailableError
from ssshelf.storages.base import IfAbsent
from ssshelf.storages.s3 import S3Storage
from tests.bookmarks import Bookmarks, assert_in_step, bookmark
from tests.faults.network import (
    AT_ONCE,
    EVERY,
    IMPATIENT,
    IN_TIME,
    NOT_APPLIED,
    once,
    outcomes,
    survive_a_storm,
    tell_a_late_commit_apart,
    tries,
)
from tests.servers.fault_proxy import Fault, FaultProxy, Request
from tests.storages import OVERHEARD_SESSION, SESSION, ceph, open_requests, s3_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from aiobotocore.session import AioSession

KEY = Key("a")
OTHER = Key("b")


@pytest.fixture(params=["moto", pytest.param("ceph", marks=ceph)])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@contextlib.asynccontextmanager
async def faulty(url: str, **options: Any) -> AsyncIterator[tuple[FaultProxy, S3Storage]]:
    async with FaultProxy(url).serving() as proxy, s3_storage(url, endpoint_url=proxy.url, **options) as storage:
        proxy.requests.clear()
        yield proxy, storage
        assert open_requests(storage) == 0


def is_commit(request: Request) -> bool:
    return request.method == "PUT" and "/items!/" in request.path


def one_of_each(storage: S3Storage) -> list[Awaitable[Any]]:
    return [
        storage.get(KEY),
        storage.scan(Key()),
        storage.put(KEY, b"new"),
        storage.put(OTHER, b"new", condition=IfAbsent()),
        storage.delete(Key("c")),
        storage.delete_many([Key("d"), Key("e")]),
    ]


@pytest.mark.parametrize("session", [SESSION, OVERHEARD_SESSION], ids=["wire", "aiobotocore"])
@pytest.mark.parametrize("fault", EVERY)
async def test_requests_that_keep_failing_are_given_up_after_their_attempts(
    url: str, fault: Fault, session: AioSession
) -> None:
    attempts, limits = (3, {}) if fault in AT_ONCE else (2, IMPATIENT)
    async with faulty(url, retries=tries(attempts), session=session, **limits) as (proxy, storage):
        await storage.put(KEY, b"old" * 100)
        proxy.requests.clear()
        proxy.plan = lambda _: fault

        failures = await outcomes(*one_of_each(storage))

        sent = {"GET": 2 * attempts, "PUT": attempts + 1, "DELETE": attempts, "POST": attempts}
        assert [type(failure) for failure in failures] == [UnavailableError] * 6
        assert all(failure.maybe_applied for failure in failures)
        arrived = Counter(request.method for request in proxy.requests)
        assert arrived == sent or (fault in IN_TIME and arrived <= Counter(sent))  # time may be up before one arrives

        proxy.plan = None
        assert (await storage.get(KEY)).data == (b"old" * 100 if fault in NOT_APPLIED else b"new")
        assert [row.key for row in (await storage.scan(Key())).rows] == (
            [KEY] if fault in NOT_APPLIED else [KEY, OTHER]
        )


async def test_an_answer_whose_body_trickles_in_is_given_up(url: str) -> None:
    async with faulty(url, retries=tries(2), **IMPATIENT) as (proxy, storage):
        await storage.put(KEY, b"a" * 1000)
        proxy.requests.clear()
        proxy.plan = lambda _: Fault.SLOW_BODY

        failures = await outcomes(storage.get(KEY), storage.scan(Key()))

        assert [type(failure) for failure in failures] == [UnavailableError] * 2
        assert len(proxy.requests) == 4


@pytest.mark.parametrize("fault", [*EVERY, Fault.SLOW_BODY, Fault.TWICE])
async def test_one_failure_of_a_request_is_made_up_for(url: str, fault: Fault) -> None:
    async with faulty(url, retries=tries(8), **IMPATIENT) as (proxy, storage):
        await storage.put(KEY, b"old" * 100)

        proxy.plan = once(fault)
        assert (await storage.get(KEY)).data == b"old" * 100
        proxy.plan = once(fault)
        assert [row.key for row in (await storage.scan(Key())).rows] == [KEY]
        proxy.plan = once(fault)
        await storage.put(KEY, b"new")
        proxy.plan = once(fault)
        await storage.delete_many([OTHER, Key("c")])
        proxy.plan = once(fault)
        await storage.delete(OTHER)

        proxy.plan = None
        assert (await storage.get(KEY)).data == b"new"
        assert proxy.faults[fault] == 5


async def test_requests_that_wait_for_a_connection_are_given_up_too(url: str) -> None:
    async with faulty(url, retries=tries(1), concurrency=1, **IMPATIENT) as (proxy, storage):
        await storage.put(KEY, b"old")
        proxy.requests.clear()
        proxy.plan = lambda _: Fault.HANG

        failures = await outcomes(*(storage.get(KEY) for _ in range(5)))

        assert [type(failure) for failure in failures] == [UnavailableError] * 5
        assert 1 <= len(proxy.requests) < 5
        proxy.plan = None
        assert (await storage.get(KEY)).data == b"old"


class Recording(random.Random):
    """Notes the longest pause there might be, and the one drawn."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.drawn: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.drawn.append((b, super().uniform(a, b)))
        return self.drawn[-1][1]


async def test_the_pauses_between_attempts_are_jittered(url: str) -> None:
    dice = [Recording(seed) for seed in range(2)]
    for each in dice:
        async with faulty(url, retries=tries(6, cap_s=0.004, dice=each)) as (proxy, storage):
            proxy.plan = lambda _: Fault.SLOW_DOWN
            each.drawn.clear()

            await outcomes(storage.get(KEY))

            assert len(proxy.requests) == 6

    assert [[longest for longest, _ in each.drawn] for each in dice] == [[0.001, 0.002, 0.004, 0.004, 0.004]] * 2
    assert all(0 <= pause <= longest for each in dice for longest, pause in each.drawn)
    assert len({pause for each in dice for _, pause in each.drawn}) == 10


async def test_an_outage_is_not_answered_by_a_storm(url: str) -> None:
    budget = RetryBudget(100, cost=5)
    async with faulty(url, retries=tries(8, budget=budget)) as (proxy, storage):
        await storage.put(KEY, b"old")
        proxy.requests.clear()
        proxy.plan = lambda _: Fault.SLOW_DOWN

        for _ in range(3):
            await outcomes(*(storage.get(KEY) for _ in range(20)))

        assert len(proxy.requests) == 3 * 20 + 100 // 5
        proxy.plan = None
        assert (await storage.get(KEY)).data == b"old"
        proxy.plan = once(Fault.SLOW_DOWN)
        assert isinstance((await outcomes(storage.get(KEY)))[0], UnavailableError)  # not yet
        for _ in range(5):
            await storage.get(KEY)
        proxy.plan = once(Fault.SLOW_DOWN)
        assert (await storage.get(KEY)).data == b"old"


async def test_writers_in_an_outage_stay_within_the_budget(url: str) -> None:
    policy = tries(8, budget=RetryBudget(100, cost=5))
    async with faulty(url, retries=policy) as (proxy, storage):
        shelf = Bookmarks(storage, retries=policy)
        items = [bookmark(f"i{number}", 2000 + number, "x") for number in range(20)]
        await shelf.add_items(items)
        proxy.requests.clear()
        proxy.plan = lambda _: Fault.SLOW_DOWN

        failures = await outcomes(*(shelf.add_item({**item, "tags": ["y"]}) for item in items))

        assert {type(failure) for failure in failures} == {UnavailableError}
        assert len(proxy.requests) <= 20 + 100 // 5
        proxy.plan = None
        await assert_in_step(shelf, items)
        await shelf.add_items({**item, "tags": ["y"]} for item in items)
        await assert_in_step(shelf, [{**item, "tags": ["y"]} for item in items])


@pytest.mark.parametrize("fault", [*EVERY, Fault.TWICE])
async def test_a_commit_that_fails_once_is_done_once(url: str, fault: Fault) -> None:
    async with faulty(url, retries=tries(8), **IMPATIENT) as (proxy, storage):
        shelf = Bookmarks(storage, retries=tries(8))
        proxy.plan = once(fault, is_commit)
        rev = await shelf.insert_item(bookmark("a", 2024, "x"))
        proxy.plan = once(fault, is_commit)
        second = await shelf.update_item("a", lambda item: item.update(tags=["y"]))

        proxy.plan = None
        assert (rev[:2], second[:2]) == ("1-", "2-")
        assert await shelf.was_committed("a", rev)
        assert (await shelf.get_revision("a"))[1] == second
        await assert_in_step(shelf, [bookmark("a", 2024, "y")])
        assert proxy.faults[fault] == 2


async def test_requests_that_all_arrive_twice_do_no_harm(url: str) -> None:
    async with faulty(url) as (proxy, storage):
        proxy.plan = lambda _: Fault.TWICE
        shelf = Bookmarks(storage)
        await shelf.insert_item(bookmark("a", 2024, "x"))
        await shelf.add_item(bookmark("b", 2024, "x"))
        await shelf.update_item("a", lambda item: item.update(tags=["y"]))
        await shelf.remove_item("b")

        await assert_in_step(shelf, [bookmark("a", 2024, "y")])


async def test_a_commit_whose_answer_never_comes_is_found_out_later(url: str) -> None:
    cut = False

    def cut_from_the_commit_on(request: Request) -> Fault | None:
        nonlocal cut
        cut = cut or is_commit(request)
        return Fault.CUT_AFTER if cut else None

    async with faulty(url, retries=tries(3)) as (proxy, storage):
        shelf = Bookmarks(storage, retries=tries(3))
        proxy.plan = cut_from_the_commit_on

        with pytest.raises(CommitUnknownError) as caught:
            await shelf.insert_item(bookmark("a", 2024, "x"))

        proxy.plan = None
        assert await shelf.was_committed("a", caught.value.rev)
        await assert_in_step(shelf, [bookmark("a", 2024, "x")])


async def test_a_commit_that_arrives_late_is_told_apart(url: str) -> None:
    async with faulty(url, retries=tries(2), **IMPATIENT) as (proxy, storage):
        await tell_a_late_commit_apart(proxy, storage, is_commit)


async def test_a_commit_that_somebody_else_overtook_never_arrives(url: str) -> None:
    async with faulty(url, retries=tries(2), **IMPATIENT) as (proxy, storage):
        shelf = Bookmarks(storage, retries=tries(2))
        await shelf.insert_item(bookmark("a", 2024, "x"))
        proxy.plan = lambda request: Fault.LATE if is_commit(request) else None
        with pytest.raises(CommitUnknownError) as caught:
            await shelf.update_item("a", lambda item: item.update(tags=["y"]))
        proxy.plan = None

        await shelf.update_item("a", lambda item: item.update(tags=["z"]))
        await proxy.deliver_late()

        assert not await shelf.was_committed("a", caught.value.rev)
        await assert_in_step(shelf, [bookmark("a", 2024, "z")])


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_in_a_storm(url: str, seed: int) -> None:
    dice = random.Random(seed)
    async with faulty(url, retries=tries(3, dice=dice)) as (proxy, storage):
        shelf = Bookmarks(storage, retries=tries(3, dice=dice))
        await survive_a_storm(proxy, shelf, dice)
        assert sum(proxy.faults.values()) > 50


@pytest.mark.parametrize("page", [b"<html><body>Log in</body></html>", b"", b"Log in", b"{}"])
async def test_a_page_of_something_in_between_is_no_empty_listing(page: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(page), page))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with S3Storage("b", endpoint_url=f"http://127.0.0.1:{port}", retries=tries(2)) as storage:
            with pytest.raises(UnavailableError):
                await storage.scan(Key())
