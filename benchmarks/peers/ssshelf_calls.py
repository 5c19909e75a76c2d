"""What ssshelf does with each call: awaited and blocking, one by one and together, and with keys."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import sqlite3
import time
import uuid
from itertools import islice
from typing import TYPE_CHECKING, Any

from protocol import at_once, same, serve, thing

from ssshelf import CManager, Collection, DictItems, MemoryStorage, SQLiteStorage
from ssshelf.blocking import twin
from ssshelf.keys import Desc, Part, decode, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from ssshelf.storages.base import Storage

Item = dict[str, Any]
ROUNDS = range(10**6)
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
KEYS: dict[str, Callable[[int], tuple[Part, Part, Part]]] = {
    "letters and digits": lambda i: (f"tag{i % 50}", f"group{i % 7}", f"item{i}"),
    "texts with signs": lambda i: (f"tag-{i % 50}", f"a/b c/{i}", f"item_{i}.txt"),
    "texts beyond ASCII": lambda i: (f"Straße {i % 50}", f"日本語 {i}", f"Ærø {i}"),
    "integers": lambda i: (i % 50, -i, i * 1_000_003),
    "floats": lambda i: (i / 7, -i / 3, i * 1e-5),
    "days and datetimes": lambda i: (START.date(), START + dt.timedelta(seconds=i), START + dt.timedelta(days=i)),
    "UUIDs": lambda i: (uuid.UUID(int=i % 50), uuid.UUID(int=i << 64), uuid.UUID(int=i)),
    "text, newest first, text": lambda i: (f"tag{i % 50}", Desc(START + dt.timedelta(seconds=i)), f"item{i}"),
    "text, greatest first, text": lambda i: (f"tag{i % 50}", Desc(i), f"item{i}"),
}


class Plain(CManager[Item]):
    item_manager = DictItems(pk="id", name="things")


class Listed(Plain):
    by_group = Collection[Item](lambda item: (item["group"], item["size"]))
    by_size = Collection[Item](lambda item: item["size"])


KINDS: dict[int, type[Plain]] = {0: Plain, 2: Listed}


async def awaited(*, count: int, what: str, folder: str = "") -> AsyncIterator[Any]:
    async with _storage(folder, f"{what}-awaited") as storage:
        things = Listed(storage)
        await things.add_items(map(thing, range(count)))
        calls = {"get_item": lambda n: things.get_item(thing(n)["id"]), "add_item": lambda n: things.add_item(thing(n))}

        async def work() -> int:
            if what == "prefix":
                same(len([item async for item in things.by_size.prefix()]), count)
                return count
            for number in range(count):
                await calls[what](number)
            return count

        yield work


async def blocking(*, count: int, what: str, folder: str = "") -> AsyncIterator[Any]:
    async with _storage(folder, f"{what}-blocking") as storage:
        await Listed(storage).add_items(map(thing, range(count)))
        things: Any = twin(Listed)(storage)
        calls = {"get_item": lambda n: things.get_item(thing(n)["id"]), "add_item": lambda n: things.add_item(thing(n))}

        def work() -> int:
            if what == "prefix":
                same(len(list(things.by_size.prefix())), count)
                return count
            for number in range(count):
                calls[what](number)
            return count

        yield work


@contextlib.asynccontextmanager
async def _storage(folder: str, name: str) -> AsyncIterator[Storage]:
    async with SQLiteStorage(f"{folder}/{name}.db") if folder else MemoryStorage() as storage:
        yield storage


async def add(*, folder: str, collections: int, count: int, width: int) -> AsyncIterator[Any]:
    async with _storage(folder, f"add-{collections}-{width}") as storage:
        things, rounds = KINDS[collections](storage), iter(ROUNDS)

        async def work() -> int:
            turn = next(rounds)
            return await at_once(count, width, lambda n: things.add_item({**thing(n), "id": f"{turn}-{n}"}))

        yield work


async def add_floor(*, folder: str, collections: int, count: int, width: int) -> AsyncIterator[Any]:
    """Write the rows of ``add`` by Python's sqlite3 alone, those of ``width`` items in a transaction."""
    path = f"{folder}/floor-{collections}-{width}.db"
    async with SQLiteStorage(path) as storage:
        await Plain(storage).add_item(thing(0))  # which makes the table
    rows = await rows_of(KINDS[collections], map(thing, range(count)), folder)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    rounds = iter(ROUNDS)

    def work() -> int:
        turn = next(rounds)
        waiting = iter([[(f"{row[0]}{turn}", *row[1:]) for row in some] for some in rows])
        while some := list(islice(waiting, width)):
            connection.execute("BEGIN IMMEDIATE")
            for of_an_item in some:
                connection.executemany("REPLACE INTO entries VALUES (?, ?, ?, ?)", of_an_item)
            connection.execute("COMMIT")
        return count

    yield work
    connection.close()


async def rows_of(kind: type[Plain], items: Iterable[Item], folder: str) -> list[list[tuple[Any, ...]]]:
    """Return, for each item, the rows that ssshelf writes for it."""
    path = f"{folder}/rows-{uuid.uuid4()}.db"
    async with SQLiteStorage(path) as storage:
        await kind(storage).add_items(items)
    by_item: dict[str, list[tuple[Any, ...]]] = {}
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for row in connection.execute("SELECT * FROM entries WHERE key NOT LIKE 'meta!%'"):
            (pk,) = re.findall(r"item-\d+", row[0])
            by_item.setdefault(pk, []).append(row)
    return list(by_item.values())


def keys(*, kind: str, count: int) -> Iterator[Any]:
    """Encode and decode keys of three parts, more of them than are kept in a cache."""
    made = [KEYS[kind](number) for number in range(count)]
    texts = [encode(key) for key in made]

    def work() -> dict[str, Any]:
        return {"operations": 2 * count, "seconds": {"encode": _each(encode, made), "decode": _each(decode, texts)}}

    yield work


def _each(function: Callable[[Any], object], values: list[Any]) -> float:
    started = time.process_time()
    for value in values:
        function(value)
    return (time.process_time() - started) / len(values)


TASKS = (awaited, blocking, add, add_floor, keys)

if __name__ == "__main__":
    serve({task.__name__: task for task in TASKS}, ["ssshelf"])
