"""Which entries are written to an SQLite file in the thread of the caller, and what may come between."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import dis
import gc
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import UnavailableError
from ssshelf.keys import Key
from ssshelf.storages import _sqlite_connections, _sqlite_writing, sqlite
from ssshelf.storages._sqlite_connections import Connections
from ssshelf.storages._sqlite_worker import Worker
from ssshelf.storages.base import utc_now
from ssshelf.storages.sqlite import SQLiteStorage
from tests.unit.test_sqlite import TIMEOUT_S, commits, locked, names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import CodeType, FrameType

    from ssshelf.storages._sqlite_worker import Outcome
    from ssshelf.storages._sqlite_writing import Writing

KEY, OTHER = Key("a"), Key("b")
THREADS = 8
SOURCES = {module.__file__ for module in (sqlite, _sqlite_connections, _sqlite_writing)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shelf.db"


@pytest.fixture
def storage(path: Path) -> Iterator[SQLiteStorage]:
    """Open a storage that was written to before."""
    with opened(path, busy_timeout_s=TIMEOUT_S) as storage:
        yield storage


@contextlib.contextmanager
def opened(path: Path, **options: Any) -> Iterator[SQLiteStorage]:
    storage = SQLiteStorage(path, **options)
    asyncio.run(storage.put(KEY, b"0"))
    yield storage
    close(storage)


def writing_of(storage: SQLiteStorage) -> Writing:
    writing = storage._near_writer._opened()
    assert writing is not None
    return writing


def writes_here(storage: SQLiteStorage) -> bool:
    """Return whether a put is done in the thread of its caller; told by whom SQLite executes it for."""
    executed: list[str] = []
    near = writing_of(storage).near
    near.set_trace_callback(executed.append)
    try:
        storage.put_now(OTHER, b"1")
    finally:
        near.set_trace_callback(None)
    return bool(executed)


def until(condition: Callable[[], bool]) -> None:
    """Wait for other threads."""
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0)


def read(path: Path) -> dict[str, bytes]:
    """Return what is in the file, as another process sees it."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT key, data FROM entries"))


@contextlib.contextmanager
def somebody_writes(storage: SQLiteStorage) -> Iterator[None]:
    """Be in the middle of a put, in another thread than that of the body, until it ends."""
    begun, end = threading.Event(), threading.Event()

    def hold() -> None:
        with writing_of(storage).lock:
            begun.set()
            end.wait(TIMEOUT_S)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        begun.wait(TIMEOUT_S)
        try:
            yield
        finally:
            end.set()
        holding.result()


def test_who_blocks_writes_in_his_own_thread(storage: SQLiteStorage, path: Path) -> None:
    before = commits(path)

    assert writes_here(storage)
    assert commits(path) - before == 1
    assert read(path) == {KEY.text: b"0", OTHER.text: b"1"}
    assert asyncio.run(storage.get(OTHER)).etag == storage.put_now(OTHER, b"1")


def test_the_first_put_opens_the_file_in_the_thread(path: Path) -> None:
    storage = SQLiteStorage(path)
    storage.put_now(KEY, b"1")
    assert writes_here(storage)
    close(storage)


def test_what_is_written_here_is_synced_to_the_disk_and_waits_for_nobody(storage: SQLiteStorage) -> None:
    near = writing_of(storage).near
    found = [near.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "fullfsync", "busy_timeout")]

    assert found == [2, 1, 0]


def test_who_blocks_while_another_process_writes_queues_with_others(storage: SQLiteStorage, path: Path) -> None:
    before = commits(path)
    with ThreadPoolExecutor(1 + THREADS) as pool, locked(path):
        puts = [pool.submit(storage.put_now, KEY, b"1")]
        until(lambda: bool(storage._writer._undone) and storage._writer._queue.empty())
        puts += [pool.submit(storage.put_now, Key("k", number), b"1") for number in range(THREADS)]
        until(lambda: storage._writer._queue.qsize() == THREADS)

    assert [type(put.result()) for put in puts] == [str] * (1 + THREADS)
    assert commits(path) - before == 2
    assert len(read(path)) == 1 + THREADS


