"""Faults: each does what it says, so that tests can rely on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import ConflictError, NotFoundError, UnavailableError
from ssshelf.keys import Key
from ssshelf.storages.base import Delete, IfAbsent, IfMatch, Put
from ssshelf.testing import CrashError, Fault, FaultyStorage, MemoryStorage, Request, fail_at, run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, OTHER = Key("a"), Key("b")

# by kind: a request that changes what is under KEY, where it changes anything
REQUESTS: dict[str, Callable[[FaultyStorage], Any]] = {
    "get": lambda storage: storage.get(KEY),
    "put": lambda storage: storage.put(KEY, b"new"),
    "delete": lambda storage: storage.delete(KEY),
    "scan": lambda storage: storage.scan(Key()),
    "commit": lambda storage: storage.commit([Put(KEY, b"new"), Delete(OTHER)]),
    "delete_many": lambda storage: storage.delete_many([KEY, OTHER]),
}
WRITES = {"put": b"new", "delete": None, "commit": b"new", "delete_many": None}
each_request = pytest.mark.parametrize("kind", REQUESTS)
each_write = pytest.mark.parametrize("kind", WRITES)


async def stored(inner: MemoryStorage) -> bytes | None:
    try:
        return (await inner.get(KEY)).data
    except NotFoundError:
        return None


async def faulty(fault: Fault | float | None) -> tuple[FaultyStorage, MemoryStorage]:
    """Return a storage whose first request meets ``fault``, and the one inside, with something in it."""
    inner = MemoryStorage()
    await inner.put(KEY, b"old")
    return FaultyStorage(inner, lambda request: fault if request.number == 0 else None), inner


@each_request
@pytest.mark.parametrize(
    ("fault", "maybe_applied"), [(Fault.UNSENT, False), (Fault.LOST, True), (Fault.ANSWER_LOST, True)]
)
async def test_an_unavailable_store_says_whether_it_may_have_applied(
    kind: str,
    fault: Fault,
    maybe_applied: bool,  # noqa: FBT001
) -> None:
    storage, _ = await faulty(fault)

    with pytest.raises(UnavailableError, match=f"injected fault: {fault.value}") as caught:
        await REQUESTS[kind](storage)

    assert caught.value.maybe_applied == maybe_applied


@each_write
@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.CRASH_BEFORE])
async def test_some_faults_apply_nothing(kind: str, fault: Fault) -> None:
    storage, inner = await faulty(fault)

    with pytest.raises((UnavailableError, CrashError)):
        await REQUESTS[kind](storage)

    assert await stored(inner) == b"old"


@each_write
@pytest.mark.parametrize("fault", [Fault.ANSWER_LOST, Fault.CRASH_AFTER])
async def test_some_faults_come_after_the_write(kind: str, fault: Fault) -> None:
    storage, inner = await faulty(fault)

    with pytest.raises((UnavailableError, CrashError)):
        await REQUESTS[kind](storage)

    assert await stored(inner) == WRITES[kind]


@each_write
async def test_only_the_request_that_is_meant_fails(kind: str) -> None:
    storage, inner = await faulty(Fault.UNSENT)
    with pytest.raises(UnavailableError):
        await REQUESTS[kind](storage)

    await REQUESTS[kind](storage)

    assert await stored(inner) == WRITES[kind]


async def test_a_lost_answer_may_have_been_a_conflict() -> None:
    storage, inner = await faulty(Fault.ANSWER_LOST)

    with pytest.raises(UnavailableError):
        await storage.put(KEY, b"new", condition=IfAbsent())

    assert await stored(inner) == b"old"


@each_request
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
async def test_after_a_crash_nothing_is_done_any_more(kind: str, fault: Fault) -> None:
    storage, inner = await faulty(fault)
    with pytest.raises(CrashError):
        await storage.get(KEY)

    with pytest.raises(CrashError):
        await REQUESTS[kind](storage)

    assert await stored(inner) == b"old"
    assert [request.number for request in storage.requests] == [0]


async def test_a_crash_is_no_error_of_the_store() -> None:
    assert not issubclass(CrashError, UnavailableError)
    assert not issubclass(CrashError, OSError)


@each_write
def test_a_hanging_request_is_neither_answered_nor_applied(kind: str) -> None:
    async def main() -> tuple[float, bytes | None]:
        storage, inner = await faulty(Fault.HANG)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await REQUESTS[kind](storage)
        return asyncio.get_running_loop().time(), await stored(inner)

    assert run_in_virtual_time(main()) == (3600, b"old")


@each_write
def test_a_delayed_request_is_applied_after_its_time(kind: str) -> None:
    async def main() -> list[bytes | None]:
        storage, inner = await faulty(2.0)
        request = asyncio.create_task(REQUESTS[kind](storage))
        seen = []
        for _ in range(2):
            await asyncio.sleep(1.5)
            seen.append(await stored(inner))
        await request
        return seen

    assert run_in_virtual_time(main()) == [b"old", WRITES[kind]]


async def test_without_a_plan_all_requests_pass() -> None:
    inner = MemoryStorage()
    storage = FaultyStorage(inner)

    etag = await storage.put(KEY, b"1")
    await storage.put(KEY, b"2", condition=IfMatch(etag))

    assert await stored(inner) == b"2"


async def test_a_plan_may_be_replaced() -> None:
    storage, inner = await faulty(None)
    await storage.put(KEY, b"1")

    storage.plan = fail_at(1, Fault.UNSENT)
    with pytest.raises(UnavailableError):
        await storage.put(KEY, b"2")
    storage.plan = None
    await storage.put(KEY, b"3")

    assert await stored(inner) == b"3"


async def test_requests_are_recorded() -> None:
    storage, _ = await faulty(Fault.LOST)
    with pytest.raises(UnavailableError):
        await storage.get(KEY)

    for kind in list(REQUESTS)[1:]:
        await REQUESTS[kind](storage)

    assert storage.requests == [
        Request(0, "get", (KEY,)),
        Request(1, "put", (KEY,)),
        Request(2, "delete", (KEY,)),
        Request(3, "scan", (Key(),)),
        Request(4, "commit", (KEY, OTHER)),
        Request(5, "delete_many", (KEY, OTHER)),
    ]


async def test_what_the_store_itself_refuses_is_passed_on() -> None:
    storage, _ = await faulty(None)

    with pytest.raises(ConflictError):
        await storage.put(KEY, b"new", condition=IfAbsent())


async def test_fail_at_means_one_request() -> None:
    plan = fail_at(2, Fault.LOST)

    assert [plan(Request(number, "get", (KEY,))) for number in range(4)] == [None, None, Fault.LOST, None]
