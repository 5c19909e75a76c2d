"""ssshelf in a file of SQLite or in memory: as a dictionary, as a manager with collections, and as it starts."""

from __future__ import annotations

import contextlib
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protocol import same, serve, thing

import ssshelf
from ssshelf import CManager, Collection, DictItems, MemoryStorage, S3Storage, Shelf, SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssshelf.storages.base import Storage

ROUNDS = range(10**6)


class Things(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="id", name="things")
    by_size = Collection[dict[str, Any]](lambda item: item["size"])


def blocking_get(*, folder: str, kept: int, count: int) -> Iterator[Any]:
    with ssshelf.open(f"{folder}/shelf.db") as shelf:
        shelf.update({f"key-{n:06}": thing(n) for n in range(kept)})
        dice = random.Random(0)

        def work() -> int:
            for _ in range(count):
                number = dice.randrange(kept)
                same(shelf[f"key-{number:06}"]["size"], number)
            return count

        yield work


async def awaited_get(*, folder: str, kept: int, count: int) -> AsyncIterator[Any]:
    async with SQLiteStorage(f"{folder}/awaited.db") as storage:
        shelf = Shelf[dict[str, Any]](storage)
        await shelf.update({f"key-{n:06}": thing(n) for n in range(kept)})
        dice = random.Random(0)

        async def work() -> int:
            for _ in range(count):
                number = dice.randrange(kept)
                same((await shelf.get(f"key-{number:06}") or {})["size"], number)
            return count

        yield work


def blocking_set(*, folder: str, count: int) -> Iterator[Any]:
    with ssshelf.open(f"{folder}/shelf.db") as shelf:
        rounds = iter(ROUNDS)

        def work() -> int:
            turn = next(rounds)
            for number in range(count):
                shelf[f"key-{turn}-{number}"] = thing(number)
            return count

        yield work


async def awaited_set(*, folder: str, count: int) -> AsyncIterator[Any]:
    async with SQLiteStorage(f"{folder}/awaited.db") as storage:
        shelf, rounds = Shelf[dict[str, Any]](storage), iter(ROUNDS)

        async def work() -> int:
            turn = next(rounds)
            for number in range(count):
                await shelf.set(f"key-{turn}-{number}", thing(number))
            return count

        yield work


def bulk(*, folder: str, count: int) -> Iterator[Any]:
    with ssshelf.open(f"{folder}/shelf.db") as shelf:
        rounds = iter(ROUNDS)

        def work() -> int:
            turn = next(rounds)
            shelf.update({f"key-{turn}-{number}": thing(number) for number in range(count)})
            return count

        yield work


async def stream(*, folder: str, count: int) -> AsyncIterator[Any]:
    """Read all items in their order, and watch the memory of this process."""
    async with SQLiteStorage(f"{folder}/shelf.db") as storage:
        things = Things(storage)
        await things.add_items(map(thing, range(count)))
        await things.by_size.get_items()

        async def work() -> dict[str, Any]:
            before = peak = _resident_mib()
            read = 0
            async for item in things.by_size.prefix():
                same(item["size"], read)
                read += 1
                if read % 1000 == 0:
                    peak = max(peak, _resident_mib())
            same(read, count)
            return {"operations": count, "grown_mib": peak - before}

        yield work


async def scaling(*, where: str, count: int, times: int) -> AsyncIterator[Any]:
    """Time pages, insertions and updates on a shelf of ``count`` items."""
    async with _storage(where, count) as storage:
        things, dice, rounds = Things(storage), random.Random(0), iter(ROUNDS)
        await things.add_items(map(thing, range(count)))

        async def work() -> dict[str, Any]:
            taken: dict[str, list[float]] = {"page": [], "insert": [], "update": []}
            for _ in range(times):
                number = dice.randrange(count - 100)
                operations = {
                    "page": things.by_size.get_items(limit=100, start=number),
                    "insert": things.insert_item({**thing(count), "id": f"new-{next(rounds)}"}),
                    "update": things.update_item(thing(number)["id"], lambda item: item.update(text="another")),
                }
                for name, operation in operations.items():
                    started = time.perf_counter()
                    await operation
                    taken[name].append(time.perf_counter() - started)
            medians = {name: statistics.median(each) for name, each in taken.items()}
            return {"operations": 3 * times, "seconds": medians}

        yield work


@contextlib.asynccontextmanager
async def _storage(where: str, count: int) -> AsyncIterator[Storage]:
    if where == "memory":
        yield MemoryStorage()
    elif where.startswith("http"):
        options: Any = {"endpoint_url": where, "addressing_style": "path"}
        async with S3Storage("ssshelf-benchmarks", f"scaling-{count}", **options) as storage:
            yield storage
    else:
        async with SQLiteStorage(f"{where}/scaling-{count}.db") as storage:
            yield storage


def starting(*, code: str) -> Iterator[Any]:
    """Start a Python that runs ``code``."""
    root = str(Path(ssshelf.__file__).parents[1])

    def work() -> int:
        subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
        return 1

    yield work


def _resident_mib() -> float:
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return resident * resource.getpagesize() / 2**20


TASKS = (blocking_get, awaited_get, blocking_set, awaited_set, bulk, stream, scaling, starting)

if __name__ == "__main__":
    serve({task.__name__: task for task in TASKS}, ["ssshelf"])
