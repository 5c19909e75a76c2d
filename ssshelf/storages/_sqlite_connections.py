"""What a thread has opened of an SQLite file: a connection of its own, and one for callers in their own threads."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

__all__ = ["ASK", "Connections", "Near"]

ASK: Final = object()
"""The answer that the thread has to be asked."""

_CLOSING_S = 1.0  # longer than nearly all disks take for a transaction


class Connections:
    """The connections of a thread: its own, and one for callers in other threads, which waits for nobody.

    It belongs to the frame of that thread alone. After a fork the child has a copy of it that is never freed, as it
    should be, since not even closing a connection is safe there.

    Args:
        connection: The thread's own.
        near: The other one, with no timeout.
        lock: Held by the caller who uses ``near``.

    Source: https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_file_across_a_fork_
    """

    def __init__(
        self, connection: sqlite3.Connection, near: sqlite3.Connection, lock: threading.Lock | threading.RLock
    ) -> None:
        self.connection = connection
        self.near = near
        self.lock = lock

    def close(self) -> None:
        """Close both, once the caller who uses the other one is done.

        He may never be: he may have been interrupted by a handler of a signal that closes the storage. The connection
        is closed when he lets go of it, then.
        """
        if self.lock.acquire(timeout=_CLOSING_S):
            self.near.close()
            self.lock.release()
        self.connection.close()


C = TypeVar("C", bound=Connections)


class Near(Generic[C]):
    """What callers do in their own threads, on the connections that another thread has opened.

    Args:
        connect: Opens the connections, in that thread.
    """

    def __init__(self, connect: Callable[[], C]) -> None:
        self._connect = connect
        self._opened: Callable[[], C | None] = lambda: None
        self._process = _process

    def open(self) -> C:
        """Open the file, in the other thread, and use it here from now on."""
        opened = self._connect()
        self._opened = weakref.ref(opened)
        return opened

    def _at_hand(self) -> C | None:
        """Return the connections, if they are open, and this process is theirs."""
        return self._opened() if self._process is _process else None


_process: Any = object()
"""Stands for this process: another one after a fork. To ask the system each time takes a tenth of a read."""


def _after_fork() -> None:
    global _process  # noqa: PLW0603  a process has one
    _process = object()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
