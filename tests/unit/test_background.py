"""The event loop behind everything that blocks."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncGenerator

import pytest

from ssshelf._background import background


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def fail() -> None:
    msg = "gone"
    raise KeyError(msg)


async def numbers(closed: list[bool]) -> AsyncGenerator[list[int], None]:
    try:
        yield [1, 2]
        yield [3]
    finally:
        closed.append(True)


class Owner:
    pass


SLOW_TURNS_ARE_FINE = "import logging; logging.getLogger('asyncio').setLevel('ERROR')\n"


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SLOW_TURNS_ARE_FINE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_caller_that_blocks_gets_the_answer() -> None:
    assert background().call(double, 21) == 42


def test_a_caller_that_blocks_gets_the_failure() -> None:
    with pytest.raises(KeyError, match="gone"):
        background().call(fail)


def test_it_serves_many_threads() -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(background().call(double, n))) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == list(range(0, 32, 2))


def test_it_serves_a_thread_that_runs_an_event_loop_as_a_notebook_does() -> None:
    out = run("""
        import asyncio
        from ssshelf._background import background

        async def answer():
            return 8

        async def notebook():
            print(background().call(answer))

        asyncio.run(notebook())
    """)
    assert out == "8\n"


def test_a_call_from_its_own_loop_is_refused() -> None:
    async def inner() -> int:
        return background().call(double, 1)

    with pytest.raises(RuntimeError, match="would wait for itself"):
        background().call(inner)


def test_an_interrupted_call_is_cancelled() -> None:
    out = run("""
        import asyncio, signal, threading
        from ssshelf._background import background

        cancelled = threading.Event()

        def interrupt():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        def interrupted(_, frame):
            while frame is not None and frame.f_code.co_name != "_start":
                frame = frame.f_back
            if frame is None:  # the call waits for its answer
                raise KeyboardInterrupt
            background()._loop.call_soon_threadsafe(interrupt)

        async def wait():
            interrupt()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        signal.signal(signal.SIGINT, interrupted)
        try:
            background().call(wait)
        except KeyboardInterrupt:
            print(cancelled.wait(60))
    """)
    assert out == "True\n"


def test_pages_are_read_one_by_one_and_closed_at_a_break() -> None:
    closed: list[bool] = []

    assert list(background().pages(numbers(closed))) == [1, 2, 3]
    rows = background().pages(numbers(closed))
    assert next(rows) == 1
    rows.close()  # type: ignore[attr-defined]
    background().call(double, 1)
    assert closed == [True, True]


def test_pages_that_are_left_open_are_closed_when_the_process_ends() -> None:
    out = run("""
        from ssshelf._background import background

        async def numbers():
            try:
                yield [1, 2]
            finally:
                print("closed")

        rows = background().pages(numbers())
        print(next(rows))
    """)
    assert out == "1\nclosed\n"


def test_what_is_closed_twice_closes_once() -> None:
    closings: list[bool] = []

    async def aclose() -> None:
        closings.append(True)

    owner = Owner()
    close = background().adopt(owner, aclose)
    close()
    close()
    del owner
    gc.collect()
    background().call(double, 1)

    assert closings == [True]


def test_what_is_forgotten_is_closed() -> None:
    closed = threading.Event()

    async def aclose() -> None:
        closed.set()

    background().call(double, 1)
    owner = Owner()
    background().adopt(owner, aclose)
    del owner
    gc.collect()

    assert closed.wait(timeout=60)


def test_what_is_open_is_closed_when_the_process_ends() -> None:
    out = run("""
        from ssshelf._background import background

        async def aclose():
            print("closed")

        class Owner: pass

        async def begin(): pass
        background().call(begin)
        owner = Owner()
        background().adopt(owner, aclose)
        print("end")
    """)
    assert out == "end\nclosed\n"


def test_a_host_name_is_found_also_while_the_interpreter_ends() -> None:
    out = run("""
        import asyncio, atexit
        from ssshelf._background import background

        async def look_up():
            return bool(await asyncio.get_running_loop().getaddrinfo("localhost", 80))

        background().call(look_up)
        atexit.register(lambda: print(background().call(look_up)))
    """)
    assert out == "True\n"


def test_what_was_opened_before_a_fork_is_refused_and_new_things_work() -> None:
    out = run("""
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        from ssshelf._background import background

        async def one():
            return 1

        before = background()
        before.call(one)
        child = os.fork()
        if child == 0:
            try:
                before.call(one)
            except ValueError as error:
                print(error, background().call(one), flush=True)
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """)
    assert out == "this was opened before a fork: open it again in each process 1\n"
