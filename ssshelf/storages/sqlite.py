"""A storage in one SQLite file: embedded, durable, shared by threads, event loops and processes."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

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
from ssshelf.storages._sqlite_connections import ASK, Connections
from ssshelf.storages._sqlite_reading import NearReader, Reading, select
from ssshelf.storages._sqlite_worker import Outcome, Worker
from ssshelf.storages._sqlite_writing import REPLACE, NearWriter, Stored, Writing
from ssshelf.storages.base import (
    MAX_SCAN_ROWS,
    Capabilities,
    Condition,
    Delete,
    Entry,
    IfAbsent,
    IfMatch,
    Operation,
    Put,
    Row,
    Scan,
    Storage,
    check_limit,
    content_etag,
    prefix_range,
    utc_now,
)

__all__ = ["SQLiteStorage"]

_Read: TypeAlias = Callable[[sqlite3.Connection], Any]
_Connect: TypeAlias = Callable[[], sqlite3.Connection]
C = TypeVar("C", bound=Connections)
_APPLICATION_ID = 0x55E1F001
_SCHEMA_VERSION = 1
_BUSY_PAUSE_S = 0.005
_LARGEST_BLOB_BYTES = 1_000_000_000  # https://www.sqlite.org/limits.html
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Clustered by key: a listing reads neighbouring pages. https://www.sqlite.org/withoutrowid.html
_SCHEMA = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY,
    data BLOB NOT NULL,
    etag TEXT NOT NULL,
    modified_us INTEGER NOT NULL
) WITHOUT ROWID, STRICT
"""
_UNAVAILABLE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}
_DENIED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_CORRUPT = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}

_ASCENDING = "SELECT key, etag, length(data), modified_us FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT ?"
_DELETE = "DELETE FROM entries WHERE key = ?"
_DESCENDING = _ASCENDING.replace("ORDER BY key", "ORDER BY key DESC")


