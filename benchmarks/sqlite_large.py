"""A large SQLite shelf: how fast it fills, what memory it takes to read it all, and pages near and far.

``ITEMS=1000000 .venv/bin/python -m benchmarks sqlite_large`` does it with a million.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import same, save, table
from ssshelf import CManager, Collection, DictItems, SQLiteStorage

COUNT = int(os.environ.get("ITEMS", "100000"))
FAR = COUNT - 1000
PAGE = 100
READS = 200

Item = dict[str, Any]


class Things(CManager[Item]):
    item_manager = DictItems(pk="id")
    by_number = Collection[Item](lambda item: item["number"])
    by_group = Collection[Item](lambda item: (item["group"], item["number"]))


async def load(path: Path) -> float:
    items = ({"id": f"item-{i:06}", "number": i, "group": f"group-{i % 97}", "text": "x" * 200} for i in range(COUNT))
    async with SQLiteStorage(path) as storage:
        started = time.perf_counter()
        await Things(storage).add_items(items)
        return COUNT / (time.perf_counter() - started)


async def stream(path: Path) -> dict[str, float]:
    """Read all items, and watch the memory of this process."""
    async with SQLiteStorage(path) as storage:
        things = Things(storage)
        await things.by_number.get_items()
        before = peak = resident_kb()
        started, read = time.perf_counter(), 0
        async for item in things.by_number.prefix():
            same(item["number"], read)
            read += 1
            if read % 100 == 0:
                peak = max(peak, resident_kb())
        same(read, COUNT)
        rate = COUNT / (time.perf_counter() - started)
    return {"items_per_second": rate, "resident_before_kb": before, "resident_peak_kb": peak}


async def pages(path: Path) -> dict[str, list[float]]:
    """Time pages at the beginning, behind item 99,000, and anywhere."""
    dice = random.Random(0)
    taken: dict[str, list[float]] = {"first": [], f"behind item {FAR:,}": [], "random": []}
    async with SQLiteStorage(path) as storage:
        by_number = Things(storage).by_number
        far: str | None = None
        for _ in range(FAR // 1000):
            far = (await by_number.get_keys(limit=1000, after=far)).after
        for _ in range(READS):
            anywhere = dice.randrange(COUNT - PAGE)
            for name, first, after, start in (
                ("first", 0, None, ()),
                (f"behind item {FAR:,}", FAR, far, ()),
                ("random", anywhere, None, anywhere),
            ):
                started = time.perf_counter()
                page = await by_number.get_items(limit=PAGE, after=after, start=start)
                taken[name].append((time.perf_counter() - started) * 1e3)
                same([item["number"] for item in page], list(range(first, first + PAGE)))
    return taken


def resident_kb() -> int:
    pages_in_memory = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages_in_memory * os.sysconf("SC_PAGE_SIZE") // 1024


def in_new_process(function: Any, path: Path) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (function, path))


def _run(function: Any, path: Path) -> Any:
    return asyncio.run(function(path))


def main() -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder, "shelf.db")
        loaded = in_new_process(load, path)
        size = path.stat().st_size
        streamed = in_new_process(stream, path)
        taken = in_new_process(pages, path)
    grown = streamed["resident_peak_kb"] - streamed["resident_before_kb"]
    table(
        f"{COUNT:,} items in 2 collections, {size / 2**20:.0f} MB",
        ["", ""],
        [
            ["items written a second, by add_items", f"{loaded:,.0f}"],
            ["items read a second, by prefix()", f"{streamed['items_per_second']:,.0f}"],
            ["memory before reading, MB", f"{streamed['resident_before_kb'] / 1024:.1f}"],
            ["more at the most while reading, MB", f"{grown / 1024:.1f}"],
        ],
    )
    first = statistics.median(taken["first"])
    rows = []
    for name, times in taken.items():
        median, slow = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        rows.append([name, f"{median:.1f}", f"{slow:.1f}", f"{median / first:.2f}"])
    table(f"Pages of {PAGE}, milliseconds", ["page", "median", "95 %", "ratio"], rows)
    save("sqlite_large", {"written_per_second": loaded, "read": streamed, "pages_ms": taken, "file_bytes": size})


if __name__ == "__main__":
    main()
