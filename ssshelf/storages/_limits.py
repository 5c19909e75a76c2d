"""How long attempts of requests may take, while data come and go.

Each attempt has its own limit, and all of an event loop share one timer: timers of their own cost more than signatures.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, cast

__all__ = ["CHUNK_BYTES", "FEW_BYTES", "Limit", "Limits", "extended_by_answers", "limit_here", "read_all"]

CHUNK_BYTES = 1024 * 1024
FEW_BYTES = 16 * 1024
"""What has time enough in an attempt whose time is that of none."""

_SLOWEST_BYTES_PER_S = 16 * 1024
_limit: ContextVar[Limit | None] = ContextVar("_limit", default=None)


class Limits:
    """Ends the attempts of one event loop that take too long."""

    def __init__(self) -> None:
        self._live: set[Limit] = set()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, limit: Limit) -> None:
        """Have ``limit`` end its attempt when it is time, until it is forgotten."""
        self._live.add(limit)
        self.wake_by(limit.when)

    def forget(self, limit: Limit) -> None:
        """Leave ``limit`` alone from now on."""
        self._live.discard(limit)

    def wake_by(self, when: float) -> None:
        """Look for attempts to be ended at ``when``, or before; most are over by then, and theirs need no timer."""
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for limit in [limit for limit in self._live if limit.when <= now]:
            self.forget(limit)
            limit.end()
        if self._live:
            self.wake_by(min(limit.when for limit in self._live))


class Limit(contextlib.AbstractAsyncContextManager["Limit"]):
    """Bounds what the running task does inside, as ``asyncio.timeout`` would, and is what answers extend.

    Args:
        limits: Those of the running loop.
        patience_s: How long the attempt may take, and how long it may be silent once something has come.
        sent_bytes: What it sends; has time at 16 KiB/s.

    Raises:
        TimeoutError: At the end of the block: it was ended.

    Attributes:
        when: When that is, by the clock of the loop.
    """

    __slots__ = ("_allowed", "_cancelling", "_ended", "_limits", "_patience_s", "_task", "when")
    _task: asyncio.Task[Any]
    _cancelling: int

    def __init__(self, limits: Limits, patience_s: float, sent_bytes: int) -> None:
        self._limits = limits
        self._patience_s = patience_s
        self._ended = False
        self._allowed = self.when = asyncio.get_running_loop().time() + patience_s + sent_bytes / _SLOWEST_BYTES_PER_S

    def extend(self, come: int) -> None:
        """Allow for so many bytes that have come, at 16 KiB/s; but not for a silence that is longer than before."""
        self._allowed += come / _SLOWEST_BYTES_PER_S
        self.when = min(self._allowed, asyncio.get_running_loop().time() + self._patience_s)
        self._limits.wake_by(self.when)

    def end(self) -> None:
        """Cancel what is done inside."""
        self._ended = True
        self._task.cancel()

    async def __aenter__(self) -> Self:
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelling = self._task.cancelling()
        self._limits.watch(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limits.forget(self)
        # Unless somebody else cancels it, too. https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.uncancel
        if self._ended and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


@contextlib.contextmanager
def extended_by_answers(limit: Limit) -> Iterator[None]:
    """Have answers that botocore reads inside extend ``limit``; it takes no parameter for that."""
    token = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(token)


def limit_here() -> Limit | None:
    """Return what answers that botocore reads are to extend."""
    return _limit.get()


async def read_all(body: Any, limit: Limit) -> bytes:
    """Return the whole of an answer; what has come of it extends the ``limit`` of the attempt."""
    pieces: list[bytes] = []
    come = 0
    while chunk := await body.read(CHUNK_BYTES):  # when there is no more, it checks the length
        pieces.append(chunk)
        come += len(chunk)
        if come >= FEW_BYTES:
            limit.extend(come)
            come = 0
    return b"".join(pieces)
