"""Reading an SQLite file: in a thread of its own, and small entries right in the thread of the caller.

To ask another thread takes many times as long as to read an entry that is in memory anyway.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from ssshelf.errors import CorruptionError
from ssshelf.keys import Key
from ssshelf.storages._sqlite_connections import ASK, Connections, Near
from ssshelf.storages.base import content_etag

__all__ = ["NearReader", "Reading", "select"]

_SELECT = "SELECT data, etag FROM entries WHERE key = ?"
_LARGEST_NEAR_BYTES = 64 * 1024
# The length of a value is known without reading it. https://www.sqlite.org/fileformat2.html#record_format
_SELECT_SMALL = f"""
SELECT CASE WHEN length(data) <= {_LARGEST_NEAR_BYTES} THEN data END, etag FROM entries WHERE key = ?
"""  # noqa: S608  a constant
_MOST_HASHES = 8192
_hashes: dict[str, int] = {}
"""Python's hashes of data by their digests, once these were found to agree; a digest takes ten times as long."""
_IN_A_ROW = 64
_SLOW_S = 0.005  # longer than to wait for a core


class Reading(Connections):
    """The connections of a reading thread."""

    def __init__(self, connection: sqlite3.Connection, near: sqlite3.Connection) -> None:
        # Not a Lock: what interrupts a reader in its own thread may read, too.
        super().__init__(connection, near, threading.RLock())


class NearReader(Near[Reading]):
    """Reads entries in the thread of its caller; says so when it should not. Safe from threads.

    For an event loop it reads small entries only, waits for no lock, and leaves every 65th read to the reading thread,
    so that other tasks get their turn. After a read that took more than five milliseconds, as that of a disk may, the
    next 64 are left to that thread, too. A caller who blocks has a thread to himself, which may wait.

    Args:
        connect: Opens the connections, in the reading thread.
        clock: Seconds.
    """

    def __init__(self, connect: Callable[[], Reading], clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__(connect)
        self._clock = clock
        self._left = _IN_A_ROW

    def find(self, key: Key) -> Any:
        """Return data and etag of ``key`` for an event loop, ``None`` if there is no such entry, or ``ASK``.

        Raises:
            CorruptionError: The entry is damaged.
        """
        if self._left <= 0:
            self._left = self._left + 1 if self._left else _IN_A_ROW
            return ASK
        reading = self._at_hand()
        if reading is None or not reading.lock.acquire(blocking=False):
            return ASK
        self._left -= 1
        started = self._clock()
        try:
            row = reading.near.execute(_SELECT_SMALL, (key.text,)).fetchone()
        except sqlite3.Error:  # the thread tells what is wrong, or waits until it is not
            return ASK
        finally:
            reading.lock.release()
        if self._clock() - started > _SLOW_S:
            self._left = -_IN_A_ROW
        return ASK if row is not None and row[0] is None else _checked(key, row)

    def wait_for(self, key: Key) -> Any:
        """Return what ``find`` does, for a caller who blocks: of whatever size, and when it is his turn."""
        reading = self._at_hand()
        if reading is None:
            return ASK
        try:
            with reading.lock:  # `acquire` and `try` could be parted by an interrupt, and nobody would release it
                row = reading.near.execute(_SELECT, (key.text,)).fetchone()
        except sqlite3.Error:
            return ASK
        return _checked(key, row)


def select(key: Key, connection: sqlite3.Connection) -> Any:
    """Return the row of ``key``, ``None`` if there is none.

    Raises:
        CorruptionError: It is damaged.
    """
    return _checked(key, connection.execute(_SELECT, (key.text,)).fetchone())


def _checked(key: Key, row: Any) -> Any:
    """Return ``row``, if it is as it was written: SQLite notices damages of pages only.

    Raises:
        CorruptionError: It is not.
    """
    if row is None:
        return None
    data, etag = row
    if _hashes.get(etag) != (hashed := hash(data)):
        if content_etag(data) != etag:
            raise CorruptionError(key, "it is damaged: it has another digest than when it was written")
        if len(_hashes) >= _MOST_HASHES:
            _hashes.clear()
        _hashes[etag] = hashed
    return row