class SQLiteStorage(Storage):
    """Entries as the rows of an SQLite file, which is made when it is first used.

    A write is on the disk when it returns. Writes that wait at the same time are committed together, so that they
    share one ``fsync``. Readers do not wait for the writer. Use it as ``async with SQLiteStorage(path) as storage``,
    or call ``aclose``.

    Args:
        path: The file; its folder must exist.
        create: Whether to make the file if there is none; else its first use raises ``StoreNotFoundError``.
        busy_timeout_s: How long to wait for another process that is writing.
        clock: Tells when an entry is written.

    Cost:
        Reads and writes happen in two threads; a call costs a hop to one of them and back. A small entry that is in the
        memory of the system, as nearly all are that are in use, is read in the thread of the caller, in microseconds.
        Who blocks reads, and writes single entries while nobody else writes, in his own thread.

    Source: https://www.sqlite.org/wal.html
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        busy_timeout_s: float = 30.0,
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self.path = os.fspath(path)
        if not self.path or self.path == ":memory:" or self.path.startswith("file:"):
            msg = f"{self.path!r} is no path of a file; for a storage in memory use MemoryStorage"
            raise ValueError(msg)
        self._capabilities = Capabilities(
            atomic_batch=2**31, max_value_bytes=_LARGEST_BLOB_BYTES, quick_reads=True, descending_scan=True
        )
        connect = partial(_connect if create else _connect_existing, self.path, busy_timeout_s)
        self._clock = clock
        self._near_writer = NearWriter(partial(_connect_twice, Writing, connect))
        self._writer: Worker[Sequence[Operation], Writing] = Worker(
            "ssshelf-writer", self._near_writer.open, partial(_commit_together, self.path, clock)
        )
        self._near_reader = NearReader(partial(_connect_twice, Reading, connect))
        self._reader: Worker[_Read, Reading] = Worker(
            "ssshelf-reader", self._near_reader.open, partial(_read_each, self.path)
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def get(self, key: Key) -> Entry:
        row = self._near_reader.find(key)
        if row is ASK:
            row = await self._reader.do(partial(select, key))
        if row is None:
            raise NotFoundError(key)
        return Entry(*row)

    def get_now(self, key: Key) -> Entry | None:
        row = self._near_reader.wait_for(key)
        if row is None:
            raise NotFoundError(key)
        return None if row is ASK else Entry(*row)

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self._capabilities.check_entry(key, data)
        (etag,) = await self._writer.do([Put(key, data, condition)])
        return str(etag)

    def put_now(self, key: Key, data: bytes) -> str:
        self._capabilities.check_entry(key, data)
        stored = _stored(key, data, _microseconds(self._clock()))
        if not (self._writer.is_idle and self._near_writer.replace(stored)):
            self._writer.wait_for([Put(key, data)])
        return stored[2]

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await self._writer.do([Delete(key, condition)])

    async def delete_many(self, keys: Sequence[Key]) -> None:
        await self._writer.do([Delete(key) for key in keys])

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        for operation in operations:
            if isinstance(operation, Put):
                self._capabilities.check_entry(operation.key, operation.data)
        etags: list[str | None] = await self._writer.do(operations)
        return etags

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return await self._scan(_ASCENDING, prefix_range(prefix, after, before), limit)

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return await self._scan(_DESCENDING, prefix_range(prefix, after, before), limit)

    async def _scan(self, query: str, bounds: tuple[str, str], limit: int) -> Scan:
        check_limit(limit)
        found = await self._reader.do(partial(_list, query, *bounds, limit + 1))
        rows = tuple(
            Row(Key.from_text(text), etag, size, _EPOCH + dt.timedelta(microseconds=modified_us))
            for text, etag, size, modified_us in found[:limit]
        )
        return Scan(rows, rows[-1].key.text if len(found) > limit else None)

    async def aclose(self) -> None:
        for worker in (self._writer, self._reader):
            worker.stop()
            await asyncio.to_thread(worker.join)

    def __repr__(self) -> str:
        return f"SQLiteStorage({self.path!r})"

    def __del__(self) -> None:
        workers = [worker for name in ("_writer", "_reader") if (worker := getattr(self, name, None)) is not None]
        if any(worker.is_running for worker in workers):
            text = f"{self!r} was never closed: use `async with`, or await its aclose()"
            warnings.warn(text, ResourceWarning, source=self, stacklevel=2)
        for worker in workers:
            worker.stop()


def _connect_existing(path: str, busy_timeout_s: float) -> sqlite3.Connection:
    if not os.path.exists(path):  # noqa: PTH110
        msg = f"{path}: no such file"
        raise StoreNotFoundError(msg)
    return _connect(path, busy_timeout_s)


def _connect(path: str, busy_timeout_s: float) -> sqlite3.Connection:
    # SQLite would put files beside it with its permissions, and they would keep writers out when it is writable again.
    if os.path.exists(path) and not os.access(path, os.W_OK):  # noqa: PTH110
        msg = f"{path} is read-only, for this user or on this disk: a shelf has to be writable, also to be read"
        raise DeniedError(msg)
    try:
        connection = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise _mapped(path, error) from error
    try:
        _prepare(path, connection, busy_timeout_s)
    except sqlite3.Error as error:
        connection.close()
        raise _mapped(path, error) from error
    except ShelfError:
        connection.close()
        raise
    return connection


def _connect_twice(kind: Callable[[sqlite3.Connection, sqlite3.Connection], C], connect: _Connect) -> C:
    connection = connect()
    try:
        near = connect()
    except ShelfError:
        connection.close()
        raise
    near.execute("PRAGMA busy_timeout = 0")
    return kind(connection, near)


def _prepare(path: str, connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    _check_ours(path, connection)  # before the file is changed in any way
    _use_wal(connection, busy_timeout_s)
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode, NORMAL may lose what was acknowledged
    connection.execute("PRAGMA fullfsync = ON")  # what fsync does not do on macOS
    if _pragma(connection, "user_version") != _SCHEMA_VERSION:
        connection.execute("BEGIN IMMEDIATE")
        if _pragma(connection, "user_version") == 0:  # nobody was faster
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        connection.execute("COMMIT")


def _check_ours(path: str, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")  # one view of the file, which another connection may be making
    application, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("COMMIT")
    if application == _APPLICATION_ID and version > _SCHEMA_VERSION:
        raise CorruptionError(Key(), f"{path} was made by a later ssshelf (schema {version}): upgrade ssshelf")
    if application != _APPLICATION_ID and (application, version, tables) != (0, 0, 0):
        raise CorruptionError(Key(), f"{path} is the SQLite database of another program; it was left as it is")


def _use_wal(connection: sqlite3.Connection, busy_timeout_s: float) -> None:
    """Switch a new file to a write-ahead log, which it stays with.

    SQLite does not wait for others here, so that two who open a new file at once would fail each other.
    """
    give_up = time.monotonic() + busy_timeout_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(_BUSY_PAUSE_S)
        else:
            return


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _list(query: str, low: str, high: str, limit: int, connection: sqlite3.Connection) -> Any:
    return connection.execute(query, (low, high, limit)).fetchall()


def _read_each(path: str, reading: Reading, reads: Sequence[_Read]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for read in reads:
        try:
            outcomes.append((read(reading.connection), None))
        except sqlite3.Error as error:
            outcomes.append((None, _mapped(path, error)))
        except CorruptionError as error:
            outcomes.append((None, error))
    return outcomes


def _commit_together(
    path: str, clock: Callable[[], dt.datetime], writing: Writing, jobs: Sequence[Sequence[Operation]]
) -> list[Outcome]:
    """Apply each job whole or not at all, all of them in one transaction, which costs one fsync."""
    with writing.turn() as connection:
        return _commit(path, clock, connection, jobs)


def _commit(
    path: str, clock: Callable[[], dt.datetime], connection: sqlite3.Connection, jobs: Sequence[Sequence[Operation]]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        now_us = _microseconds(clock())
        for operations in jobs:
            try:
                for operation in operations:
                    if operation.condition is not None:
                        _check_condition(connection, operation.key, operation.condition)
            except ConflictError as error:
                outcomes.append((None, error))
            else:
                outcomes.append((_apply(connection, operations, now_us), None))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return [(None, _mapped(path, error)) for _ in jobs]
    return outcomes


def _check_condition(connection: sqlite3.Connection, key: Key, condition: Condition) -> None:
    row = connection.execute("SELECT etag FROM entries WHERE key = ?", (key.text,)).fetchone()
    found = row[0] if row else None
    expected = None if isinstance(condition, IfAbsent) else condition.etag
    if found != expected:
        raise ConflictError(key, expected, found)


def _apply(connection: sqlite3.Connection, operations: Sequence[Operation], now_us: int) -> list[str | None]:
    etags: list[str | None] = []
    rows: list[Stored] = []
    for operation in operations:
        if isinstance(operation, Put):
            rows.append(stored := _stored(operation.key, operation.data, now_us))
            etags.append(stored[2])
        else:
            connection.execute(_DELETE, (operation.key.text,))
            etags.append(None)
    connection.executemany(REPLACE, rows)
    return etags


def _stored(key: Key, data: bytes, now_us: int) -> Stored:
    return key.text, data, content_etag(data), now_us


def _microseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _mapped(path: str, error: sqlite3.Error) -> ShelfError:
    """Return what an error of SQLite means; the low byte of its code is the kind.

    Source: https://www.sqlite.org/rescode.html
    """
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    said = f"{path}: {error}"
    mapped: ShelfError
    if kind in _CORRUPT:
        mapped = CorruptionError(Key(), said)
    elif kind in _DENIED or (kind == sqlite3.SQLITE_CANTOPEN and os.path.exists(path)):  # noqa: PTH110
        mapped = DeniedError(f"{said}: the file cannot be opened for writing")
    elif kind == sqlite3.SQLITE_CANTOPEN:
        mapped = StoreNotFoundError(f"{said}: its folder does not exist, or may not be written to")
    else:
        mapped = UnavailableError(said, maybe_applied=kind not in _UNAVAILABLE)
    mapped.__cause__ = error
    return mapped
