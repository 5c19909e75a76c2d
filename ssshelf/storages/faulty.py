"""A storage that fails as it is told: for tests of what happens then."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from ssshelf.errors import ShelfError, UnavailableError
from ssshelf.keys import Key
from ssshelf.storages.base import MAX_SCAN_ROWS, Condition, Entry, IfMatch, Operation, Scan, Storage
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["CrashError", "Fault", "FaultyStorage", "Plan", "Request", "fail_at"]

T = TypeVar("T")


class Fault(enum.Enum):
    """What happens to a request."""

    UNSENT = "unsent"
    """``UnavailableError``, and the store knows nothing of it."""
    LOST = "lost"
    """``UnavailableError``; the request may have been applied, but was not."""
    ANSWER_LOST = "answer lost"
    """``UnavailableError``, but the request was applied."""
    CRASH_BEFORE = "crash before"
    """The caller's process ends: this request and all later ones raise ``CrashError``; it was not applied."""
    CRASH_AFTER = "crash after"
    """The caller's process ends when the request has been applied."""
    HANG = "hang"
    """No answer, until the caller gives up."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a storage.

    Attributes:
        number: How many there were before it, since the storage was made.
        kind: get, put, delete, scan, commit or delete_many.
        keys: What it is about.
    """

    number: int
    kind: str
    keys: tuple[Key, ...]


Plan: TypeAlias = Callable[[Request], "Fault | float | None"]
"""Says what happens to a request: a fault, a delay in seconds, or nothing."""


class CrashError(Exception):
    """The process ends here; no code of its own runs any more, so nothing may catch this but a test."""


def fail_at(number: int, fault: Fault) -> Plan:
    """Return a plan in which the request with this number, counted from 0, meets ``fault``."""
    return lambda request: fault if request.number == number else None


class FaultyStorage(WrapperStorage):
    """Does to each request what a plan says.

    Args:
        inner: The storage inside, which ``aclose`` closes too.
        plan: Says what happens to each request; ``None`` lets all pass.

    Attributes:
        plan: May be replaced at any time.
        requests: All requests so far.
    """

    def __init__(self, inner: Storage, plan: Plan | None = None) -> None:
        super().__init__(inner)
        self.plan = plan
        self.requests: list[Request] = []
        self._crashed = False

    async def get(self, key: Key) -> Entry:
        return await self._meet("get", (key,), lambda: self.inner.get(key))

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        return await self._meet("get", (key,), lambda: WrapperStorage.get_changed(self, key, etag))

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await self._meet("put", (key,), lambda: self.inner.put(key, data, condition=condition))

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await self._meet("delete", (key,), lambda: self.inner.delete(key, condition=condition))

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        request = lambda: self.inner.scan(prefix, after=after, before=before, limit=limit)  # noqa: E731
        return await self._meet("scan", (prefix,), request)

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        request = lambda: WrapperStorage.scan_descending(self, prefix, after=after, before=before, limit=limit)  # noqa: E731
        return await self._meet("scan", (prefix,), request)

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        keys = tuple(operation.key for operation in operations)
        return await self._meet("commit", keys, lambda: WrapperStorage.commit(self, operations))

    async def delete_many(self, keys: Sequence[Key]) -> None:
        await self._meet("delete_many", tuple(keys), lambda: WrapperStorage.delete_many(self, keys))

    async def _meet(self, kind: str, keys: tuple[Key, ...], apply: Callable[[], Awaitable[T]]) -> T:
        if self._crashed:
            raise CrashError
        request = Request(len(self.requests), kind, keys)
        self.requests.append(request)
        fault = self.plan(request) if self.plan else None
        if isinstance(fault, int | float):
            await asyncio.sleep(fault)
            fault = None
        if fault is None:
            return await apply()
        if fault is Fault.HANG:
            await asyncio.get_running_loop().create_future()
        if fault in (Fault.ANSWER_LOST, Fault.CRASH_AFTER):
            with contextlib.suppress(ShelfError):  # an answer too, and lost like one
                await apply()
        self._crashed = fault in (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)
        if self._crashed:
            raise CrashError
        msg = f"injected fault: {fault.value}"
        raise UnavailableError(msg, maybe_applied=fault is not Fault.UNSENT)
