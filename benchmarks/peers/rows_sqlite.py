"""SQLite alone: the same rows that ssshelf writes, by Python's sqlite3, a transaction for each item or for many."""

from __future__ import annotations

import json
import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Any

from protocol import serve, thing

if TYPE_CHECKING:
    from collections.abc import Iterator


def write(*, folder: str, count: int, group: int) -> Iterator[Any]:
    connection = sqlite3.connect(f"{folder}/rows.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE entries (key TEXT PRIMARY KEY, data BLOB, etag, written) WITHOUT ROWID")
    rounds = iter(range(10**6))

    def work() -> int:
        turn = next(rounds)
        waiting = iter((f"key-{turn}-{number}", json.dumps(thing(number)), "x" * 32, 0) for number in range(count))
        while some := list(islice(waiting, group)):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("REPLACE INTO entries VALUES (?, ?, ?, ?)", some)
            connection.execute("COMMIT")
        return count

    yield work
    connection.close()


if __name__ == "__main__":
    serve({"write": write}, [])
