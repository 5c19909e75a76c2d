"""What a blocking shelf reads in the thread of its caller: told by an event loop that does not answer meanwhile."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

import pytest

import ssshelf
from ssshelf import CorruptionError, Key, NotFoundError, SQLiteStorage
from ssshelf._background import background
from ssshelf._taken import TAKEN
from ssshelf.blocking import run
from ssshelf.storages.counting import CountingStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def blockbuster() -> None:
    """Let the event loop be blocked, by these tests themselves."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notes.db")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Let the event loop answer nobody for a while."""
    begun, end = threading.Event(), threading.Event()

    async def block() -> None:
        begun.set()
        end.wait()

    thread = threading.Thread(target=background().call, args=(block,))
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("options", [{}, {"flag": "r"}, {"writeback": True}], ids=["c", "r", "writeback"])
def test_values_of_a_file_are_read_at_once(path: str, options: Any) -> None:
    with ssshelf.open(path) as shelf:
        shelf.update({"a": [1], "b": None, ("c", 3): "x", "large": "x" * 100_000})
    with ssshelf.open(path, **options) as shelf, silence():
        assert (shelf["a"], shelf.get("b", 1), shelf["c", 3], shelf.get("d", 4)) == ([1], None, "x", 4)
        assert shelf.get_entry("a")[0] == [1]
        assert shelf["large"] == "x" * 100_000
        assert ("a" in shelf, "b" in shelf, "d" in shelf, ("c", 3) in shelf, "c" in shelf.keys(prefix="a")) == (
            True,
            True,
            False,
            True,
            False,
        )
        with pytest.raises(NotFoundError) as caught:
            shelf["c", 4]
        assert caught.value.key == ("c", 4)


def test_values_are_stored_in_a_file_while_the_event_loop_is_silent(path: str) -> None:
    with ssshelf.open(path) as shelf, silence():
        shelf["a"] = [1]
        assert shelf["a"] == [1]
        with pytest.raises(TypeError, match="the value of 'a' was not stored: object has no form here"):
            shelf["a"] = object()
        with pytest.raises(ssshelf.KeyTooLongError):
            shelf["x" * 2000] = 1
        assert shelf["a"] == [1]
    with ssshelf.open(path, "r") as shelf, pytest.raises(PermissionError, match="opened for reading only"):
        shelf["a"] = 2
    with pytest.raises(ValueError, match="the shelf 'main' is closed"):
        shelf["a"] = 2


def test_threads_that_store_share_transactions(path: str) -> None:
    with ssshelf.open(path) as shelf:

        def store(number: int) -> None:
            for turn in range(20):
                shelf[number, turn] = turn

        threads = [threading.Thread(target=store, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(shelf) == 160


def test_what_interrupts_a_put_may_put(path: str) -> None:
    storage = SQLiteStorage(path)
    with ssshelf.open(storage) as shelf:
        with storage._writer._lock:
            shelf["a"] = 1
        assert shelf["a"] == 1
    run(storage.aclose)


def test_what_returned_is_read(path: str) -> None:
    with ssshelf.open(path) as shelf, ssshelf.open(path) as other:
        for number in range(100):
            other["a"] = number
            assert shelf["a"] == number
            del shelf["a"]
            assert "a" not in other


def test_with_writeback_it_is_one_object(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf["a"] = []
    with ssshelf.open(path, writeback=True) as shelf:
        with silence():
            shelf["a"].append(1)
            assert shelf["a"] is shelf["a"]
        shelf.sync()
    with ssshelf.open(path) as shelf:
        assert shelf["a"] == [1]


def test_an_error_names_the_key_of_the_caller(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf["good"] = 1
        run(shelf._shelf.storage.put, Key("shelves", "main", "bad"), b"{")
        with silence(), pytest.raises(CorruptionError, match="'bad': JSONSerializer raised") as caught:
            shelf["bad"]
        assert caught.value.key == "bad"
        assert "bad" in shelf


def test_a_damaged_value_is_there_and_cannot_be_read(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf["a"] = 1
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE entries SET data = x'32'")
        with silence():
            assert "a" in shelf
            with pytest.raises(CorruptionError, match="'a': it is damaged"):
                shelf["a"]


def test_the_mark_of_a_pop_is_no_value(path: str) -> None:
    with ssshelf.open(path) as shelf:
        run(shelf._shelf.storage.put, Key("shelves", "main", "a"), TAKEN)
        with silence():
            assert "a" not in shelf
            assert shelf.get("a", 1) == 1


def test_a_closed_shelf_reads_nothing(path: str) -> None:
    storage = SQLiteStorage(path)
    shelf = ssshelf.open(storage)
    shelf["a"] = 1
    shelf.close()
    for use in (lambda: shelf["a"], lambda: "a" in shelf, lambda: shelf.get_entry("a")):
        with pytest.raises(ValueError, match="the shelf 'main' is closed"):
            use()
    with ssshelf.open(storage) as again:
        run(storage.aclose)
        with pytest.raises(ValueError, match="the storage is closed"):
            again["a"]


def test_nobody_blocks_the_event_loop(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf["a"] = 1

        async def within() -> None:
            shelf["a"]

        with pytest.raises(RuntimeError, match="await there"):
            run(within)


def test_what_is_around_a_storage_sees_every_get(path: str) -> None:
    counting = CountingStorage(SQLiteStorage(path))
    with ssshelf.open(counting) as shelf:
        shelf["a"] = 1
        counting.reset()
        assert shelf["a"] == 1
        assert str(counting) == "1 get in 1 step"
    run(counting.aclose)


def test_threads_read_while_others_write(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf.update({n: n for n in range(10)})
        wrong: list[object] = []

        def read() -> None:
            try:
                wrong.extend(n for _ in range(50) for n in range(10) if shelf[n] % 10 != n)
            except BaseException as error:  # told below
                wrong.append(error)
                raise

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for turn in range(20):
            shelf.update({n: n + 10 * turn for n in range(10)})
        for thread in threads:
            thread.join()
        assert wrong == []
