"""The event loop behind everything that blocks: one for the process, on a thread that starts with the first use."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Background", "background"]

P = ParamSpec("P")
T = TypeVar("T")
_CLOSE_TIMEOUT_S = 10.0


class Background:
    """Runs coroutines for callers that block; safe from all threads, those that run an event loop included.

    The thread is a daemon and stays, idle, until the process ends.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id: int | None = None
        self._open: dict[int, Callable[[], Awaitable[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # which a loop alone would not keep alive

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a coroutine function returns; an interrupt of the caller cancels it, and waits for its end.

        Raises:
            ValueError: This belongs to the process that this one was forked from.
            RuntimeError: The caller runs in the event loop itself, such as a function given to ``update_item``; or the
                interpreter is about to end.
        """
        loop = self._ready()
        call = _Call(functools.partial(function, *args, **kwargs))
        try:
            loop.call_soon_threadsafe(self._begin, call)
            call.ended.wait()
        except BaseException:
            loop.call_soon_threadsafe(call.cancel)
            call.ended.wait()
            raise
        return call.outcome()

    def each(self, source: AsyncIterator[T]) -> Generator[T, None, None]:
        """Yield what ``source`` yields; it goes on when the next is asked for, and is closed when this is."""
        aclose = getattr(source, "aclose", _nothing)  # that of an async generator
        self._open[id(aclose)] = aclose
        try:
            while True:
                try:
                    value = self.call(source.__anext__)
                except StopAsyncIteration:
                    return
                yield value
        finally:
            self._finish(aclose)

    def pages(self, source: AsyncIterator[Iterable[T]]) -> Iterator[T]:
        """Yield what is on the pages that ``source`` yields; each is read when it is asked for."""
        with contextlib.closing(self.each(source)) as pages:
            for page in pages:
                yield from page

    def adopt(self, owner: object, aclose: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Have something closed with its owner: when that is forgotten, or when the process ends.

        Args:
            owner: What it belongs to; it is not kept alive.
            aclose: Closes; it may not hold the owner.

        Returns:
            What closes at once; to be called again does nothing.
        """
        self._open[id(aclose)] = aclose
        forgotten = weakref.finalize(owner, self._close_later, aclose)
        forgotten.atexit = False  # then all are closed together

        def close() -> None:
            if forgotten.detach():
                self._finish(aclose)

        return close

    def _ready(self) -> asyncio.AbstractEventLoop:
        """Return the event loop, for callers that may wait for it."""
        if self._pid != os.getpid():
            msg = "this was opened before a fork: open it again in each process"
            raise ValueError(msg)
        if self._thread_id == threading.get_ident():
            msg = "a blocking call in a function that the event loop runs would wait for itself: await there"
            raise RuntimeError(msg)
        if sys.is_finalizing():
            msg = "the interpreter is ending: nothing answers blocking calls any more"
            raise RuntimeError(msg)
        return self._loop or self._started()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                loop.set_default_executor(_Threads(thread_name_prefix="ssshelf"))
                thread = threading.Thread(target=loop.run_forever, name="ssshelf", daemon=True)
                thread.start()
                self._thread_id = thread.ident
                self._loop = loop
            return self._loop

    def _begin(self, call: _Call[Any]) -> None:
        task = asyncio.ensure_future(call.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finish(self, aclose: Callable[[], Awaitable[None]]) -> None:
        """Close something, unless it belongs to another process, or it is too late."""
        self._open.pop(id(aclose), None)
        if self._thread_id == threading.get_ident():  # where garbage may be collected, too
            self._close_later(aclose)
        elif self._pid == os.getpid() and not sys.is_finalizing():
            self.call(aclose)

    def _close_later(self, aclose: Callable[[], Awaitable[None]]) -> None:
        """Close what nobody can close any more; whom the collector of garbage interrupted does not wait for it."""
        self._open.pop(id(aclose), None)
        if self._loop is not None and self._pid == os.getpid():
            self._loop.call_soon_threadsafe(self._begin, _Call(aclose))

    def _close_all(self) -> None:
        if self._pid == os.getpid() and self._loop is not None:
            last_first = reversed(list(self._open.values()))  # iterators before what they read
            closings = [_Call(aclose) for aclose in last_first]
            for closing in closings:
                self._loop.call_soon_threadsafe(self._begin, closing)
            for closing in closings:
                closing.ended.wait(_CLOSE_TIMEOUT_S)  # nobody is left to be told how it ended


async def _nothing() -> None: ...


class _Call(Generic[T]):
    """One call, which may be cancelled at any time, and what becomes of it."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self.ended = threading.Event()
        self._function = function
        self._task: asyncio.Task[Any] | None = None
        self._result: list[T] = []
        self._error: BaseException | None = None

    async def run(self) -> None:
        self._task = asyncio.current_task()
        try:
            if not self.ended.is_set():
                self._result.append(await self._function())
        except BaseException as error:  # noqa: BLE001  the caller raises it
            self._error = error
        finally:
            self.ended.set()

    def cancel(self) -> None:
        if self._task is None:
            self.ended.set()
        else:
            self._task.cancel()

    def outcome(self) -> T:
        """Return what was returned, or raise what was raised, with a traceback of nothing between caller and called."""
        if self._error is None:
            return self._result[0]
        try:
            raise self._error
        finally:
            self._error = None  # whose traceback has this frame


class _Threads(ThreadPoolExecutor):
    """The default executor of the loop, which looks up host names also while the interpreter ends.

    Then no thread can be had any more, but functions registered with ``atexit`` may still want to save.
    """

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        try:
            return super().submit(function, *args, **kwargs)
        except RuntimeError:
            future: Future[T] = Future()
            try:
                future.set_result(function(*args, **kwargs))
            except Exception as error:  # noqa: BLE001  as a thread would
                future.set_exception(error)
            return future


_current = Background()


def _after_fork() -> None:
    global _current  # noqa: PLW0603  a process has one
    _current = Background()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register  # with the import, so that what a program registers after that still finds everything open
def _at_exit() -> None:
    _current._close_all()


def background() -> Background:
    """Return that of this process."""
    return _current
