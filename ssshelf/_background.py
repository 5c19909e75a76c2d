"""The event loop behind everything that blocks: one for the process, on a thread that starts with the first use."""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

_ENDING = "the process is ending: nothing answers blocking calls any more; make them, or the first of them, earlier"

try:
    from concurrent.futures import Future, ThreadPoolExecutor
except RuntimeError as error:  # Python refuses this import once the main thread has ended
    raise RuntimeError(_ENDING) from error

__all__ = ["Background", "OfThisProcess", "background"]

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
        self._loop: _Loop | None = None
        self._thread_id: int | None = None
        self._open: dict[_Closing, None] = {}
        self._ending: set[_Call[None]] = set()  # closings that nobody waits for, unless the process ends
        self._tasks: set[asyncio.Task[None]] = set()  # which a loop alone would not keep alive

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a coroutine function returns; an interrupt of the caller cancels it, and waits for its end.

        Raises:
            ValueError: This belongs to the process that this one was forked from.
            RuntimeError: The caller runs in the event loop itself, such as a function given to ``update_item``; or the
                process is about to end.
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

    def each(self, source: AsyncIterator[T], owner: object = None) -> _Each[T]:
        """Yield what ``source`` yields; it goes on when the next is asked for, and is closed when this is.

        Args:
            source: What to read.
            owner: What ``source`` reads from; kept alive until the end of this.
        """
        return _Each(self, source, owner)

    def pages(self, source: AsyncIterator[Iterable[T]], owner: object = None) -> Iterator[T]:
        """Yield what is on the pages that ``source`` yields; each is read when it is asked for."""
        return _Rows(self.each(source, owner))

    def adopt(self, owner: object, aclose: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Have something closed with its owner: when that is forgotten, or when the process ends.

        Args:
            owner: What it belongs to; it is not kept alive.
            aclose: Closes; it may not hold the owner.

        Returns:
            What closes at once; to be called again does nothing.
        """
        closing = self._remember(aclose, owner)
        forgotten = weakref.finalize(owner, self._close, closing)
        forgotten.atexit = False  # then all are closed together

        def close() -> None:
            if forgotten.detach():
                self._close(closing, wait=True)

        return close

    def leave(self) -> None:
        """Leave all that is open to the process that this one was forked from."""
        if self._loop is not None:
            self._loop.is_left = True

    def check(self) -> None:
        """Refuse callers that may not wait for the event loop; raises what ``call`` does."""
        if self is not _current:
            msg = "this was opened before a fork: open it again in each process"
            raise ValueError(msg)
        if self._thread_id == threading.get_ident():
            msg = "a blocking call in a function that the event loop runs would wait for itself: await there"
            raise RuntimeError(msg)

    def _ready(self) -> asyncio.AbstractEventLoop:
        self.check()
        if sys.is_finalizing():
            raise RuntimeError(_ENDING)
        return self._loop or self._started()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                loop = _Loop()
                loop.set_default_executor(_Threads(thread_name_prefix="ssshelf"))
                thread = threading.Thread(target=loop.run_forever, name="ssshelf", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # Python 3.12 starts none in functions registered with atexit
                    loop.close()
                    raise RuntimeError(_ENDING) from error
                self._thread_id = thread.ident
                self._loop = loop
            return self._loop

    def _begin(self, call: _Call[Any]) -> None:
        task = asyncio.ensure_future(call.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _remember(self, aclose: Callable[[], Awaitable[None]], owner: object) -> _Closing:
        closing = _Closing(aclose, repr(getattr(aclose, "__self__", owner)))
        self._open[closing] = None
        return closing

    def _close(self, closing: _Closing, *, wait: bool = False) -> None:
        """Close something, unless it belongs to another process, or it is too late.

        A finalizer does not wait: it may run on any thread, also on one that the event loop waits for.
        """
        if self._pid != os.getpid():
            return  # and it stays in `_open`, so that nothing of it is ever finalized here
        self._open.pop(closing, None)
        if not wait or self._thread_id == threading.get_ident():
            if self._loop is not None:
                self._close_later(self._loop, closing)
        elif not sys.is_finalizing():
            self.call(closing.aclose)

    def _close_later(self, loop: _Loop, closing: _Closing) -> None:
        async def end() -> None:
            await closing.unattended()
            self._ending.discard(call)

        call = _Call(end)
        self._ending.add(call)
        loop.call_soon_threadsafe(self._begin, call)

    def _close_all(self) -> None:
        if self._pid == os.getpid() and self._loop is not None:
            for closing in reversed(list(self._open)):  # iterators before what they read
                self._close_later(self._loop, closing)
            for call in list(self._ending):
                call.ended.wait(_CLOSE_TIMEOUT_S)


class OfThisProcess:
    """What blocks: its connections belong to the process that has opened it."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        kind = type(self).__name__
        msg = f"a {kind} can be neither pickled nor copied, since its connections are its own: open it in each process"
        raise TypeError(msg)


class _Closing:
    """How to close something that is open, and what to call it when that fails."""

    def __init__(self, aclose: Callable[[], Awaitable[None]], name: str) -> None:
        self.aclose = aclose
        self._name = name

    async def unattended(self) -> None:
        """Close it where nobody waits for the error: tell what it was."""
        try:
            await self.aclose()
        except Exception as error:  # noqa: BLE001  there is no caller to raise it to
            message = f"{self._name} failed to close; what it had still to write may be lost: close it yourself"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})


class _Each(Iterator[T]):
    """What an async iterator yields; ``close`` waits for its end, the finalizer does not."""

    _closing: _Closing | None = None

    def __init__(self, background: Background, source: AsyncIterator[T], owner: object) -> None:
        self._background = background
        self._source = source
        self._owner = owner
        self._closing = background._remember(getattr(source, "aclose", _nothing), source)

    def __next__(self) -> T:
        if self._closing is None:
            raise StopIteration
        try:
            return self._background.call(self._source.__anext__)
        except StopAsyncIteration:
            self.close()
            raise StopIteration from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        closing, self._closing = self._closing, None
        if closing is not None:
            self._background._close(closing, wait=True)
            self._owner = None

    def __del__(self) -> None:
        if self._closing is not None:
            self._background._close(self._closing)


class _Rows(Iterator[T]):
    """What is on pages, one by one."""

    def __init__(self, pages: _Each[Iterable[T]]) -> None:
        self._pages = pages
        self._rows = chain.from_iterable(pages)

    def __next__(self) -> T:
        return next(self._rows)

    def close(self) -> None:
        self._rows = chain()
        self._pages.close()


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that a forked process can leave to its parent.

    The child has a copy of it and of its connections, but what the kernel keeps about them is one for both. So when
    the child drops its copies, nothing may be closed: that would stop the parent's loop from hearing of its own.

    Attributes:
        is_left: Whether this is such a copy.
    """

    is_left = False

    def is_closed(self) -> bool:
        return self.is_left or super().is_closed()

    def is_running(self) -> bool:
        return not self.is_left and super().is_running()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_left:
            super().call_exception_handler(context)


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
_left: list[Background] = []  # by parents: kept for ever, since what is in them is not to be finalized here


def _after_fork() -> None:
    global _current  # noqa: PLW0603  a process has one
    _current.leave()
    _left.append(_current)
    _current = Background()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register  # with the import, so that what a program registers after that still finds everything open
def _at_exit() -> None:
    _current._close_all()


def background() -> Background:
    """Return that of this process."""
    return _current
