"""The event loop behind everything that blocks."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncGenerator

import pytest

from ssshelf._background import _Call, background
from tests.programs import run


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


def test_what_a_program_registered_for_its_end_runs_before_that() -> None:
    out = run("""
        import atexit
        from ssshelf._background import background

        atexit.register(print, "mine")

        async def aclose():
            print("closed")

        class Owner: pass

        async def begin(): pass
        background().call(begin)
        owner = Owner()
        background().adopt(owner, aclose)
    """)
    assert out == "mine\nclosed\n"


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


def test_a_traceback_goes_from_the_caller_straight_to_what_was_called() -> None:
    with pytest.raises(KeyError) as caught:
        background().call(fail)

    assert [entry.name for entry in caught.traceback] == [
        "test_a_traceback_goes_from_the_caller_straight_to_what_was_called",
        "call",
        "outcome",
        "run",
        "fail",
    ]


@pytest.mark.parametrize("turns", [0, 2, 100])
def test_a_call_that_is_interrupted_is_cancelled_and_has_ended_when_the_caller_goes_on(turns: int) -> None:
    out = run(f"""
        import asyncio, signal, threading
        from ssshelf._background import background

        ended = []

        def interrupt():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        async def wait():
            for _ in range({turns}):
                await asyncio.sleep(0)
            interrupt()
            try:
                await asyncio.Event().wait()
            finally:
                for _ in range(100):
                    await asyncio.sleep(0)
                ended.append(True)

        async def pages():
            yield [1]
            await wait()

        async def begin(): pass
        background().call(begin)
        rows = background().pages(pages())
        print(next(rows))
        try:
            next(rows)
        except KeyboardInterrupt:
            print(ended)
    """)
    assert out == "1\n[True]\n"


async def test_a_call_that_is_interrupted_before_it_begins_never_begins() -> None:
    begun: list[bool] = []

    async def begin() -> None:
        begun.append(True)

    call = _Call(begin)
    call.cancel()
    await call.run()

    assert call.ended.is_set()
    assert begun == []


def test_an_iterator_that_is_left_open_does_not_keep_the_process_from_ending() -> None:
    out = run("""
        from ssshelf._background import background

        async def numbers():
            yield [1, 2]

        rows = background().pages(numbers())
        print(next(rows))
    """)
    assert out == "1\n"


def test_a_call_while_the_interpreter_ends_is_refused() -> None:
    out = run("""
        import asyncio
        from ssshelf._background import background

        class Late:
            def __del__(self, background=background(), sleep=asyncio.sleep, print=print):
                try:
                    background.call(sleep, 0)
                except RuntimeError as error:
                    print(error)

        background().call(asyncio.sleep, 0)
        late = Late()
    """)
    assert (
        out
        == "the process is ending: nothing answers blocking calls any more; make them, or the first of them, earlier\n"
    )


def test_an_iterator_that_is_collected_in_the_event_loop_is_closed() -> None:
    ended = threading.Event()

    async def pages() -> AsyncGenerator[list[int], None]:
        try:
            yield [1, 2]
        finally:
            ended.set()

    async def drop() -> None:
        rows.pop()

    rows = [background().pages(pages())]
    next(rows[0])
    background().call(drop)

    assert ended.wait(timeout=60)


def test_what_was_opened_before_a_fork_is_left_to_the_parent() -> None:
    out = run("""
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        from ssshelf._background import background

        async def aclose():
            print("closed", flush=True)

        class Owner: pass

        async def begin(): pass
        background().call(begin)
        owner = Owner()
        close = background().adopt(owner, aclose)
        child = os.fork()
        if child == 0:
            close()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print("parent", flush=True)
        close()
    """)
    assert out == "parent\nclosed\n"


def test_a_failure_keeps_nothing_alive() -> None:
    class GoneError(Exception):
        pass

    async def fail() -> None:
        raise GoneError

    failures: list[weakref.ref[GoneError]] = []
    gc.disable()
    try:
        try:
            background().call(fail)
        except GoneError as error:
            failures.append(weakref.ref(error))
        background().call(double, 1)  # so that the event loop is done with the one before

        assert failures[0]() is None
    finally:
        gc.enable()


def test_an_iterator_in_garbage_does_not_wait_on_a_thread_that_its_end_needs() -> None:
    out = run("""
        import asyncio, faulthandler, gc, threading
        from concurrent.futures import ThreadPoolExecutor
        from ssshelf._background import background

        worker = ThreadPoolExecutor(1)
        closed = threading.Event()

        async def numbers():
            try:
                yield [1, 2]
            finally:
                await asyncio.get_running_loop().run_in_executor(worker, closed.set)

        async def collect():
            await asyncio.get_running_loop().run_in_executor(worker, gc.collect)

        class Node: pass

        faulthandler.dump_traceback_later(20, exit=True)
        gc.disable()
        node = Node()
        node.itself, node.rows = node, background().pages(numbers())
        print(next(node.rows))
        del node
        background().call(collect)
        print(closed.wait())
    """)
    assert out == "1\nTrue\n"


def test_an_iterator_keeps_what_it_reads_from() -> None:
    closed: list[bool] = []
    owner = Owner()
    kept = weakref.ref(owner)
    rows = background().pages(numbers(closed), owner)
    del owner

    assert next(rows) == 1
    assert kept() is not None
    assert list(rows) == [2, 3]
    assert kept() is None


@pytest.mark.parametrize("ending", ["", "del owner; gc.collect(); background().call(begin)"], ids=["left", "forgotten"])
def test_what_cannot_be_closed_when_nobody_waits_is_told(ending: str) -> None:
    out = run(f"""
        import gc, logging, sys
        from ssshelf._background import background

        logging.basicConfig(stream=sys.stdout, format="%(message)s")

        class Owner:
            def __repr__(self):
                return "the owner"

        async def aclose():
            raise OSError("the disk is full")

        async def begin(): pass
        background().call(begin)
        owner = Owner()
        close = background().adopt(owner, aclose)
        {ending}
    """)
    lines = out.splitlines()
    assert lines[0] == "the owner failed to close; what it had still to write may be lost: close it yourself"
    assert lines[-1] == "OSError: the disk is full"


def test_what_is_forgotten_right_before_the_end_is_closed_completely() -> None:
    out = run("""
        import asyncio
        from ssshelf._background import background

        async def aclose():
            for _ in range(10_000):
                await asyncio.sleep(0)
            print("closed")

        class Owner: pass

        background().call(asyncio.sleep, 0)
        owner = Owner()
        background().adopt(owner, aclose)
        del owner
    """)
    assert out == "closed\n"
