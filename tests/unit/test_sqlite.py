"""SQLite: durable, shared by whoever wants it, and no harm done to files that are not ours."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import sqlite3
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import (
    ConflictError,
    CorruptionError,
    DeniedError,
    NotFoundError,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
)
from ssshelf.keys import Key
from ssshelf.storages.base import IfAbsent, IfMatch, Put
from ssshelf.storages.sqlite import SQLiteStorage, _connect, _mapped, _use_wal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssshelf.storages.base import Storage

KEY = Key("a")
NOW = dt.datetime(2024, 2, 29, 12, 0, 0, 7, tzinfo=dt.UTC)
APPLICATION_ID = 0x55E1F001
TIMEOUT_S = 20  # of what would otherwise hang; never reached


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shelf.db"


@contextlib.contextmanager
def locked(path: Path, how: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Hold the lock of a writer, as another process would."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {how}")
        yield connection
        connection.execute("ROLLBACK")


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def commits(path: Path) -> int:
    """Return how many transactions are in the write-ahead log; https://www.sqlite.org/fileformat.html#the_write_ahead_log."""
    data = Path(f"{path}-wal").read_bytes()
    page_bytes, salts = int.from_bytes(data[8:12]), data[16:24]
    frames = [data[start : start + 24] for start in range(32, len(data), 24 + page_bytes)]
    return sum(1 for frame in frames if frame[8:16] == salts and frame[4:8] != bytes(4))


async def began() -> None:
    """Let all tasks get to where they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def answered(*attempts: Any) -> list[Any]:
    """Return what attempts that run together give, or how they fail."""
    async with asyncio.timeout(TIMEOUT_S):
        return await asyncio.gather(*attempts, return_exceptions=True)


async def increment(storage: Storage, times: int) -> None:
    """Add to a number, again and again when somebody else was faster."""
    for _ in range(times):
        while True:
            with contextlib.suppress(ConflictError):
                await add_one(storage)
                break


async def add_one(storage: Storage) -> None:
    try:
        entry = await storage.get(KEY)
    except NotFoundError:
        await storage.put(KEY, b"1", condition=IfAbsent())
    else:
        await storage.put(KEY, b"%d" % (int(entry.data) + 1), condition=IfMatch(entry.etag))


async def read(path: Path, key: Key = KEY) -> bytes:
    async with SQLiteStorage(path) as storage:
        return (await storage.get(key)).data


def test_the_stored_form_never_changes(path: Path) -> None:
    async def main() -> None:
        async with SQLiteStorage(path, clock=lambda: NOW) as storage:
            await storage.put(Key("a", 1), b"data")

    asyncio.run(main())

    with contextlib.closing(sqlite3.connect(path)) as connection:
        columns = connection.execute("SELECT name, type, \"notnull\", pk FROM pragma_table_info('entries')").fetchall()
        rows = connection.execute("SELECT * FROM entries").fetchall()
        pragmas = [connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
        journal = connection.execute("PRAGMA journal_mode").fetchone()
    assert columns == [
        ("key", "TEXT", 1, 1),
        ("data", "BLOB", 1, 0),
        ("etag", "TEXT", 1, 0),
        ("modified_us", "INTEGER", 1, 0),
    ]
    assert rows == [("a!/!3p5011!", b"data", "8d777f385d3dfec8815d20f7496026dc", 1709208000000007)]
    assert pragmas == [(APPLICATION_ID,), (1,)]
    assert journal == ("wal",)


async def test_a_scan_tells_when_an_entry_was_written(path: Path) -> None:
    async with SQLiteStorage(path, clock=lambda: NOW) as storage:
        await storage.put(KEY, b"")

        (row,) = (await storage.scan(Key())).rows

    assert row.modified == NOW


def test_a_write_is_synced_to_the_disk(path: Path) -> None:
    with contextlib.closing(_connect(str(path), 1.0)) as connection:
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        (full_sync,) = connection.execute("PRAGMA fullfsync").fetchone()

    assert (synchronous, full_sync) == (2, 1)


DIES = """
import asyncio, os, sys
from ssshelf import Key, SQLiteStorage

async def main():
    storage = SQLiteStorage(sys.argv[1])
    for number in range(20):
        await storage.put(Key("a", number), b"1")
    os._exit(7)