def test_who_blocks_while_another_thread_writes_queues(storage: SQLiteStorage) -> None:
    with somebody_writes(storage):
        assert not writes_here(storage)  # nor waits for him: SQLite does
    assert writes_here(storage)


def test_who_blocks_queues_with_those_who_wait_already(storage: SQLiteStorage) -> None:
    undone = storage._writer._undone
    undone.append(None)  # as of one whom the thread is about to serve
    assert not writes_here(storage)
    undone.pop()
    assert writes_here(storage)


async def test_a_thread_is_idle_when_all_is_done_and_not_when_nobody_waits_any_more() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def run(_: object, jobs: Sequence[None]) -> list[Outcome]:
        begun.set()
        assert may_end.wait(TIMEOUT_S)
        return [(None, None)] * len(jobs)

    worker: Worker[None, sqlite3.Connection] = Worker("busy", lambda: sqlite3.connect(":memory:"), run)
    assert not worker.is_idle  # it does not run
    job = asyncio.ensure_future(worker.do(None))
    await asyncio.to_thread(begun.wait, TIMEOUT_S)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    assert not worker.is_idle
    may_end.set()
    await worker.do(None)
    assert worker.is_idle
    await asyncio.to_thread(worker.wait_for, None)
    assert worker.is_idle
    worker.stop()
    assert not worker.is_idle
    await asyncio.to_thread(worker.join)


def test_threads_and_an_event_loop_that_write_at_once_lose_nothing(storage: SQLiteStorage, path: Path) -> None:
    def write(thread: int) -> None:
        for number in range(50):
            etag = storage.put_now(Key("t", thread), b"%d" % number)
            entry = storage.get_now(Key("t", thread))
            assert entry is None or entry.etag == etag
            storage.put_now(Key("n", thread, number), b"")

    async def write_in_a_loop() -> None:
        for number in range(50):
            await storage.put(Key("t", THREADS), b"%d" % number)
            assert (await storage.get(Key("t", THREADS))).data == b"%d" % number

    with ThreadPoolExecutor(THREADS) as pool:
        writing = [pool.submit(write, thread) for thread in range(THREADS)]
        asyncio.run(write_in_a_loop())

    assert [each.result() for each in writing] == [None] * THREADS
    found = read(path)
    assert {found[Key("t", thread).text] for thread in range(THREADS + 1)} == {b"49"}
    assert len(found) == 1 + THREADS + 1 + THREADS * 50


def test_threads_that_write_at_once_share_transactions(storage: SQLiteStorage, path: Path) -> None:
    barrier = threading.Barrier(THREADS)

    def write(thread: int) -> None:
        barrier.wait(TIMEOUT_S)
        for number in range(20):
            storage.put_now(Key("n", thread, number), b"")

    before = commits(path)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(write, range(THREADS)))

    assert commits(path) - before < THREADS * 20 * 0.75
    assert len(read(path)) == 1 + THREADS * 20


def test_a_file_that_another_process_keeps_is_given_up(path: Path) -> None:
    with opened(path, busy_timeout_s=0.02) as storage:
        with locked(path), pytest.raises(UnavailableError, match="database is locked") as caught:
            storage.put_now(KEY, b"new")

        assert not caught.value.maybe_applied
        assert read(path) == {KEY.text: b"0"}
        assert writes_here(storage)


def test_what_fails_here_is_left_to_the_thread(storage: SQLiteStorage, path: Path) -> None:
    writing_of(storage).near.close()  # as any error

    storage.put_now(KEY, b"1")

    assert read(path) == {KEY.text: b"1"}


