"""What a cold process costs: imports, and the first answer from S3, as a serverless handler meets them.

Each measurement is a new process. Its processor time is what it took itself, whatever else the machine was doing. The
server is moto, in a process of its own, which has answered before.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.page_of_100 import BUCKET, ENVIRONMENT, connect, free_port, moto, running, storage_at
from benchmarks.report import in_turns, medians, same, save, table
from ssshelf import CManager, DictItems

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 15
KEY = "plain/a"
ITEM = {"id": "a", "text": "x" * 200}
BARE = "Python alone"
SHELF, HAND = "first get from S3, ssshelf", "first get from S3, aiobotocore by hand"


class Things(CManager[dict[str, str]]):
    item_manager = DictItems(pk="id", name="things")


BY_SSSHELF = """
import asyncio
from ssshelf import CManager, DictItems, S3Storage

class Things(CManager):
    item_manager = DictItems(pk="id", name="things")

async def main():
    async with S3Storage({bucket!r}, endpoint_url={url!r}, addressing_style="path") as storage:
        assert await Things(storage).get_item("a") == {item!r}

asyncio.run(main())
"""
BY_HAND = """
import asyncio, json
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

async def main():
    config = AioConfig(s3={{"addressing_style": "path"}})
    async with get_session().create_client("s3", endpoint_url={url!r}, config=config) as client:
        answer = await client.get_object(Bucket={bucket!r}, Key={key!r})
        async with answer["Body"] as body:
            assert json.loads(await body.read()) == {item!r}

asyncio.run(main())
"""
CODES = {
    BARE: "pass",
    "import ssshelf": "import ssshelf",
    "import asyncio": "import asyncio",
    "what a manager needs": "from ssshelf import CManager, Collection, DictItems, open_storage",
    "and memory": "from ssshelf import CManager, Collection, DictItems, MemoryStorage",
    "and SQLite": "from ssshelf import CManager, Collection, DictItems, SQLiteStorage",
    "and S3": "from ssshelf import CManager, Collection, DictItems, S3Storage",
    SHELF: BY_SSSHELF,
    HAND: BY_HAND,
}


async def process(code: str, cpu_ms: list[float]) -> float:
    """Return how many milliseconds a process takes; append to ``cpu_ms`` how many of them it worked."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    same(await child.wait(), 0)
    taken, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_ms.append(1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return taken * 1e3


async def fill(url: str) -> None:
    async with connect(url, 1) as client, storage_at(url, "", 1) as storage:
        await client.create_bucket(Bucket=BUCKET)
        await Things(storage).add_item(ITEM)
        await client.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(ITEM))


async def measure(url: str) -> None:
    await fill(url)
    place = {"url": url, "bucket": BUCKET, "key": KEY, "item": ITEM}
    cpu_ms: dict[str, list[float]] = {name: [] for name in CODES}
    contestants: dict[str, Callable[[], Awaitable[float]]] = {
        name: partial(process, code.format(**place), cpu_ms[name]) for name, code in CODES.items()
    }
    measured = await in_turns(contestants, ROUNDS)
    cpu_ms = {name: values[1:] for name, values in cpu_ms.items()}  # the first round warms up
    taken, worked = medians(measured), medians(cpu_ms)
    rows = [[name, f"{taken[name]:.0f}", f"{worked[name]:.0f}", f"{worked[name] - worked[BARE]:.0f}"] for name in CODES]
    table("A cold process, milliseconds", ["", "in all", "CPU", f"more than {BARE}"], rows)
    ratio = statistics.median(one / other for one, other in zip(cpu_ms[SHELF], cpu_ms[HAND], strict=True))
    print(f"The first get takes {ratio:.2f} of the processor time by hand, in pairs.")
    save("start_up", {"milliseconds": measured, "cpu_milliseconds": cpu_ms, "first_get_to_by_hand": ratio})


def main() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with running(moto, free_port()) as url:
        asyncio.run(measure(url))


if __name__ == "__main__":
    main()
