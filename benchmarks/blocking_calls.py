"""What blocking adds: the same calls awaited in an event loop, and by ``ssshelf.blocking``, in memory and on SQLite.

One caller, one call after another. SQLite's file is in the folder this is started in, whose disk decides.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import in_turns, medians, same, save, table
from ssshelf import CManager, Collection, DictItems, MemoryStorage, SQLiteStorage
from ssshelf.blocking import twin

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.base import Storage

ROUNDS = 15
CALLS = 400
LISTED = 5_000

Item = dict[str, Any]


class Things(CManager[Item]):
    item_manager = DictItems(pk="id", name="things")
    by_size = Collection[Item](lambda item: item["size"])


def item(number: int) -> Item:
    return {"id": f"item-{number:06}", "size": number, "text": "x" * 200}


async def awaited(call: Callable[[int], Awaitable[object]]) -> float:
    started = time.perf_counter()
    for number in range(CALLS):
        await call(number)
    return (time.perf_counter() - started) / CALLS


async def blocking(call: Callable[[int], object]) -> float:
    started = time.perf_counter()
    for number in range(CALLS):
        call(number)
    return (time.perf_counter() - started) / CALLS


async def listed_awaited(shelf: Things) -> float:
    started = time.perf_counter()
    same(len([one async for one in shelf.by_size.prefix()]), LISTED)
    return (time.perf_counter() - started) / LISTED


async def listed_blocking(shelf: Any) -> float:
    started = time.perf_counter()
    same(len(list(shelf.by_size.prefix())), LISTED)
    return (time.perf_counter() - started) / LISTED


async def measure(storage: Storage) -> dict[str, list[float]]:
    here, there = Things(storage), twin(Things)(storage)
    await here.add_items(item(number) for number in range(LISTED))
    contestants: dict[str, Callable[[], Awaitable[float]]] = {
        "get_item, awaited": partial(awaited, lambda number: here.get_item(item(number)["id"])),
        "get_item, blocking": partial(blocking, lambda number: there.get_item(item(number)["id"])),
        "add_item, awaited": partial(awaited, lambda number: here.add_item(item(number))),
        "add_item, blocking": partial(blocking, lambda number: there.add_item(item(number))),
        "an item of prefix(), awaited": partial(listed_awaited, here),
        "an item of prefix(), blocking": partial(listed_blocking, there),
    }
    return await in_turns(contestants, ROUNDS)


def report(where: str, measured: dict[str, list[float]]) -> None:
    taken, rows = medians(measured), []
    for what in dict.fromkeys(name.rpartition(", ")[0] for name in measured):
        pairs = zip(measured[f"{what}, awaited"], measured[f"{what}, blocking"], strict=True)
        ratio = statistics.median(there / here for here, there in pairs)
        microseconds = [taken[f"{what}, {how}"] * 1e6 for how in ("awaited", "blocking")]
        rows.append([what, *(f"{each:.0f}" for each in microseconds), f"{ratio:.2f}"])
    table(f"Microseconds, {where}", ["", "awaited", "blocking", "blocking / awaited"], rows)


def main() -> None:
    results = {"memory": asyncio.run(measure(MemoryStorage()))}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        results["SQLite"] = asyncio.run(on_sqlite(f"{folder}/shelf.db"))
    for where, measured in results.items():
        report(where, measured)
    save("blocking_calls", {"seconds": results})


async def on_sqlite(path: str) -> dict[str, list[float]]:
    async with SQLiteStorage(path) as storage:
        return await measure(storage)


if __name__ == "__main__":
    main()
