"""Dictionaries in a file that a program could have used: diskcache, sqlitedict, and the shelve of Python.

Each as it is, but for diskcache's ``synchronous``: its sets are to be on the disk, as those of ssshelf are. Those of
sqlitedict and shelve, which have no such setting, are not.
"""

from __future__ import annotations

import contextlib
import importlib
import random
import shelve
import sys
from typing import TYPE_CHECKING, Any

from protocol import same, serve, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {
    "diskcache": lambda folder: importlib.import_module("diskcache").Cache(f"{folder}/diskcache", sqlite_synchronous=2),
    "sqlitedict": lambda folder: importlib.import_module("sqlitedict").SqliteDict(f"{folder}/dict.db", autocommit=True),
    "shelve": lambda folder: shelve.open(f"{folder}/shelve"),  # noqa: S301, SIM115  closed by who opens it
}


def get(*, kind: str, folder: str, kept: int, count: int) -> Iterator[Any]:
    with KINDS[kind](folder) as shelf:
        with shelf.transact() if kind == "diskcache" else contextlib.nullcontext():
            for number in range(kept):
                shelf[f"key-{number:06}"] = thing(number)
        dice = random.Random(0)

        def work() -> int:
            for _ in range(count):
                number = dice.randrange(kept)
                same(shelf[f"key-{number:06}"]["size"], number)
            return count

        yield work


def put(*, kind: str, folder: str, count: int) -> Iterator[Any]:
    with KINDS[kind](folder) as shelf:
        rounds = iter(range(10**6))

        def work() -> int:
            turn = next(rounds)
            for number in range(count):
                shelf[f"key-{turn}-{number}"] = thing(number)
                if kind == "sqlitedict":
                    shelf.commit(blocking=True)  # else it only takes a place in a queue
                elif kind == "shelve":
                    shelf.sync()
            return count

        yield work


def bulk(*, kind: str, folder: str, count: int) -> Iterator[Any]:
    with KINDS[kind](folder) as shelf:
        rounds = iter(range(10**6))

        def work() -> int:
            turn = next(rounds)
            values = {f"key-{turn}-{number}": thing(number) for number in range(count)}
            if kind == "diskcache":  # which has no update, but a block of changes at once
                with shelf.transact():
                    for key, value in values.items():
                        shelf[key] = value
            else:
                shelf.update(values)
            if kind == "sqlitedict":
                shelf.commit(blocking=True)
            return count

        yield work


if __name__ == "__main__":
    serve({"get": get, "put": put, "bulk": bulk}, [kind for kind in sys.argv[1:] if kind != "shelve"])
