"""One entry, written as it was read: what became of a request, whatever happened to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    CommitUnknownError,
    ConflictError,
    DeniedError,
    Key,
    MemoryStorage,
    RetryPolicy,
    UnavailableError,
)
from ssshelf._register import Register
from ssshelf.storages.base import Condition, IfMatch, content_etag
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import Fault, FaultyStorage, fail_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.base import Storage

KEY = Key("one")
OLD, NEW, OTHER = b"old", b"new", b"other"
POLICY = RetryPolicy(attempts=3, base_s=0.0)


class LateStorage(WrapperStorage):
    """Does not answer the first conditional request; that arrives when ``arrive`` is called."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._late: Callable[[], Awaitable[object]] | None = None

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self._hold_back(lambda: self.inner.put(key, data, condition=condition))
        return await self.inner.put(key, data, condition=condition)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        self._hold_back(lambda: self.inner.delete(key, condition=condition))
        await self.inner.delete(key, condition=condition)

    async def arrive(self) -> None:
        assert self._late
        with pytest.raises(ConflictError):
            await self._late()

    def _hold_back(self, request: Callable[[], Awaitable[object]]) -> None:
        if self._late is None:
            self._late = request
            msg = "on its way"
            raise UnavailableError(msg)


async def written(storage: Storage, data: bytes = OLD) -> str:
    return await storage.put(KEY, data)


async def left_in(storage: Storage) -> bytes | None:
    entry = await Register(storage, KEY).read()
    return entry.data if entry else None


async def test_an_entry_is_created_replaced_and_removed_as_it_was_read(storage: Storage) -> None:
    register = Register(storage, KEY, POLICY)
    assert await register.read() is None

    created = await register.write(OLD, expect=None)
    entry = await register.read()
    assert entry
    assert (entry.data, entry.etag) == (OLD, created)

    replaced = await register.write(NEW, expect=created)
    assert await left_in(storage) == NEW

    await register.delete(expect=replaced)
    assert await left_in(storage) is None


async def test_what_is_not_as_it_was_read_stays(storage: Storage) -> None:
    register = Register(storage, KEY, POLICY)
    stale = await written(storage)
    await written(storage, OTHER)

    with pytest.raises(ConflictError):
        await register.write(NEW, expect=None)
    with pytest.raises(ConflictError):
        await register.write(NEW, expect=stale)
    with pytest.raises(ConflictError):
        await register.delete(expect=stale)
    assert await left_in(storage) == OTHER


async def test_of_two_who_count_the_same_one_is_refused() -> None:
    storage = MemoryStorage()
    five = await written(storage, b"5")
    await Register(storage, KEY, POLICY).write(b"6", expect=five)

    with pytest.raises(ConflictError):
        await Register(storage, KEY, POLICY).write(b"6", expect=five)


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST])
@pytest.mark.parametrize("number", range(3))
async def test_a_request_that_is_not_answered_is_done_once(fault: Fault, number: int) -> None:
    inner = MemoryStorage()
    etag = await written(inner)
    storage = FaultyStorage(inner, lambda request: fault if request.number <= number else None)
    register = Register(storage, KEY, RetryPolicy(attempts=5, base_s=0.0))

    assert await register.write(NEW, expect=etag) == content_etag(NEW)
    assert await left_in(inner) == NEW


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST])
async def test_a_removal_that_is_not_answered_is_done(fault: Fault) -> None:
    inner = MemoryStorage()
    etag = await written(inner)
    register = Register(FaultyStorage(inner, fail_at(0, fault)), KEY, POLICY)

    await register.delete(expect=etag)

    assert await left_in(inner) is None


async def test_the_last_answer_may_be_lost_too() -> None:
    inner = MemoryStorage()
    etag = await written(inner)
    storage = FaultyStorage(inner, lambda request: Fault.ANSWER_LOST if request.kind == "put" else None)

    assert await Register(storage, KEY, POLICY).write(NEW, expect=etag) == content_etag(NEW)


async def test_a_request_that_arrives_late_changes_nothing() -> None:
    inner = MemoryStorage()
    etag = await written(inner)
    storage = LateStorage(inner)
    await Register(storage, KEY, POLICY).write(NEW, expect=etag)

    await written(inner, OTHER)
    await storage.arrive()

    assert await left_in(inner) == OTHER


async def test_a_removal_that_arrives_late_changes_nothing() -> None:
    inner = MemoryStorage()
    etag = await written(inner)
    storage = LateStorage(inner)
    await Register(storage, KEY, POLICY).delete(expect=etag)

    await written(inner, OTHER)
    await storage.arrive()

    assert await left_in(inner) == OTHER


async def test_what_is_never_sent_is_unavailable_and_not_written() -> None:
    inner = MemoryStorage()
    register = Register(FaultyStorage(inner, lambda _: Fault.UNSENT), KEY, POLICY)

    with pytest.raises(UnavailableError) as failure:
        await register.write(NEW, expect=None)
    assert not failure.value.maybe_applied


async def test_what_may_yet_arrive_is_unknown() -> None:
    storage = FaultyStorage(MemoryStorage(), lambda request: Fault.LOST if request.kind == "put" else None)

    with pytest.raises(CommitUnknownError, match=content_etag(NEW)):
        await Register(storage, KEY, POLICY).write(NEW, expect=None)


async def test_a_removal_that_may_yet_arrive_is_unknown() -> None:
    inner = MemoryStorage()
    etag = await written(inner)
    storage = FaultyStorage(inner, lambda request: Fault.LOST if request.kind == "delete" else None)

    with pytest.raises(CommitUnknownError, match="whether it was removed"):
        await Register(storage, KEY, POLICY).delete(expect=etag)


async def test_what_cannot_be_looked_at_is_unknown() -> None:
    storage = FaultyStorage(MemoryStorage(), lambda _: Fault.ANSWER_LOST)

    with pytest.raises(CommitUnknownError):
        await Register(storage, KEY, POLICY).write(NEW, expect=None)


async def test_what_somebody_wrote_over_is_unknown() -> None:
    inner = MemoryStorage()
    etag = await written(inner)

    class Overwritten(WrapperStorage):
        async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
            await self.inner.put(key, data, condition=condition)
            await self.inner.put(key, OTHER)
            msg = "the answer was lost"
            raise UnavailableError(msg)

    with pytest.raises(CommitUnknownError):
        await Register(Overwritten(inner), KEY, POLICY).write(NEW, expect=etag)
    assert await left_in(inner) == OTHER


@pytest.mark.parametrize(("unanswered", "error"), [(0, DeniedError), (1, CommitUnknownError)])
async def test_who_is_denied_after_no_answer_does_not_know(unanswered: int, error: type[Exception]) -> None:
    class Expiring(WrapperStorage):
        attempts = 0

        async def put(self, *_: Any, **__: Any) -> str:
            self.attempts += 1
            if self.attempts <= unanswered:
                msg = "no answer"
                raise UnavailableError(msg)
            msg = "these credentials have expired"
            raise DeniedError(msg)

    with pytest.raises(error):
        await Register(Expiring(MemoryStorage()), KEY, POLICY).write(NEW, expect=None)


async def test_who_writes_nothing_of_its_own_does_not_know_after_no_answer() -> None:
    inner = MemoryStorage()
    plain = Register(FaultyStorage(inner, fail_at(0, Fault.ANSWER_LOST)), KEY, POLICY, is_stamped=False)

    with pytest.raises(CommitUnknownError):
        await plain.write(NEW, expect=None)
    assert await left_in(inner) == NEW
    with pytest.raises(ConflictError):
        await plain.write(NEW, expect=None)
