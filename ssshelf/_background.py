"""The event loop behind everything that blocks: one for the process, on a thread that starts with the first use."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

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
        """Return what a coroutine function returns; an interrupt of the caller cancels it.

        Raises:
            ValueError: This belongs to the process that this one was forked from.
            RuntimeError: The caller runs in the event loop itself, such as a function given to ``update_item``.
        """
        future = self._start(functools.partial(function, *args, **kwargs))
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def pages(self, source: AsyncGenerator[Sequence[T], None]) -> Iterator[T]:
        """Yield what is on the pages that ``source`` yields; each is read when it is asked for."""
        aclose = source.aclose
        self._open[id(aclose)] = aclose
        try:
            while True:
                try:
                    page = self.call(source.__anext__)
                except StopAsyncIteration:
                    return
                yield from page
        finally:  # perhaps while the interpreter ends, when nobody would answer a call
            self._close_later(aclose)

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
                self.call(aclose)

        return close

    def _start(self, function: Callable[[], Awaitable[T]]) -> Future[T]:
        if self._pid != os.getpid():
            msg = "this was opened before a fork: open it again in each process"
            raise ValueError(msg)
        if self._thread_id == threading.get_ident():
            msg = "a blocking call in a function that the event loop runs would wait for itself: await there"
            raise RuntimeError(msg)
        return (self._portal or self._begin()).start_task_soon(function)

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
            for closing in [self._start(aclose) for aclose in self._open.values()]:
                with contextlib.suppress(Exception):  # nobody is left to tell
                    closing.result(_CLOSE_TIMEOUT_S)


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
