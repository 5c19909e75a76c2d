"""How many items SQLite takes in a second, one by one and 64 at a time, each on the disk when it is answered.

The floor is SQLite alone: the same rows, written by Python's sqlite3 in one thread without ssshelf, in a transaction
for each item or for 64. All run in the folder this is started in, whose disk decides.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import statistics
import tempfile
import time
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import in_turns, medians, save, table
from ssshelf import CManager, Collection, DictItems, SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ROUNDS = 9
AT_ONCE = 64
ONE_BY_ONE = 400
TOGETHER = 6_400

Item = dict[str, Any]


class Plain(CManager[Item]):
    item_manager = DictItems(pk="id", name="things")


class Listed(Plain):
    by_group = Collection[Item](lambda item: (item["group"], item["size"]))
    by_size = Collection[Item](lambda item: item["size"])


def items(count: int) -> Iterator[Item]:
    return ({"id": f"item-{i:06}", "group": f"group-{i % 7}", "size": i, "text": "x" * 200} for i in range(count))


async def one_by_one(shelf: Plain) -> float:
    started = time.perf_counter()
    for item in items(ONE_BY_ONE):
        await shelf.add_item(item)
    return ONE_BY_ONE / (time.perf_counter() - started)


async def together(shelf: Plain) -> float:
    waiting = items(TOGETHER)

    async def work() -> None:
        for item in waiting:
            await shelf.add_item(item)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return TOGETHER / (time.perf_counter() - started)


async def shelved(kind: type[Plain], rate: Callable[[Plain], Awaitable[float]]) -> float:
    """Return the rate on a new file, after a first item has opened it."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with SQLiteStorage(Path(folder, "shelf.db")) as storage:
            shelf = kind(storage)
            await shelf.add_item({"id": "first", "group": "", "size": -1})
            return await rate(shelf)


async def floor(rows: list[list[tuple[Any, ...]]], count: int, group: int) -> float:
    """Return how many items a second SQLite takes without ssshelf, ``group`` in a transaction."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with SQLiteStorage(Path(folder, "shelf.db")) as storage:
            await Plain(storage).add_item({"id": "first"})  # makes the same tables
        connection = sqlite3.connect(Path(folder, "shelf.db"), isolation_level=None)
        connection.execute("PRAGMA synchronous = FULL")
        waiting = iter(rows[:count])
        started = time.perf_counter()
        while some := list(islice(waiting, group)):
            connection.execute("BEGIN IMMEDIATE")
            for of_an_item in some:
                connection.executemany("REPLACE INTO entries VALUES (?, ?, ?, ?)", of_an_item)
            connection.execute("COMMIT")
        taken = time.perf_counter() - started
        connection.close()
        return count / taken


async def rows_of(kind: type[Plain]) -> list[list[tuple[Any, ...]]]:
    """Return, for each item, the rows that ssshelf writes for it."""
    by_item: dict[str, list[tuple[Any, ...]]] = {item["id"]: [] for item in items(TOGETHER)}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with SQLiteStorage(Path(folder, "shelf.db")) as storage:
            await kind(storage).add_items(items(TOGETHER))
        with sqlite3.connect(Path(folder, "shelf.db")) as connection:
            for row in connection.execute("SELECT * FROM entries"):
                (pk,) = re.findall(r"item-\d+", row[0])
                by_item[pk].append(row)
        connection.close()
    return list(by_item.values())


async def sync_us() -> float:
    """Return how long the disk takes for what every transaction waits for."""
    taken = []
    with tempfile.TemporaryFile(dir=".", buffering=0) as file:
        for i in range(100):
            file.write(b"x" * 8192)
            started = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - started)
            file.seek(8192 * (i % 8))  # over what is there, as SQLite does once its log has been written through
    return statistics.median(taken) * 1e6


async def measure() -> None:
    contestants: dict[str, Callable[[], Awaitable[float]]] = {"fsync": sync_us}
    for collections, kind in ((0, Plain), (2, Listed)):
        rows = await rows_of(kind)
        contestants |= {
            f"ssshelf, {collections} collections, one by one": partial(shelved, kind, one_by_one),
            f"ssshelf, {collections} collections, together": partial(shelved, kind, together),
            f"SQLite alone, {collections} collections, one by one": partial(floor, rows, ONE_BY_ONE, 1),
            f"SQLite alone, {collections} collections, together": partial(floor, rows, TOGETHER, AT_ONCE),
        }
    measured = await in_turns(contestants, ROUNDS)
    rates = medians(measured)
    fsync = rates.pop("fsync")
    lines = []
    for who in dict.fromkeys(name.rpartition(", ")[0] for name in rates):
        one, many = rates[f"{who}, one by one"], rates[f"{who}, together"]
        lines.append([who, f"{one:,.0f}", f"{many:,.0f}", f"{many / one:.1f}"])
    table("Items a second, each on the disk", ["", "one by one", f"{AT_ONCE} together", "ratio"], lines)
    print(f"An fsync takes {fsync:,.0f} µs here: the slower the disk, the greater the ratios.")
    save("sqlite_rates", {"together": AT_ONCE, "items_per_second_and_fsync_us": measured})


def main() -> None:
    asyncio.run(measure())


if __name__ == "__main__":
    main()
