"""A real DynamoDB, or a store like it, behind a proxy that makes every fault of the network and of a busy store."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import Key, UnavailableError
from ssshelf.storages.base import Delete, IfAbsent, Put
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
from tests.storages import TABLES, dynamodb_storage, open_requests, servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from ssshelf.storages.dynamodb import DynamoDBStorage

KEY, OTHER = Key("a", "b", 1), Key("a", "b", 2)


@pytest.fixture(params=TABLES)
def server(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """Return the URL of a server, and whether it has transactions."""
    return request.getfixturevalue(f"{request.param}_url"), request.param == "dynamodb"


@contextlib.asynccontextmanager
async def faulty(server: tuple[str, bool], **options: Any) -> AsyncIterator[tuple[FaultProxy, DynamoDBStorage]]:
    url, transactions = server
    async with (
        dynamodb_storage(url),  # which has all the time it needs to make the table
        FaultProxy(url).serving() as proxy,
        dynamodb_storage(url, endpoint_url=proxy.url, transactions=transactions, **options) as storage,
    ):
        await storage.put(KEY, b"old")
        proxy.requests.clear()
        yield proxy, storage
        assert open_requests(storage) == 0


def limits(fault: Fault) -> dict[str, Any]:
    return {} if fault in {*AT_ONCE, Fault.TWICE} else IMPATIENT


def target(request: Request) -> str:
    return request.message.partition(b"DynamoDB_20120810.")[2].partition(b"\r\n")[0].decode()


def is_commit(request: Request) -> bool:
    return target(request) == "TransactWriteItems" or (
        target(request) == "PutItem" and b'"items!/' in request.message and b"ConditionExpression" in request.message
    )


def one_of_each(storage: DynamoDBStorage) -> dict[str, Awaitable[Any]]:
    requests: dict[str, Awaitable[Any]] = {
        "GetItem": storage.get(KEY),
        "BatchGetItem": storage.get_many([KEY, OTHER]),
        "Query": storage.scan(Key("a", "b")),
        "PutItem": storage.put(OTHER, b"new", condition=IfAbsent()),
        "DeleteItem": storage.delete(Key("a", "b", 3)),
        "BatchWriteItem": storage.delete_many([Key("a", "b", 4), Key("a", "b", 5)]),
    }
    if storage.capabilities.atomic_batch > 1:
        requests["TransactWriteItems"] = storage.commit([Put(KEY, b"new"), Delete(Key("a", "b", 6))])
    return requests


@pytest.mark.parametrize("fault", EVERY)
async def test_requests_that_keep_failing_are_given_up_after_their_attempts(
    server: tuple[str, bool], fault: Fault
) -> None:
    attempts = 3 if fault in AT_ONCE else 2
    async with faulty(server, retries=tries(attempts), **limits(fault)) as (proxy, storage):
        proxy.plan = lambda _: fault

        requests = one_of_each(storage)
        failures = await outcomes(*requests.values())

        sent = Counter({name: 1 if name == "PutItem" else attempts for name in requests})
        assert [type(failure) for failure in failures] == [UnavailableError] * len(requests)
        assert all(failure.maybe_applied for failure in failures)
        arrived = Counter(map(target, proxy.requests))
        assert arrived == sent or (fault in IN_TIME and arrived <= sent)  # time may be up before one arrives

        proxy.plan = None
        done = fault not in NOT_APPLIED
        assert (await storage.get(KEY)).data == (b"new" if done and "TransactWriteItems" in requests else b"old")
        assert [row.key for row in (await storage.scan(Key())).rows] == ([KEY, OTHER] if done else [KEY])


@pytest.mark.parametrize("fault", [*EVERY, Fault.SLOW_BODY, Fault.TWICE])
async def test_one_failure_of_a_request_is_made_up_for(server: tuple[str, bool], fault: Fault) -> None:
    async with faulty(server, retries=tries(8), **limits(fault)) as (proxy, storage):
        requests = one_of_each(storage)
        await requests.pop("PutItem")  # a conditional one, which is not repeated
        for request in requests.values():
            proxy.plan = once(fault)
            await request

        assert proxy.faults[fault] == len(requests)
        proxy.plan = None
        assert [row.key for row in (await storage.scan(Key())).rows] == [KEY, OTHER]


async def test_a_large_answer_has_the_time_it_takes_unless_it_falls_silent(server: tuple[str, bool]) -> None:
    entries = {Key("a", "b", number): bytes([number]) * 380_000 for number in range(3)}
    async with faulty(server, retries=tries(1), connect_timeout_s=0.5, read_timeout_s=1.5) as (proxy, storage):
        for entry in entries.items():
            await storage.put(*entry)

        proxy.plan = once(Fault.SLOW_LINE)  # 400 KiB a second
        found = await storage.get_many(list(entries))

        proxy.plan = once(Fault.STALL)
        with pytest.raises(UnavailableError):
            await storage.get_many(list(entries))

    assert [entry.data if entry else None for entry in found] == list(entries.values())
    assert (proxy.faults[Fault.SLOW_LINE], proxy.faults[Fault.STALL]) == (1, 1)


@pytest.mark.parametrize("fault", [Fault.CUT_AFTER, Fault.ERROR_AFTER, Fault.TWICE])
@servers
async def test_a_transaction_that_arrives_again_is_not_applied_again(dynamodb_url: str, fault: Fault) -> None:
    async with faulty((dynamodb_url, True), retries=tries(3)) as (proxy, storage):
        proxy.plan = once(fault)

        await storage.commit([Put(OTHER, b"1", IfAbsent()), Put(KEY, b"2")])

        assert proxy.faults[fault] == 1
        assert (await storage.get(OTHER)).data == b"1"


@pytest.mark.parametrize("fault", [*EVERY, Fault.TWICE])
async def test_a_commit_that_fails_once_is_done_once(server: tuple[str, bool], fault: Fault) -> None:
    async with faulty(server, retries=tries(8), **limits(fault)) as (proxy, storage):
        shelf = Bookmarks(storage, retries=tries(8))
        proxy.plan = once(fault, is_commit)
        rev = await shelf.insert_item(bookmark("a", 2024, "x"))
        proxy.plan = once(fault, is_commit)
        second = await shelf.update_item("a", lambda item: item.update(tags=["y"]))

        proxy.plan = None
        assert (rev[:2], second[:2]) == ("1-", "2-")
        assert await shelf.was_committed("a", rev)
        await assert_in_step(shelf, [bookmark("a", 2024, "y")])
        assert proxy.faults[fault] == 2


async def test_a_commit_that_arrives_late_is_told_apart(server: tuple[str, bool]) -> None:
    async with faulty(server, retries=tries(1), **IMPATIENT) as (proxy, storage):
        await tell_a_late_commit_apart(proxy, storage, is_commit)


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_in_a_storm(server: tuple[str, bool], seed: int) -> None:
    dice = random.Random(seed)
    async with faulty(server, retries=tries(3, dice=dice)) as (proxy, storage):
        await storage.delete(KEY)
        shelf = Bookmarks(storage, retries=tries(3, dice=dice))
        await survive_a_storm(proxy, shelf, dice)
        assert sum(proxy.faults.values()) > 20
