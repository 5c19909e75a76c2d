"""Single gets, durable sets and bulk on SQLite: ssshelf, and diskcache as it is meant to be used, on the same disk.

diskcache runs in an environment of its own, whose Python ``SSSHELF_BENCH_DISKCACHE`` names (``python -m venv peer &&
peer/bin/pip install diskcache``). Both keep the same dicts, and have them on the disk when they answer: diskcache is
told ``sqlite_synchronous=2``, which is not its default. Rounds are taken in turns; processor time is the process's.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import in_turns, same, save, table
from ssshelf import CManager, DictItems, SQLiteStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

ROUNDS = 9
ITEMS = 1_000
SETS = 300
BULK = 3_000

Item = dict[str, Any]
Times = dict[str, float]

PEER = """
import json, sys, tempfile, time
import diskcache

def item(i):
    return {{"id": f"item-{{i:06}}", "group": f"group-{{i % 7}}", "size": i, "text": "x" * 200}}

def measured(count, call):
    started, worked = time.perf_counter(), time.process_time()
    for i in range(count):
        call(i)
    taken, worked = time.perf_counter() - started, time.process_time() - worked
    return {{"us": taken / count * 1e6, "cpu_us": worked / count * 1e6}}

with tempfile.TemporaryDirectory(dir=".") as folder:
    with diskcache.Cache(folder, sqlite_synchronous=2) as cache:
        cache.set("first", item(0))
        results = {{
            "set": measured({sets}, lambda i: cache.set(f"new-{{i:06}}", item(i))),
            "replace": measured({sets}, lambda i: cache.set(f"new-{{i:06}}", item(i + 1))),
            "bulk": measured({bulk}, lambda i: cache.set(f"item-{{i:06}}", item(i))),
            "get": measured({items}, lambda i: cache.get(f"item-{{i:06}}") == item(i) or exit(1)),
        }}
json.dump(results, sys.stdout)
"""


class Things(CManager[Item]):
    item_manager = DictItems(pk="id", name="things")


def item(i: int) -> Item:
    return {"id": f"item-{i:06}", "group": f"group-{i % 7}", "size": i, "text": "x" * 200}


async def measured(count: int, call: Callable[[], Awaitable[object]]) -> Times:
    started, worked = time.perf_counter(), time.process_time()
    await call()
    return {
        "us": (time.perf_counter() - started) / count * 1e6,
        "cpu_us": (time.process_time() - worked) / count * 1e6,
    }


async def ssshelf_times() -> dict[str, Times]:
    """Return what each operation takes on a new file, for each item."""

    async def insert(things: Things) -> None:
        for i in range(SETS):
            await things.add_item(new(i, i))

    async def replace(things: Things) -> None:
        for i in range(SETS):
            await things.add_item(new(i, i + 1))

    async def get(things: Things) -> None:
        for i in range(ITEMS):
            same(await things.get_item(f"item-{i:06}"), item(i))

    def new(key: int, i: int) -> Item:
        return {**item(i), "id": f"new-{key:06}"}

    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with SQLiteStorage(Path(folder, "shelf.db")) as storage:
            things = Things(storage)
            await things.add_item({"id": "first"})
            return {
                "set": await measured(SETS, lambda: insert(things)),
                "replace": await measured(SETS, lambda: replace(things)),
                "bulk": await measured(BULK, lambda: things.add_items(map(item, range(BULK)))),
                "get": await measured(ITEMS, lambda: get(things)),
            }


async def diskcache_times(python: str) -> dict[str, Times]:
    """Return the same of diskcache, which has no bulk call: its ``bulk`` is one set after another."""
    code = PEER.format(sets=SETS, bulk=BULK, items=ITEMS)
    child = await asyncio.create_subprocess_exec(python, "-c", code, stdout=asyncio.subprocess.PIPE)
    answer, _ = await child.communicate()
    same(child.returncode, 0)
    return dict(json.loads(answer))


def rows(measured: dict[str, dict[str, list[float]]]) -> Iterator[list[str]]:
    """Yield for each operation the medians of both, and of their ratio in pairs."""
    for name in ("get", "set", "replace", "bulk"):
        for unit in ("us", "cpu_us"):
            ours, theirs = (measured[who][f"{name} {unit}"] for who in ("ssshelf", "diskcache"))
            ratio = statistics.median(their / our for our, their in zip(ours, theirs, strict=True))
            label = f"{name}, {'in all' if unit == 'us' else 'processor'}"
            yield [label, f"{statistics.median(ours):.0f}", f"{statistics.median(theirs):.0f}", f"{ratio:.2f}"]


async def measure(python: str) -> None:
    measured: dict[str, dict[str, list[float]]] = {"ssshelf": {}, "diskcache": {}}

    async def one(who: str, times: Callable[[], Awaitable[dict[str, Times]]]) -> float:
        for name, units in (await times()).items():
            for unit, value in units.items():
                measured[who].setdefault(f"{name} {unit}", []).append(value)
        return 0.0

    contestants = {
        "ssshelf": lambda: one("ssshelf", ssshelf_times),
        "diskcache": lambda: one("diskcache", lambda: diskcache_times(python)),
    }
    await in_turns(contestants, ROUNDS)
    header = ["microseconds", "ssshelf", "diskcache", "how often as fast"]
    table("Dicts in SQLite, each on the disk when it is answered", header, list(rows(measured)))
    save("diskcache_rates", {"microseconds": measured})


def main() -> None:
    python = os.environ.get("SSSHELF_BENCH_DISKCACHE")
    if not python:
        print("diskcache_rates: SSSHELF_BENCH_DISKCACHE names no Python that has diskcache", file=sys.stderr)
        return
    asyncio.run(measure(python))


if __name__ == "__main__":
    main()
