"""How long a page of 100 items takes, against the same by hand with aiobotocore: one listing, then 100 objects at once.

On moto behind a proxy that adds 20 ms; and if SSSHELF_BENCH_S3 is the URL of a real S3, there as it is and with 20 ms
more, with the credentials in the environment. The bucket is made if there is none, and what is written is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import multiprocessing
import os
import socket
import statistics
import sys
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from benchmarks import latency_proxy
from benchmarks.report import in_turns, medians, same, save, table
from ssshelf import CManager, Collection, DictItems, S3Storage
from ssshelf.storages.counting import CountingStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

ROUNDS = 16
ITEMS = 100
DELAY_S = 0.02
BUCKET = "ssshelf-benchmarks"
POOLS = {"64 connections": 64, "10 connections (the default)": 10}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
}

Item = dict[str, Any]


class Things(CManager[Item]):
    item_manager = DictItems(pk="id")
    every = Collection[Item](lambda item: item["id"])


def items() -> list[Item]:
    return [{"id": f"item-{i:03}", "number": i, "tags": ["a", "b"], "text": "x" * 200} for i in range(ITEMS)]


async def by_ssshelf(shelf: Things) -> list[Item]:
    return list(await shelf.every.get_items(limit=ITEMS))


async def by_hand(client: Any, prefix: str) -> list[Item]:
    async def get(key: str) -> Any:
        answer = await client.get_object(Bucket=BUCKET, Key=key)
        async with answer["Body"] as body:
            return json.loads(await body.read())

    listed = await client.list_objects_v2(Bucket=BUCKET, Prefix=prefix, MaxKeys=ITEMS)
    return list(await asyncio.gather(*(get(row["Key"]) for row in listed["Contents"])))


async def timed(read: Callable[[], Awaitable[list[Item]]], cpu_ms: list[float]) -> float:
    """Return how many milliseconds a page takes; append to ``cpu_ms`` how many of them this process worked."""
    started, cpu_started = time.perf_counter(), time.process_time()
    page = await read()
    taken, worked = time.perf_counter() - started, time.process_time() - cpu_started
    same(page, items())
    cpu_ms.append(worked * 1e3)
    return taken * 1e3


def connect(url: str, pool: int) -> Any:
    config = AioConfig(max_pool_connections=pool, s3={"addressing_style": "path"})
    return get_session().create_client("s3", endpoint_url=url, config=config)


@contextlib.asynccontextmanager
async def filled(url: str) -> AsyncIterator[str]:
    """Store the items twice, on a shelf and as plain objects, under a prefix that is removed afterwards."""
    prefix = f"page-of-100/{uuid.uuid4().hex}"
    async with connect(url, 10) as client, storage_at(url, prefix, 10) as storage:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            await client.create_bucket(Bucket=BUCKET)
        try:
            await Things(storage).add_items(items())
            for item in items():
                await client.put_object(Bucket=BUCKET, Key=f"{prefix}/plain/{item['id']}", Body=json.dumps(item))
            yield prefix
        finally:
            listed = await client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
            await client.delete_objects(
                Bucket=BUCKET, Delete={"Objects": [{"Key": row["Key"]} for row in listed.get("Contents", [])]}
            )


def storage_at(url: str, prefix: str, pool: int) -> S3Storage:
    return S3Storage(BUCKET, prefix, endpoint_url=url, addressing_style="path", concurrency=pool)


async def compare(server: str, url: str) -> dict[str, Any]:
    """Measure everything in turns on the server at ``url``, and print it."""
    contestants: dict[str, Callable[[], Awaitable[float]]] = {}
    cpu_ms: dict[str, list[float]] = {}
    async with filled(url) as prefix, contextlib.AsyncExitStack() as stack:
        for pool, size in POOLS.items():
            storage = await stack.enter_async_context(storage_at(url, prefix, size))
            client = await stack.enter_async_context(connect(url, size))
            for name, read in (
                (f"by hand, {pool}", partial(by_hand, client, f"{prefix}/plain/")),
                (f"ssshelf, {pool}", partial(by_ssshelf, Things(storage, concurrency=size))),
            ):
                contestants[name] = partial(timed, read, cpu_ms.setdefault(name, []))
        measured = await in_turns(contestants, ROUNDS)
        counting = CountingStorage(await stack.enter_async_context(storage_at(url, prefix, ITEMS)))
        await by_ssshelf(Things(counting, concurrency=ITEMS))
    taken, worked = medians(measured), medians(cpu_ms)
    rows = [[name, f"{taken[name]:.0f}", f"{min(measured[name]):.0f}", f"{worked[name]:.0f}"] for name in measured]
    speeds = {}
    for pool in POOLS:
        pairs = zip(measured[f"by hand, {pool}"], measured[f"ssshelf, {pool}"], strict=True)
        speeds[pool] = statistics.median(hand / shelf for hand, shelf in pairs)
    table(f"A page of {ITEMS} items on {server}, milliseconds", ["", "median", "least", "CPU"], rows)
    for pool, speed in speeds.items():
        print(f"ssshelf has {speed:.2f} of the speed by hand with {pool}.")
    print(f"With a connection for each item, a page of ssshelf takes {counting}.")
    return {"milliseconds": measured, "cpu_milliseconds": cpu_ms, "speeds": speeds, "requests": str(counting)}


@contextlib.contextmanager
def running(target: Callable[..., None], port: int, *args: Any) -> Iterator[str]:
    """Run a server in a process of its own, and give its URL once it listens."""
    server = multiprocessing.get_context("spawn").Process(target=target, args=(port, *args), daemon=True)
    server.start()
    try:
        while server.is_alive():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        else:
            sys.exit(f"{target.__name__} did not start on port {port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def moto(port: int) -> None:
    from moto.server import main as serve  # noqa: PLC0415  a second, and only in this process

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    serve(["-H", "127.0.0.1", "-p", str(port)])


def proxy(port: int, url: str) -> None:
    target = urlsplit(url)
    asyncio.run(latency_proxy.serve(port, target.hostname or "", target.port or 80, DELAY_S))


def main() -> None:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    further = f"with {DELAY_S * 1e3:.0f} ms more"
    results = {}
    with running(moto, free_port()) as url, running(proxy, free_port(), url) as behind:
        results[f"moto {further}"] = asyncio.run(compare(f"moto {further}", behind))
    if real := os.environ.get("SSSHELF_BENCH_S3"):
        results[real] = asyncio.run(compare(real, real))
        with running(proxy, free_port(), real) as behind:
            results[f"{real} {further}"] = asyncio.run(compare(f"{real} {further}", behind))
    save("page_of_100", {"servers": results})


if __name__ == "__main__":
    main()
