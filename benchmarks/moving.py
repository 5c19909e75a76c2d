"""How fast a large shelf is copied, exported and imported, in how much memory, also when it is killed on the way.

Each step is a process of its own, whose largest memory is measured; one copy and one import are killed once in the
middle, and done again. ``ITEMS=1000000 .venv/bin/python -m benchmarks.moving`` does it with a million; all is written
into the folder this is started in, and removed at the end.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.page import table
from benchmarks.peers.protocol import thing
from ssshelf import CManager, Collection, DictItems, SQLiteStorage
from ssshelf.transfer import PartFile, copy, export_items, import_items

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ssshelf.maintenance import Progress

ITEMS = int(os.environ.get("ITEMS", "20000"))


class Listed(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="id", name="things")
    by_group = Collection[dict[str, Any]](lambda item: (item["group"], item["size"]))
    by_size = Collection[dict[str, Any]](lambda item: item["size"])


class Watch:
    """Notes when each phase began, and stops the process in the middle of the first one, if it is to."""

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at
        self.began: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        self.began.setdefault(progress.phase, time.perf_counter())
        if 0 < self._kill_at <= progress.done:
            os.kill(os.getpid(), signal.SIGKILL)


async def fill(_: Watch) -> str:
    async with SQLiteStorage("source.db") as storage:
        await Listed(storage).add_items(map(thing, range(ITEMS)))
    return "filled"


async def copy_all(watch: Watch) -> str:
    async with SQLiteStorage("source.db") as source, SQLiteStorage("copy.db") as destination:
        (done,) = [one async for one in copy(source, destination, progress=watch)]
    assert done.is_complete
    assert done.verified == ITEMS
    return f"copied {done.copied:,}, verified {done.verified:,}"


async def export_all(watch: Watch) -> str:
    async with SQLiteStorage("source.db") as source:
        done = await export_items(source, PartFile(Path("export.jsonl.zst"), "zst"), progress=watch)
    return f"exported {done.items:,}"


async def import_all(watch: Watch) -> str:
    async with SQLiteStorage("import.db") as destination:
        with Path("export.jsonl.zst").open("rb") as file:  # noqa: ASYNC230  nobody else runs
            done = await import_items(file, destination, compression="zst", progress=watch)
    assert done.is_complete
    return f"{done.tally.seen:,} seen"


async def compare(_: Watch) -> str:
    """Compare the three files, row by row."""
    import sqlite3  # noqa: PLC0415

    query = "SELECT key, data FROM entries WHERE key < 'meta' OR key >= 'metb' ORDER BY key"
    connections = [sqlite3.connect(name) for name in ("source.db", "copy.db", "import.db")]
    rows = 0
    for one, two, three in zip(*(connection.execute(query) for connection in connections), strict=True):
        assert one == two == three
        rows += 1
    for connection in connections:
        connection.close()
    return f"{rows:,} rows are the same in all three"


STEPS: dict[str, Callable[[Watch], Coroutine[Any, Any, str]]] = {
    "fill": fill,
    "copy": copy_all,
    "export": export_all,
    "import": import_all,
    "compare": compare,
}


def run_step(name: str, kill_at: int) -> None:
    watch = Watch(kill_at)
    started = time.perf_counter()
    said = asyncio.run(STEPS[name](watch))
    ended = time.perf_counter()
    marks = [*watch.began.values(), ended]
    phases = {phase: round(marks[n + 1] - marks[n], 1) for n, phase in enumerate(watch.began)}
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{ended - started:.1f}\t{peak_mib:.0f}\t{said}\t{phases}")


def main() -> None:
    if len(sys.argv) > 1:
        run_step(sys.argv[1], int(sys.argv[2]))
        return
    rows: list[list[str]] = []
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "ITEMS": str(ITEMS)}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for name, kill_at in [
            ("fill", 0),
            ("copy", ITEMS // 2),
            ("copy", 0),
            ("export", ITEMS // 2),
            ("export", 0),
            ("import", ITEMS // 2),
            ("import", 0),
            ("compare", 0),
        ]:
            command = [sys.executable, "-m", "benchmarks.moving", name, str(kill_at)]
            started = time.perf_counter()
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if kill_at:
                assert done.returncode == -signal.SIGKILL, done.stderr
                rows.append([f"{name}, killed half-way", f"{time.perf_counter() - started:.1f}", "", "", ""])
            else:
                assert done.returncode == 0, done.stderr
                rows.append([name, *done.stdout.rstrip("\n").split("\t")])
            print(rows[-1], flush=True)
    print(f"\nMoving {ITEMS:,} items")
    print("\n".join(table(["step", "seconds", "MiB at most", "", "phases in seconds"], rows)))


if __name__ == "__main__":
    main()