def test_a_key_that_is_no_text_and_a_clock_that_fails_fail_the_put(path: Path) -> None:
    times = iter([utc_now(), utc_now(), dt.datetime(2024, 1, 1), utc_now()])  # noqa: DTZ001  the third is wrong
    with opened(path, clock=lambda: next(times)) as storage:
        with pytest.raises(UnicodeEncodeError):
            storage.put_now(Key.from_text("\ud800"), b"1")
        with pytest.raises(TypeError):
            storage.put_now(KEY, b"1")
        assert writes_here(storage)


@cache
def steps(code: CodeType) -> frozenset[int]:
    """Return before which instructions Python looks for signals: behind a call, and where a function begins."""
    instructions = list(dis.get_instructions(code))
    return frozenset(
        after.offset for before, after in pairwise(instructions) if before.opname.startswith(("CALL", "RESUME"))
    )


def interrupted(step: int, call: Callable[[], object], interrupt: Callable[[], object]) -> bool:
    """Call something, interrupted at a step of it; return whether it has as many."""
    left = step

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in SOURCES:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_lasti in steps(frame.f_code):
            left -= 1
            if left == 0:
                interrupt()
        return trace

    tracing = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 asks for it before
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(tracing)
    return left <= 0


def elsewhere(function: Callable[[], Any]) -> None:
    """Do something in another thread, and wait for it as a handler of a signal may."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(function).result(TIMEOUT_S)


def stop_it() -> None:
    raise KeyboardInterrupt


def test_whenever_a_put_is_interrupted_nothing_is_left_behind(storage: SQLiteStorage, path: Path) -> None:
    done = set()
    was_interrupted, step = True, 0
    while was_interrupted:
        step += 1
        before = read(path)[KEY.text]
        with contextlib.suppress(KeyboardInterrupt):
            was_interrupted = interrupted(step, partial(storage.put_now, KEY, b"%d" % step), stop_it)
        done.add(read(path)[KEY.text] != before)
        assert not writing_of(storage).lock.locked()
        assert not writing_of(storage).near.in_transaction
        assert writes_here(storage)
    assert step > 10
    assert done == {False, True}


INTERRUPTS: dict[str, Callable[[SQLiteStorage, Key, bytes], object]] = {
    "puts": lambda storage, key, data: storage.put_now(key, data),
    "has an event loop put": lambda storage, key, data: elsewhere(lambda: asyncio.run(storage.put(key, data))),
    "has a thread put": lambda storage, key, data: elsewhere(lambda: storage.put_now(key, data)),
}


@pytest.mark.parametrize("how", INTERRUPTS)
def test_what_interrupts_a_put_may_write_too(storage: SQLiteStorage, path: Path, how: str) -> None:
    step = 1
    while interrupted(
        step, partial(storage.put_now, KEY, b"%d" % step), partial(INTERRUPTS[how], storage, OTHER, b"%d" % step)
    ):
        assert read(path) == {KEY.text: b"%d" % step, OTHER.text: b"%d" % step}
        assert not writing_of(storage).lock.locked()
        step += 1
    assert step > 10


def close(storage: SQLiteStorage) -> None:
    asyncio.run(storage.aclose())


def is_closing(storage: SQLiteStorage) -> bool:
    """Return whether the thread is closing its connections."""
    thread = storage._writer._thread
    assert thread is not None
    frames = traceback.walk_stack(sys._current_frames()[thread.ident or 0])
    return any(frame.f_code is Connections.close.__code__ for frame, _ in frames)


def test_closing_waits_for_who_writes(storage: SQLiteStorage, path: Path) -> None:
    begun, end = threading.Event(), threading.Event()

    def pause(_: str) -> None:
        begun.set()
        end.wait(TIMEOUT_S)

    writing_of(storage).near.set_trace_callback(pause)  # called in the middle of it
    with ThreadPoolExecutor(2) as pool:
        put = pool.submit(storage.put_now, KEY, b"1")
        begun.wait(TIMEOUT_S)
        closing = pool.submit(close, storage)
        until(lambda: is_closing(storage))
        end.set()
        closing.result()

    assert put.result()
    assert read(path) == {KEY.text: b"1"}
    assert names_in(path.parent) == ["shelf.db"]
    with pytest.raises(ValueError, match="the storage is closed"):
        storage.put_now(KEY, b"2")


@pytest.fixture
def quickly_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as long for who was interrupted as for nobody."""
    monkeypatch.setattr(_sqlite_connections, "_CLOSING_S", 0.01)


