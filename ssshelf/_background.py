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
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal

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
        self._portal: BlockingPortal | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._open: dict[int, Callable[[], Awaitable[None]]] = {}
        self._closing: set[asyncio.Future[None]] = set()  # which a loop alone would not keep alive

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a coroutine function returns; an interrupt of the caller cancels it, and waits for its end.

        Raises:
            ValueError: This belongs to the process that this one was forked from.
            RuntimeError: The caller runs in the event loop itself, such as a function given to ``update_item``; or the
                interpreter is about to end.
        """
        portal = self._ready()
        call = _Call(functools.partial(function, *args, **kwargs))
        try:
            portal.start_task_soon(call.run)
            call.ended.wait()
        except BaseException:
            portal.start_task_soon(call.cancel)
            call.ended.wait()
            raise
        return call.outcome()

    def each(self, source: AsyncIterator[T]) -> Iterator[T]:
        """Yield what ``source`` yields; it goes on when the next is asked for, and is closed when this is."""
        try:
            while True:
                try:
                    value = self.call(source.__anext__)
                except StopAsyncIteration:
                    return
                yield value
        finally:
            if isinstance(source, AsyncGenerator):
                self._finish(source.aclose)

    def pages(self, source: AsyncIterator[Iterable[T]]) -> Iterator[T]:
        """Yield what is on the pages that ``source`` yields; each is read when it is asked for."""
        with contextlib.closing(self.each(source)) as pages:  # type: ignore[type-var]  # it is a generator
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
                self._open.pop(id(aclose), None)
                self._finish(aclose)

        return close

    def _ready(self) -> BlockingPortal:
        """Return the way into the event loop, for callers that may wait for it."""
        if self._pid != os.getpid():
            msg = "this was opened before a fork: open it again in each process"
            raise ValueError(msg)
        if self._thread_id == threading.get_ident():
            msg = "a blocking call in a function that the event loop runs would wait for itself: await there"
            raise RuntimeError(msg)
        if sys.is_finalizing():
            msg = "the interpreter is ending: nothing answers blocking calls any more"
            raise RuntimeError(msg)
        return self._portal or self._begin()

    def _begin(self) -> BlockingPortal:
        with self._lock:
            if self._portal is None:
                begun: Future[BlockingPortal] = Future()
                threading.Thread(target=asyncio.run, args=(self._serve(begun),), name="ssshelf", daemon=True).start()
                self._portal = begun.result()
                atexit.register(self._close_all)
            return self._portal

    async def _serve(self, begun: Future[BlockingPortal]) -> None:
        try:
            from anyio.from_thread import BlockingPortal  # noqa: PLC0415  importing ssshelf stays light

            self._thread_id = threading.get_ident()
            self._loop = asyncio.get_running_loop()
            self._loop.set_default_executor(_Threads(thread_name_prefix="ssshelf"))
            async with BlockingPortal() as portal:
                begun.set_result(portal)
                await portal.sleep_until_stopped()
        except BaseException as error:
            if not begun.done():
                begun.set_exception(error)
            raise

    def _finish(self, aclose: Callable[[], Awaitable[None]]) -> None:
        """Close something, unless it belongs to another process, or it is too late."""
        if self._thread_id == threading.get_ident():  # where garbage may be collected, too
            self._close_later(aclose)
        elif self._pid == os.getpid() and not sys.is_finalizing():
            self.call(aclose)

    def _close_later(self, aclose: Callable[[], Awaitable[None]]) -> None:
        """Close what nobody can close any more; whom the collector of garbage interrupted does not wait for it."""
        self._open.pop(id(aclose), None)
        if self._loop is not None and self._pid == os.getpid():
            self._loop.call_soon_threadsafe(self._close_soon, aclose)

    def _close_soon(self, aclose: Callable[[], Awaitable[None]]) -> None:
        closing = asyncio.ensure_future(aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _close_all(self) -> None:
        if self._pid == os.getpid():
            portal = self._ready()
            for closing in [portal.start_task_soon(aclose) for aclose in self._open.values()]:
                with contextlib.suppress(Exception):  # nobody is left to tell
                    closing.result(_CLOSE_TIMEOUT_S)


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
        except Exception as error:  # noqa: BLE001  the caller raises it
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        finally:
            self.ended.set()

    async def cancel(self) -> None:
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


def background() -> Background:
    """Return that of this process."""
    return _current
