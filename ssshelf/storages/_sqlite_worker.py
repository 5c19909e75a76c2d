"""A thread that owns a connection to SQLite and does, in one go, all the jobs that wait."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Worker"]


class _Closable(Protocol):
    def close(self) -> object: ...


Job = TypeVar("Job")
Connection = TypeVar("Connection", bound=_Closable)
Outcome: TypeAlias = tuple[Any, Exception | None]
_Waiting: TypeAlias = "tuple[Job, asyncio.Future[Any] | _Answer]"
_MAX_JOBS = 1000


class _Answer:
    """What a caller who blocks waits for; a ``Future`` of ``concurrent.futures`` takes twice as long."""

    def __init__(self) -> None:
        self._value: Any = None
        self._error: Exception | None = None
        self._is_there = threading.Lock()
        self._is_there.acquire()

    def settle(self, outcome: Outcome) -> None:
        self._value, self._error = outcome
        self._is_there.release()

    def result(self) -> Any:
        self._is_there.acquire()
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            self._error = None  # whose traceback has this frame


class Worker(Generic[Job, Connection]):
    """Runs jobs on a thread of its own, for any number of event loops, and of threads that block.

    The thread starts with the first job and knows nothing of the storage, so that a forgotten storage can be
    collected. It is a daemon: what it has not answered yet was promised to nobody.

    Args:
        name: Of the thread.
        connect: Opens the connection; called in the thread. An error fails the waiting jobs, the next ones try again.
        run: Does jobs in order and returns for each a value or an error. If it raises, none of them may count.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Connection],
        run: Callable[[Connection, Sequence[Job]], Sequence[Outcome]],
    ) -> None:
        self._queue: queue.SimpleQueue[list[_Waiting[Job]] | None] = queue.SimpleQueue()
        self._undone: deque[None] = deque()  # one for each job, from before it is queued; no counter is as safe
        self._name = name
        self._connect = connect
        self._run = run
        self._gathered: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Waiting[Job]]] = WeakKeyDictionary()
        self._lock = threading.RLock()  # nothing may be queued behind the end, but by what interrupts who queues
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._stopped = False

    async def do(self, job: Job) -> Any:
        """Return what ``job`` gives; when the caller is cancelled, the job may still be done.

        Raises:
            ValueError: The worker was stopped, or belongs to the process this one was forked from.
        """
        self._check_process()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._lock:
            self._check_running()
            if not (gathered := self._gathered.setdefault(loop, [])):
                loop.call_soon(self._hand_over, gathered)
            self._undone.append(None)
            gathered.append((job, future))
        return await future

    def wait_for(self, job: Job) -> Any:
        """Return what ``do`` does, for a caller who blocks; when he is interrupted, the job may still be done."""
        self._check_process()
        answer = _Answer()
        with self._lock:
            self._check_running()
            self._undone.append(None)
            self._queue.put([(job, answer)])
        return answer.result()

    def _check_process(self) -> None:
        if self._pid != os.getpid():  # before the lock, which another thread may have held then
            msg = "this storage was opened before a fork: open it again in each process"
            raise ValueError(msg)

    def _check_running(self) -> None:
        """Start the thread, if it has not been; the lock is held."""
        if self._stopped:
            msg = "the storage is closed"
            raise ValueError(msg)
        if self._thread is None:
            # The target holds the queue and not `self`.
            target = (self._queue, self._undone, self._connect, self._run)
            self._thread = threading.Thread(target=_serve, args=target, name=self._name, daemon=True)
            self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether its thread runs and has no job, not even one that nobody waits for any more."""
        return self._thread is not None and not self._stopped and not self._undone

    @property
    def is_running(self) -> bool:
        """Whether this process has a thread to stop."""
        return self._thread is not None and not self._stopped and self._pid == os.getpid()

    def stop(self) -> None:
        """Let the thread finish what is queued and end; does not wait for that. In a fork there is none."""
        if self._pid != os.getpid():
            return
        with self._lock:
            if not self._stopped:
                self._stopped = True
                for gathered in self._gathered.values():
                    self._queue_all(gathered)
                self._queue.put(None)

    def _hand_over(self, gathered: list[_Waiting[Job]]) -> None:
        with self._lock:
            self._queue_all(gathered)

    def _queue_all(self, gathered: list[_Waiting[Job]]) -> None:
        """Queue what one turn of an event loop has gathered, at once: to wake a thread takes longer than most jobs."""
        for start in range(0, len(gathered), _MAX_JOBS):
            self._queue.put(gathered[start : start + _MAX_JOBS])
        gathered.clear()

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None and self._pid == os.getpid():
            self._thread.join()


def _serve(
    waiting: queue.SimpleQueue[list[_Waiting[Job]] | None],
    undone: deque[None],
    connect: Callable[[], Connection],
    run: Callable[[Connection, Sequence[Job]], Sequence[Outcome]],
) -> None:
    connection: Connection | None = None
    ending = False
    while not ending:
        batch, ending = _take(waiting)
        if not batch:
            continue
        outcomes: Sequence[Outcome]
        try:
            connection = connection or connect()
            outcomes = run(connection, [job for job, _ in batch])
        except Exception as error:  # noqa: BLE001  answered to those who wait
            outcomes = [(None, error)] * len(batch)
            if connection is not None:  # closing it rolls back what was begun; the next job opens another
                connection.close()
                connection = None
        for _ in range(len(batch)):
            undone.popleft()
        _answer([future for _, future in batch], outcomes)
        del batch, outcomes  # while waiting, keep nothing alive
    if connection is not None:
        connection.close()


def _take(waiting: queue.SimpleQueue[list[_Waiting[Job]] | None]) -> tuple[list[_Waiting[Job]], bool]:
    """Return all jobs that wait, after waiting for one, and whether the end was among them."""
    batch: list[_Waiting[Job]] = []
    try:
        jobs = waiting.get()
        while jobs is not None:
            batch += jobs
            if len(batch) >= _MAX_JOBS:
                return batch, False
            jobs = waiting.get_nowait()
    except queue.Empty:
        return batch, False
    return batch, True


def _answer(waiting: Sequence[asyncio.Future[Any] | _Answer], outcomes: Sequence[Outcome]) -> None:
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = defaultdict(list)
    for future, outcome in zip(waiting, outcomes, strict=True):
        if isinstance(future, _Answer):
            future.settle(outcome)
        else:
            by_loop[future.get_loop()].append((future, outcome))
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answers)
        except RuntimeError:  # the loop has been closed: nobody waits any more
            continue


def _settle(answers: list[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, (value, error) in answers:
        if future.done():  # its caller was cancelled
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