CALLS: dict[str, Callable[[SQLiteStorage], object]] = {
    "put": lambda storage: storage.put_now(KEY, b"1"),
    "get": lambda storage: storage.get_now(KEY),
}


@pytest.mark.usefixtures("quickly_closed")
@pytest.mark.parametrize("call", CALLS)
def test_what_interrupts_a_caller_may_close_the_storage(tmp_path: Path, call: str) -> None:
    was_interrupted, step = True, 0
    while was_interrupted:
        step += 1
        with opened(tmp_path / f"{step}.db") as storage:
            asyncio.run(storage.get(KEY))
            closing = partial(elsewhere, partial(close, storage))
            try:
                was_interrupted = interrupted(step, partial(CALLS[call], storage), closing)
            except ValueError as error:
                assert str(error) == "the storage is closed"  # noqa: PT017  or it was done before
            if was_interrupted:
                with pytest.raises(ValueError, match="the storage is closed"):
                    storage.put_now(KEY, b"2")
    assert step > 5


def test_a_forgotten_storage_is_closed(path: Path) -> None:
    storage = SQLiteStorage(path)
    storage.put_now(KEY, b"1")
    assert writes_here(storage)
    thread = storage._writer._thread

    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        del storage
        gc.collect()

    assert thread is not None
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    assert names_in(path.parent) == ["shelf.db"]


FORKS = """
import asyncio, gc, os, signal, sys, warnings
from ssshelf import Key, SQLiteStorage

warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
storage = SQLiteStorage(sys.argv[1])
for data in (b"1", b"2"):
    storage.put_now(Key("a"), data)
with storage._near_writer._opened().lock:  # as another thread may at any time
    child = os.fork()
if child == 0:
    signal.alarm(20)
    try:
        storage.put_now(Key("a"), b"3")
    except ValueError as error:
        print(error, flush=True)
    del storage
    gc.collect()
    sys.exit()
print(os.waitpid(child, 0)[1])
storage.put_now(Key("b"), b"4")
os._exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_child_that_drops_its_copy_leaves_the_file_alone(path: Path) -> None:
    forks = [sys.executable, "-c", FORKS, str(path)]
    done = subprocess.run(forks, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == ["this storage was opened before a fork: open it again in each process", "0"]
    assert (done.returncode, done.stderr) == (7, "")
    assert read(path) == {"a!": b"2", "b!": b"4"}


SIGNALS = """
import signal, sys
import ssshelf

number = interrupts = 0
is_handled = may_stop = False

def write(*_):
    global is_handled, may_stop
    if is_handled:
        return
    is_handled = True
    shelf["from a handler"] = number
    is_handled = False
    if may_stop and number % 2:
        may_stop = False
        raise KeyboardInterrupt

with ssshelf.open(sys.argv[1]) as shelf:
    signal.signal(signal.SIGALRM, write)
    signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
    while interrupts < 10:
        number += 1
        try:
            may_stop = True
            shelf["here"] = number
            may_stop = False
        except KeyboardInterrupt:
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    shelf["here"] = "done"
    print(shelf["here"], shelf["from a handler"] <= number)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_handler_of_a_signal_may_write_and_interrupt(path: Path) -> None:
    signals = [sys.executable, "-c", SIGNALS, str(path)]
    done = subprocess.run(signals, capture_output=True, text=True, check=False, timeout=TIMEOUT_S * 3)

    assert (done.stdout, done.stderr) == ("done True\n", "")