asyncio.run(main())
"""


def test_what_was_put_survives_the_death_of_the_process(path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", DIES, path], check=False)

    async def main() -> list[Any]:
        async with SQLiteStorage(path) as storage:
            return [row.key.parts for row in (await storage.scan(Key())).rows]

    assert result.returncode == 7
    assert asyncio.run(main()) == [("a", number) for number in range(20)]


INCREMENTS = """
import asyncio, sys
from pathlib import Path
from ssshelf import SQLiteStorage
from tests.unit.test_sqlite import increment

async def main():
    async with SQLiteStorage(sys.argv[1]) as storage:
        await increment(storage, 25)

print("ready", flush=True)
sys.stdin.read()
asyncio.run(main())
"""


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        children = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", INCREMENTS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(4)
        ]
        started = [child.stdout.readline() for child in children if child.stdout]
        for child in children:
            if child.stdin:
                child.stdin.close()  # all begin together, on a file that is not there yet
        ended = [child.wait() for child in children]

    assert started == ["ready\n"] * 4
    assert ended == [0] * 4
    assert asyncio.run(read(path)) == b"100"


def test_threads_and_event_loops_share_a_storage(path: Path) -> None:
    storage = SQLiteStorage(path)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: asyncio.run(increment(storage, 25)), range(4)))
    asyncio.run(storage.aclose())

    assert asyncio.run(read(path)) == b"100"


async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    failures: list[Any] = []

    for number in range(25):
        storages = [SQLiteStorage(tmp_path / f"{number}.db") for _ in range(4)]
        attempts = [storage.put(KEY, b"1") for storage in storages] + [storage.scan(Key()) for storage in storages]
        failures += [answer for answer in await answered(*attempts) if isinstance(answer, Exception)]
        for storage in storages:
            await storage.aclose()

    assert failures == []


async def test_a_new_file_may_be_read_and_written_at_once(tmp_path: Path) -> None:
    failures: list[Any] = []

    for number in range(50):
        async with SQLiteStorage(tmp_path / f"{number}.db") as storage:
            answers = await answered(storage.scan(Key()), storage.put(KEY, b"1"))
        failures += [answer for answer in answers if isinstance(answer, Exception)]

    assert failures == []


def test_a_new_file_becomes_ours_once_its_readers_are_done(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        attempts = []

        def read_on_until_the_third(statement: str) -> None:
            attempts.append(statement)
            if len(attempts) == 3:
                reader.execute("COMMIT")

        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as connection:
            connection.set_trace_callback(read_on_until_the_third)
            _use_wal(connection, TIMEOUT_S)

            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert len(attempts) >= 3


async def test_a_write_is_seen_by_another_storage_at_once(path: Path) -> None:
    async with SQLiteStorage(path) as one, SQLiteStorage(path) as other:
        seen = []
        for number in range(10):
            await one.put(KEY, b"%d" % number)
            seen.append((await other.get(KEY)).data)

    assert seen == [b"%d" % number for number in range(10)]


async def test_writes_that_wait_together_are_committed_together(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"")
        before = commits(path)
        with locked(path):
            attempts = [asyncio.create_task(storage.put(Key("k", number), b"1")) for number in range(50)]
            await began()
        await asyncio.gather(*attempts)

        assert 1 <= commits(path) - before <= 2  # the first may have set out alone
        assert len((await storage.scan(Key("k"))).rows) == 50


async def test_writes_one_after_the_other_are_committed_one_by_one(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"")
        before = commits(path)
        for number in range(5):
            await storage.put(Key("k", number), b"1")

        assert commits(path) - before == 5


async def test_more_writes_than_one_transaction_takes_all_arrive(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"")
        with locked(path):
            attempts = [asyncio.create_task(storage.put(Key("k", number), b"1")) for number in range(2500)]
            await began()
        await asyncio.gather(*attempts)

        found = [await storage.scan(Key("k"), after=Key("k", start).below) for start in (-1, 999, 1999)]

    assert [len(scan.rows) for scan in found] == [1000, 1000, 500]


async def test_a_conflict_spares_the_writes_that_share_its_transaction(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"there")
        with locked(path):
            attempts = [
                asyncio.create_task(attempt)
                for attempt in (
                    storage.put(Key("first"), b"1"),
                    storage.put(KEY, b"2", condition=IfAbsent()),
                    storage.commit([Put(Key("half"), b"3"), Put(KEY, b"3", IfAbsent())]),
                    storage.put(Key("last"), b"4", condition=IfAbsent()),
                    storage.put(Key("last"), b"5", condition=IfAbsent()),
                )
            ]
            await began()
        answers = await answered(*attempts)
        keys = [row.key for row in (await storage.scan(Key())).rows]

        assert [isinstance(answer, ConflictError) for answer in answers] == [False, True, True, False, True]
        assert keys == [KEY, Key("first"), Key("last")]
        assert (await storage.get(Key("last"))).data == b"4"


async def test_writes_of_one_key_are_applied_in_their_order(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await asyncio.gather(*(storage.put(KEY, b"%d" % number) for number in range(100)))

        assert (await storage.get(KEY)).data == b"99"


async def test_a_reader_does_not_wait_for_a_writer(path: Path) -> None:
    async with SQLiteStorage(path) as storage, SQLiteStorage(path) as opened_later:
        await storage.put(KEY, b"old")
        with locked(path) as other:
            other.execute("UPDATE entries SET data = x'00'")
            async with asyncio.timeout(TIMEOUT_S):
                found = [await storage.get(KEY), await opened_later.get(KEY)]
                rows = (await opened_later.scan(Key())).rows

    assert [entry.data for entry in found] == [b"old", b"old"]
    assert len(rows) == 1


async def test_a_writer_waits_for_another(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"old")
        with locked(path):
            attempt = asyncio.create_task(storage.put(KEY, b"new"))
            await began()
            waited = not attempt.done()
        async with asyncio.timeout(TIMEOUT_S):
            await attempt

        assert waited
        assert (await storage.get(KEY)).data == b"new"


async def test_a_writer_gives_up_when_another_does_not_end(path: Path) -> None:
    async with SQLiteStorage(path, busy_timeout_s=0.02) as storage:
        await storage.put(KEY, b"old")
        with locked(path):
            answers = await answered(storage.put(KEY, b"new"), storage.delete(KEY), storage.commit([Put(KEY, b"new")]))

        assert [type(answer) for answer in answers] == [UnavailableError] * 3
        assert [answer.maybe_applied for answer in answers] == [False] * 3
        assert [str(path) in str(answer) for answer in answers] == [True] * 3
        assert (await storage.get(KEY)).data == b"old"


async def test_a_writer_that_gave_up_can_try_again(path: Path) -> None:
    async with SQLiteStorage(path, busy_timeout_s=0.02) as storage:
        await storage.put(KEY, b"old")
        with locked(path):
            await answered(storage.put(KEY, b"new"))

        await storage.put(KEY, b"newer")

        assert (await storage.get(KEY)).data == b"newer"


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
async def test_a_new_file_that_another_holds_is_given_up_too(path: Path, how: str) -> None:
    async with SQLiteStorage(path, busy_timeout_s=0.02) as storage:
        with locked(path, how):
            (answer,) = await answered(storage.put(KEY, b"1"))
        await storage.put(KEY, b"2")

        assert isinstance(answer, UnavailableError)
        assert not answer.maybe_applied
        assert (await storage.get(KEY)).data == b"2"


def a_database(script: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)

    return make


def of_a_later_version(path: Path) -> None:
    async def main() -> None:
        async with SQLiteStorage(path) as storage:
            await storage.put(KEY, b"precious")

    asyncio.run(main())
    a_database("PRAGMA user_version = 2")(path)


FOREIGN: list[Any] = [
    # a file, and what is said about it
    (lambda path: path.write_bytes(b"hello"), "file is not a database"),
    (lambda path: path.write_bytes(b"hello " * 10_000), "file is not a database"),
    (lambda path: path.write_bytes(bytes(4096)), "file is not a database"),
    (lambda path: path.write_bytes(b"SQLite format 3\x00"), "file is not a database"),
    (a_database("CREATE TABLE precious (x)"), "is the SQLite database of another program; it was left as it is"),
    (a_database("PRAGMA journal_mode = WAL; CREATE TABLE entries (x)"), "is the SQLite database of another program"),
    (a_database("PRAGMA application_id = 5"), "is the SQLite database of another program"),
    (a_database("PRAGMA user_version = 7"), "is the SQLite database of another program"),
    (a_database("PRAGMA user_version = 1"), "is the SQLite database of another program"),
    (of_a_later_version, r"was made by a later ssshelf \(schema 2\): upgrade ssshelf"),
]


OPERATIONS: dict[str, Callable[[Storage], Any]] = {
    "get": lambda storage: storage.get(KEY),
    "put": lambda storage: storage.put(KEY, b"1"),
    "scan": lambda storage: storage.scan(Key()),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("make", "says"),
    FOREIGN,
    ids=["text", "long text", "zeros", "header", "tables", "wal", "application", "version 7", "version 1", "later"],
)
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], says: str, operation: str
) -> None:
    make(path)
    before = path.read_bytes(), names_in(path.parent)

    async def main() -> None:
        async with SQLiteStorage(path) as storage:
            await OPERATIONS[operation](storage)

    with pytest.raises(CorruptionError, match=says) as caught:
        asyncio.run(main())

    assert caught.value.key == Key()
    assert str(caught.value).startswith(str(path))
    assert (path.read_bytes(), names_in(path.parent)) == before


async def test_a_damaged_file_is_named(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        for number in range(50):
            await storage.put(Key("k", number), b"x" * 1000)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_960)

    async with SQLiteStorage(path) as storage:
        with pytest.raises(CorruptionError, match="malformed") as caught:
            await storage.scan(Key())

    assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)


async def test_an_empty_file_becomes_a_shelf(path: Path) -> None:
    a_database("")(path)

    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"1")

    assert await read(path) == b"1"


async def test_a_missing_folder_is_named_and_not_made(path: Path) -> None:
    missing = path.parent / "missing" / "shelf.db"

    async with SQLiteStorage(missing) as storage:
        with pytest.raises(StoreNotFoundError, match="its folder does not exist") as caught:
            await storage.put(KEY, b"1")

    assert str(missing) in str(caught.value)
    assert names_in(path.parent) == []


async def test_a_folder_that_was_missing_is_found_once_it_is_there(path: Path) -> None:
    folder = path.parent / "missing"
    async with SQLiteStorage(folder / "shelf.db") as storage:
        (answer,) = await answered(storage.put(KEY, b"1"))
        folder.mkdir()

        await storage.put(KEY, b"2")

        assert isinstance(answer, StoreNotFoundError)
        assert (await storage.get(KEY)).data == b"2"


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    async with SQLiteStorage(tmp_path) as storage:
        with pytest.raises(DeniedError, match="cannot be opened"):
            await storage.get(KEY)


@pytest.mark.parametrize("path", ["", ":memory:", "file:shelf.db?mode=ro"])
def test_what_is_no_path_of_a_file_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path of a file; for a storage in memory use MemoryStorage"):
        SQLiteStorage(path)


def failure(path: Path, uri: str, script: str) -> sqlite3.Error:
    """Return how SQLite itself fails."""
    a_database("CREATE TABLE t (x)")(path)
    with contextlib.closing(sqlite3.connect(f"file:{path}{uri}", uri=True, timeout=0)) as connection:
        try:
            connection.executescript(script)
        except sqlite3.Error as error:
            return error
    pytest.fail("it did not fail")


@pytest.mark.parametrize(
    ("uri", "script", "kind", "maybe_applied"),
    [
        ("?mode=ro", "INSERT INTO t VALUES (1)", DeniedError, None),
        (".missing?mode=ro", "INSERT INTO t VALUES (1)", StoreNotFoundError, None),
        ("", "PRAGMA max_page_count = 2; INSERT INTO t VALUES (zeroblob(9999))", UnavailableError, False),
        ("", "SELECT nothing", UnavailableError, True),
    ],
    ids=["read-only", "missing", "full", "anything else"],
)
def test_a_failure_of_sqlite_is_given_its_meaning(
    path: Path, uri: str, script: str, kind: type[ShelfError], maybe_applied: object
) -> None:
    try:
        error = failure(path, uri, script)
    except sqlite3.OperationalError as at_connect:
        error = at_connect

    mapped = _mapped(f"{path}{uri.partition('?')[0]}", error)

    assert type(mapped) is kind
    assert getattr(mapped, "maybe_applied", None) == maybe_applied
    assert mapped.__cause__ is error


async def test_a_clock_that_fails_fails_the_write_and_not_the_storage(path: Path) -> None:
    times = iter([dt.datetime(2024, 1, 1), NOW, NOW])  # noqa: DTZ001  the first is wrong

    async with SQLiteStorage(path, clock=lambda: next(times)) as storage:
        (answer,) = await answered(storage.put(KEY, b"1"))
        async with asyncio.timeout(TIMEOUT_S):
            await storage.put(KEY, b"2")

        assert isinstance(answer, TypeError)
        assert (await storage.get(KEY)).data == b"2"


@pytest.mark.parametrize("operation", ["get", "put", "scan", "delete"])
async def test_a_key_that_is_no_text_fails_the_request_and_not_the_storage(path: Path, operation: str) -> None:
    odd = Key.from_text("\ud800")
    attempts: dict[str, Callable[[SQLiteStorage], Any]] = {
        "get": lambda storage: storage.get(odd),
        "put": lambda storage: storage.put(odd, b"1"),
        "scan": lambda storage: storage.scan(Key(), after="\ud800"),
        "delete": lambda storage: storage.delete(odd),
    }

    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"1")
        (answer,) = await answered(attempts[operation](storage))
        (entry, etag) = await answered(storage.get(KEY), storage.put(KEY, b"1"))

    assert isinstance(answer, ValueError)
    assert entry.etag == etag


async def test_a_write_that_fails_in_a_shared_transaction_is_not_applied(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"old")
        with locked(path):
            attempts = [
                asyncio.create_task(storage.put(Key("k", 1), b"1")),
                asyncio.create_task(storage.put(Key("k", 2), b"1")),
                asyncio.create_task(storage.commit([Put(KEY, b"new"), Put(Key.from_text("\ud800"), b"1")])),
                asyncio.create_task(storage.put(Key("k", 3), b"1")),
            ]
            await began()
        answers = await answered(*attempts)
        written = [row.key.parts[-1] for row in (await storage.scan(Key("k"))).rows]

        assert (await storage.get(KEY)).data == b"old"
        # Each either failed or is there.
        assert written == [
            n for n, answer in zip((1, 2, 0, 3), answers, strict=True) if not isinstance(answer, Exception)
        ]


async def test_a_write_that_sqlite_refuses_is_not_applied_in_part(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"old")
        a_database(
            "CREATE TRIGGER odd BEFORE INSERT ON entries WHEN new.key = 'odd!' BEGIN SELECT RAISE(ABORT, 'odd'); END"
        )(path)

        (answer,) = await answered(storage.commit([Put(KEY, b"new"), Put(Key("odd"), b"1")]))
        await storage.put(Key("b"), b"1")

        assert isinstance(answer, UnavailableError)
        assert (await storage.get(KEY)).data == b"old"
        assert [row.key for row in (await storage.scan(Key())).rows] == [KEY, Key("b")]


async def test_what_was_written_is_not_held_on_to(path: Path) -> None:
    data = bytes(1000)
    held = sys.getrefcount(data)
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, data)

        async with asyncio.timeout(TIMEOUT_S):
            while sys.getrefcount(data) > held:  # noqa: ASYNC110  a thread lets go of it
                await asyncio.sleep(0)


async def test_a_caller_that_is_cancelled_does_not_disturb_the_others(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.put(KEY, b"old")
        with locked(path):
            attempts = [asyncio.create_task(storage.put(Key("k", number), b"1")) for number in range(4)]
            await began()
            attempts[0].cancel()
            attempts[2].cancel()
        answers = await answered(*attempts)

        assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [True, False, True, False]
        assert await storage.put(KEY, b"new") == (await storage.get(KEY)).etag


def test_an_event_loop_that_ended_does_not_disturb_the_next(path: Path) -> None:
    storage = SQLiteStorage(path)
    asyncio.run(storage.put(KEY, b"old"))

    async def leave_behind() -> None:
        asyncio.create_task(storage.put(KEY, b"new"))  # noqa: RUF006  that is the point
        await began()

    with locked(path):
        asyncio.run(leave_behind())
    asyncio.run(storage.put(Key("b"), b"1"))
    asyncio.run(storage.aclose())

    assert asyncio.run(read(path, Key("b"))) == b"1"


async def test_closing_finishes_what_was_begun(path: Path) -> None:
    storage = SQLiteStorage(path)
    await storage.put(KEY, b"old")
    with locked(path):
        attempts = [asyncio.create_task(storage.put(Key("k", number), b"1")) for number in range(20)]
        await began()
        closing = asyncio.create_task(storage.aclose())
        await began()

    await closing
    answers = await answered(*attempts)

    assert [type(answer) for answer in answers] == [str] * 20
    assert await read(path, Key("k", 19)) == b"1"


async def test_closing_leaves_one_file_and_no_thread(path: Path) -> None:
    storage = SQLiteStorage(path)
    await storage.put(KEY, b"1")
    await storage.get(KEY)
    threads = [storage._writer._thread, storage._reader._thread]

    await storage.aclose()

    assert names_in(path.parent) == ["shelf.db"]
    assert [thread.is_alive() for thread in threads if thread] == [False, False]


async def test_a_storage_that_was_never_used_makes_nothing(path: Path) -> None:
    async with SQLiteStorage(path):
        pass

    assert names_in(path.parent) == []


def test_a_forgotten_storage_is_reported_and_its_threads_end(path: Path) -> None:
    storage = SQLiteStorage(path)
    asyncio.run(storage.put(KEY, b"1"))
    thread = storage._writer._thread

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del storage
        gc.collect()

    assert thread is not None
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()
    (warning,) = caught
    assert warning.category is ResourceWarning
    assert (
        str(warning.message)
        == f"SQLiteStorage({str(path)!r}) was never closed: use `async with`, or await its aclose()"
    )


@pytest.mark.parametrize("used", [False, True])
def test_a_storage_that_needs_no_closing_is_not_reported(path: Path, used: bool) -> None:  # noqa: FBT001
    storage = SQLiteStorage(path)
    if used:
        asyncio.run(storage.put(KEY, b"1"))
        asyncio.run(storage.aclose())

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del storage
        gc.collect()

    assert caught == []


FORGETS = """
import asyncio, sys
from ssshelf import Key, SQLiteStorage

