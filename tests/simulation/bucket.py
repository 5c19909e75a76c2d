"""A bucket with the semantics of S3, behind a network on which anything can happen to a request."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from ssshelf import envelope
from ssshelf.errors import ConflictError, ShelfError, UnavailableError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import (
    MAX_SCAN_ROWS,
    Capabilities,
    Condition,
    Delete,
    Entry,
    IfMatch,
    Operation,
    Put,
    Scan,
    Storage,
)
from ssshelf.storages.memory import MemoryStorage
from tests.simulation.faults import LATE_S, SHORT_LINEAGE, Accident, Fate, Weather

if TYPE_CHECKING:
    from tests.simulation.history import Call, History
    from tests.simulation.journal import Journal
    from tests.simulation.loop import Process

__all__ = ["CALL", "BatchConnection", "Bucket", "Connection", "CrashError"]

T = TypeVar("T")
_EPOCH = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)

CALL: ContextVar[Call | None] = ContextVar("CALL", default=None)
"""The operation of a client that the running code works for."""


class CrashError(Exception):
    """What the code of a dead process gets, once the schedule is over and its tasks are cancelled."""


class _Request:
    """A request on its way.

    Attributes:
        work: What the bucket is to do.
        writes: The operations that it consists of; none for one that reads.
        answer: What the sender waits for.
    """

    __slots__ = ("answer", "call", "kind", "name", "sent", "timer", "work", "writes")

    def __init__(
        self,
        kind: str,
        name: str,
        work: Callable[[], Coroutine[Any, Any, Any]],
        writes: Sequence[Operation],
        answer: asyncio.Future[Any],
    ) -> None:
        self.kind = kind
        self.name = name
        self.work = work
        self.writes = writes
        self.answer = answer
        self.call = CALL.get()
        self.sent = 0.0
        self.timer: asyncio.TimerHandle | None = None


class Bucket:
    """One bucket, and the network around it.

    Args:
        weather: Draws what happens to requests.
        history: Is told of everything that is applied.
        journal: Is told of every request.
        transactions: Whether it has some.
        conditional_delete: Whether it honours conditions of deletions; else it says so, and refuses them.
        exclusive_delete: Whether it refuses a condition where there is nothing to delete.
    """

    def __init__(
        self,
        weather: Weather,
        history: History,
        journal: Journal,
        *,
        transactions: bool = False,
        conditional_delete: bool = True,
        exclusive_delete: bool = True,
    ) -> None:
        self.weather = weather
        self.history = history
        self.journal = journal
        self._loop = asyncio.get_running_loop()
        self._nobody = Context()
        self._offset_s = weather.timeout_s()
        self.memory = MemoryStorage(transactions=transactions, clock=self._clock)
        self.capabilities = Capabilities(
            atomic_batch=self.memory.capabilities.atomic_batch,
            conditional_delete=conditional_delete,
            exclusive_delete=exclusive_delete,
            late_s=LATE_S,
        )

    def _clock(self) -> dt.datetime:
        return _EPOCH + dt.timedelta(seconds=int(self._loop.time() + self._offset_s))

    async def delete(self, key: Key, condition: IfMatch | None) -> None:
        """Delete an entry, as the bucket does what is gone already."""
        try:
            await self.memory.delete(key, condition=condition)
        except ConflictError as error:
            if error.found is not None or self.capabilities.exclusive_delete:
                raise

    def at(self, time_s: float, function: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        """Call ``function`` at a time, on behalf of no process."""
        return self._loop.call_at(time_s, function, *arguments, context=self._nobody)

    def after(self, seconds: float, function: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        """Call ``function`` in so many seconds, on behalf of no process."""
        return self.at(self._loop.time() + seconds, function, *arguments)

    def dispatch(self, request: _Request, fate: Fate) -> None:
        """Put a request on its way."""
        weather = self.weather
        request.sent = self._loop.time()
        if fate in (Fate.ANSWERED, Fate.TWICE):
            request.timer = self.after(weather.travel_s(), self._serve, request, fate)
            return
        maybe_applied = fate is not Fate.UNSENT
        self.after(weather.timeout_s(), _settle, request, UnavailableError(fate.value, maybe_applied=maybe_applied))
        if fate is Fate.ANSWER_LOST or (fate is Fate.RACED and weather.chance(0.5)):
            request.timer = self._land(request, weather.travel_s())
        elif fate is Fate.DELAYED:
            request.timer = self._land(request, weather.late_s())

    def _land(self, request: _Request, after_s: float) -> asyncio.TimerHandle:
        """Apply a request later, whoever still waits for it."""
        return self.at(request.sent + after_s, self._apply, request)

    def _serve(self, request: _Request, fate: Fate) -> None:
        result = self._apply(request)
        if fate is Fate.TWICE:
            # Who learns of a refusal only must read before as many have committed as a full lineage remembers.
            if self.weather.chance(0.5) and envelope.LINEAGE > SHORT_LINEAGE:
                self.after(self.weather.travel_s(), self._answer_again, request)
                return
            self._land_later(request)
        back_s = self.weather.travel_s() if self.weather.chance(0.5) else 0.0
        self.after(back_s, _settle, request, result)

    def _answer_again(self, request: _Request) -> None:
        _settle(request, self._apply(request))

    def _apply(self, request: _Request) -> Any:
        request.timer = None
        try:
            result = _at_once(request.work())
        except ShelfError as error:
            result = error
        if request.writes and not isinstance(result, ConflictError):
            self.history.applied(request.call, request.writes)
        self.journal.applied(request.call, request.kind, request.name, result)
        return result

    def strand(self, request: _Request) -> None:
        """Decide what becomes of a request whose sender is gone: it is lost, or applied now or later."""
        if request.timer is None or self.weather.chance(0.5):
            return
        request.timer.cancel()
        request.timer = None
        if self.weather.chance(0.6):
            self._land_later(request)

    def _land_later(self, request: _Request) -> None:
        """Apply a request that was sent some time ago at any time to come in which it may be."""
        after_s = self.weather.late_s()
        if request.sent + after_s >= self._loop.time():
            request.timer = self._land(request, after_s)


def _settle(request: _Request, result: Any) -> None:
    if request.answer.done():  # cancelled: the sender has gone away
        return
    if isinstance(result, Exception):
        request.answer.set_exception(result)
    else:
        request.answer.set_result(result)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that does not wait for anything."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    msg = "a bucket does one thing at a time"
    raise RuntimeError(msg)


class Connection(Storage):
    """The storage of one process: its requests go to the bucket, and may be the last thing it does.

    Args:
        bucket: Where they go.
        process: Whose they are.
        retries: Repeats what is safe to repeat, as ``S3Storage`` does.
        accident: What happens to the process.
    """

    def __init__(self, bucket: Bucket, process: Process, retries: RetryPolicy, accident: Accident | None) -> None:
        self.bucket = bucket
        self._retries = retries
        self.process = process
        self._accident = accident
        self._sent = 0
        self._in_flight: dict[_Request, None] = {}

    @property
    def capabilities(self) -> Capabilities:
        return self.bucket.capabilities

    async def get(self, key: Key) -> Entry:
        entry: Entry = await self._send("get", key.text, lambda: self.bucket.memory.get(key), (), None)
        return entry

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self.capabilities.check_entry(key, data)
        put = lambda: self.bucket.memory.put(key, data, condition=condition)  # noqa: E731
        etag: str = await self._send("put", key.text, put, (Put(key, data, condition),), condition)
        return etag

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is not None and not self.capabilities.conditional_delete:
            msg = "this bucket cannot delete on condition"
            raise UnsupportedError(msg)
        delete = lambda: self.bucket.delete(key, condition)  # noqa: E731
        await self._send("delete", key.text, delete, (Delete(key, condition),), condition)

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        scan = lambda: self.bucket.memory.scan(prefix, after=after, before=before, limit=limit)  # noqa: E731
        found: Scan = await self._send("scan", prefix.text, scan, (), None)
        return found

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        commit = lambda: self.bucket.memory.commit(operations)  # noqa: E731
        condition = next((operation.condition for operation in operations if operation.condition), None)
        name = " ".join(operation.key.text for operation in operations)
        etags: list[str | None] = await self._send("commit", name, commit, operations, condition)
        return etags

    async def aclose(self) -> None:
        """Do nothing: a bucket stays open."""

    async def _send(
        self,
        kind: str,
        name: str,
        work: Callable[[], Coroutine[Any, Any, Any]],
        writes: Sequence[Operation],
        condition: Condition | None,
    ) -> Any:
        send = functools.partial(self._send_once, kind, name, work, writes, condition)
        return await (send() if condition is not None else self._retries.repeat(send))

    async def _send_once(
        self,
        kind: str,
        name: str,
        work: Callable[[], Coroutine[Any, Any, Any]],
        writes: Sequence[Operation],
        condition: Condition | None,
    ) -> Any:
        process, bucket = self.process, self.bucket
        if process.dead:  # and the schedule is over
            raise CrashError
        loop = asyncio.get_running_loop()
        request = _Request(kind, name, work, writes, loop.create_future())
        self._meet_accident(loop.time())
        if process.dead:
            return await request.answer  # which never comes
        fate = bucket.weather.fate(kind, conditional=condition is not None)
        bucket.journal.sent(request.call, kind, name, fate)
        self._in_flight[request] = None
        bucket.dispatch(request, fate)
        try:
            return await request.answer
        except asyncio.CancelledError:
            if not process.dead:
                bucket.strand(request)
            raise
        finally:
            del self._in_flight[request]

    def _meet_accident(self, now: float) -> None:
        accident = self._accident
        self._sent += 1
        if accident is None or accident.number != self._sent - 1:
            return
        happen = self._crash if accident.sleep_s is None else self._sleep
        if accident.delay_s:
            self.bucket.at(now + accident.delay_s, happen)
        else:
            happen()

    def _crash(self) -> None:
        self.process.dead = True
        self.bucket.journal.crashed(self.process)
        for request in self._in_flight:
            self.bucket.strand(request)

    def _sleep(self) -> None:
        assert self._accident is not None
        self.process.wakes = asyncio.get_running_loop().time() + (self._accident.sleep_s or 0)
        self.bucket.journal.slept(self.process)


class BatchConnection(Connection):
    """One that can delete many keys with one request, which may be applied in part."""

    async def delete_many(self, keys: Sequence[Key]) -> None:
        memory = self.bucket.memory
        part = list(keys)
        if self.bucket.weather.chance(self.bucket.weather.rate):
            part = part[: len(part) // 2]

        async def delete() -> None:
            for key in part:
                await memory.delete(key)
            if len(part) < len(keys):
                msg = "some keys were not deleted"
                raise UnavailableError(msg)

        await self._send("delete_many", " ".join(key.text for key in keys), delete, [Delete(key) for key in part], None)
