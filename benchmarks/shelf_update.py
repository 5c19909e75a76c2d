"""How much faster a shelf stores 1,000 values in one call than one by one, on S3 that is 20 ms away.

On moto behind a proxy that adds 20 ms; and if SSSHELF_BENCH_S3 is the URL of a real S3, there with 20 ms more, with the
credentials in the environment. The bucket is made if there is none, and what is written is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from typing import TYPE_CHECKING, Any

import ssshelf
from benchmarks.page_of_100 import BUCKET, DELAY_S, ENVIRONMENT, connect, free_port, moto, proxy, running
from benchmarks.report import in_turns, medians, same, save, table
from ssshelf import S3Storage
from ssshelf.blocking import open_storage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 3
VALUES = {f"key-{n:04}": {"number": n, "text": "x" * 200} for n in range(1000)}


def one_by_one(shelf: Any) -> None:
    for key, value in VALUES.items():
        shelf[key] = value


def at_once(shelf: Any) -> None:
    shelf.update(VALUES)


async def measured(url: str) -> dict[str, list[float]]:
    async with connect(url, 1) as client:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            await client.create_bucket(Bucket=BUCKET)
    contestants = {"one by one": timed(url, one_by_one), "update": timed(url, at_once)}
    return await in_turns(contestants, ROUNDS)


def timed(url: str, use: Callable[[Any], None]) -> Callable[[], Awaitable[float]]:
    def seconds() -> float:
        prefix = f"shelf-update/{uuid.uuid4().hex}"
        storage = S3Storage(BUCKET, prefix, endpoint_url=url, addressing_style="path")
        with open_storage(storage), ssshelf.open(storage) as shelf:
            started = time.perf_counter()
            use(shelf)
            taken = time.perf_counter() - started
            same(shelf, VALUES)
            shelf.clear()
        return taken

    return lambda: asyncio.to_thread(seconds)


def compare(server: str, url: str) -> dict[str, Any]:
    seconds = asyncio.run(measured(url))
    middle = medians(seconds)
    rows = [[name, f"{middle[name]:.2f}", f"{min(seconds[name]):.2f}"] for name in seconds]
    table(f"1,000 values on {server}, seconds", ["", "median", "least"], rows)
    ratios = [slow / fast for slow, fast in zip(seconds["one by one"], seconds["update"], strict=True)]
    print(f"update is {middle['one by one'] / middle['update']:.0f} times faster.")
    return {"seconds": seconds, "ratios": ratios}


def main() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    results = {}
    with running(moto, free_port()) as url, running(proxy, free_port(), url) as behind:
        results["moto"] = compare(f"moto with {DELAY_S * 1e3:.0f} ms more", behind)
    if real := os.environ.get("SSSHELF_BENCH_S3"):
        with running(proxy, free_port(), real) as behind:
            results[real] = compare(f"{real} with {DELAY_S * 1e3:.0f} ms more", behind)
    save("shelf_update", {"servers": results})


if __name__ == "__main__":
    main()
