"""Writing an SQLite file: in a thread of its own, and single entries right in the thread of a caller who blocks.

To hand an entry to another thread takes half as long as a fast disk takes to store it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Final, TypeAlias

from ssshelf.storages._sqlite_connections import Connections, Near

__all__ = ["REPLACE", "NearWriter", "Stored", "Writing"]

REPLACE: Final = "REPLACE INTO entries (key, data, etag, modified_us) VALUES (?, ?, ?, ?)"
Stored: TypeAlias = tuple[str, bytes, str, int]
"""An entry as it is stored: a row of its own."""

_LONGEST_S = 0.01  # about as long as a slow disk takes for a transaction


class Writing(Connections):
    """The connections of a writing thread.

    SQLite keeps their transactions apart; but who waits for SQLite looks again every few milliseconds, so that turns
    are taken here.
    """

    lock: threading.Lock

    def __init__(self, connection: sqlite3.Connection, near: sqlite3.Connection) -> None:
        super().__init__(connection, near, threading.Lock())

    @contextlib.contextmanager
    def turn(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection of the thread, once no caller writes.

        Not that he could be waited for without end: he may have been interrupted by a handler of a signal, between what
        he does, that waits for this thread. If he writes on indeed, it is SQLite that waits for him.
        """
        is_free = self.lock.acquire(timeout=_LONGEST_S)
        try:
            yield self.connection
        finally:
            if is_free:
                self.lock.release()


class NearWriter(Near[Writing]):
    """Writes an entry in the thread of its caller, who blocks; says so when he should queue. Safe from threads.

    He should if anybody else is writing: those who queue meanwhile share a transaction, and its ``fsync``.
    """

    def replace(self, stored: Stored) -> bool:
        """Write an entry, on the disk; return whether that is done.

        An interrupt comes before it or after it: to Python, a statement that is a transaction by itself is one step.
        """
        writing = self._at_hand()
        if writing is None or writing.lock.locked():
            return False
        try:
            with writing.lock:  # whoever was faster is waited for; an interrupt could part an `acquire` from its `try`
                writing.near.execute(REPLACE, stored)
        except sqlite3.Error:  # the thread tells what is wrong, or waits until it is not
            return False
        return True