storage = SQLiteStorage(sys.argv[1])
asyncio.run(storage.put(Key("a"), b"1"))
"""


def test_a_storage_that_is_never_closed_does_not_keep_the_process_alive(path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FORGETS, path], check=False, timeout=TIMEOUT_S)

    assert result.returncode == 0
    assert asyncio.run(read(path)) == b"1"


FORKS = """
import asyncio, os, sys
from ssshelf import Key, SQLiteStorage

storage = SQLiteStorage(sys.argv[1])
asyncio.run(storage.put(Key("a"), b"1"))
child = os.fork()
if child == 0:
    for attempt in (storage.get(Key("a")), storage.put(Key("a"), b"2"), storage.scan(Key())):
        try:
            asyncio.run(attempt)
        except ValueError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
asyncio.run(storage.put(Key("a"), b"3"))
asyncio.run(storage.aclose())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_storage_that_came_through_a_fork_says_so(path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FORKS, path], capture_output=True, text=True, check=True)

    says = "this storage was opened before a fork: open it again in each process"
    assert result.stdout.splitlines() == [says] * 3
    assert asyncio.run(read(path)) == b"3"


FORKS_WHILE_LOCKED = """
import asyncio, os, signal, sys
from ssshelf import Key, SQLiteStorage

storage = SQLiteStorage(sys.argv[1])
asyncio.run(storage.put(Key("a"), b"1"))
with storage._writer._lock:  # as another thread may at any time
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            asyncio.run(storage.put(Key("a"), b"2"))
        except ValueError as error:
            print(error, flush=True)
        asyncio.run(storage.aclose())
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
asyncio.run(storage.aclose())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_fork_while_another_thread_writes_does_not_hang(path: Path) -> None:
    forks = [sys.executable, "-c", FORKS_WHILE_LOCKED, str(path)]
    result = subprocess.run(forks, capture_output=True, text=True, check=True)

    assert result.stdout == "this storage was opened before a fork: open it again in each process\n"
