"""What a program writes by hand with aiobotocore."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from protocol import at_once, same, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

BUCKET = "ssshelf-benchmarks"
DATA = b"x" * 300


def connect(url: str, pool: int) -> Any:
    config = AioConfig(max_pool_connections=pool, s3={"addressing_style": "path"})
    return get_session().create_client("s3", endpoint_url=url, config=config)


async def read(client: Any, key: str) -> bytes:
    answer = await client.get_object(Bucket=BUCKET, Key=key)
    async with answer["Body"] as body:
        data: bytes = await body.read()
    return data


async def page(*, url: str, prefix: str, count: int, pool: int) -> AsyncIterator[Any]:
    """Fetch what ssshelf has stored: one listing, then all objects at once."""
    async with connect(url, pool) as client:

        async def work() -> int:
            listed = await client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/items!/", MaxKeys=count)
            found = await asyncio.gather(*(read(client, row["Key"]) for row in listed["Contents"]))
            same(len(found), count)
            return 1

        yield work


async def get(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with connect(url, width) as client:
        await at_once(count, width, lambda n: client.put_object(Bucket=BUCKET, Key=f"{prefix}/{n}", Body=DATA))

        async def one(number: int) -> None:
            same(await read(client, f"{prefix}/{number}"), DATA)

        async def work() -> int:
            return await at_once(count, width, one)

        yield work


async def put(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with connect(url, width) as client:

        async def work() -> int:
            return await at_once(
                count, width, lambda n: client.put_object(Bucket=BUCKET, Key=f"{prefix}/{n}", Body=DATA)
            )

        yield work


async def scan(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with connect(url, width) as client:
        await at_once(1000, 16, lambda n: client.put_object(Bucket=BUCKET, Key=f"{prefix}/entry-{n}", Body=DATA))

        async def one(_: int) -> None:
            same(len((await client.list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/"))["Contents"]), 1000)

        async def work() -> int:
            return await at_once(count, width, one)

        yield work


FIRST_REQUEST = f"""
import asyncio, sys
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

async def main():
    config = AioConfig(s3={{"addressing_style": "path"}})
    async with get_session().create_client("s3", endpoint_url=sys.argv[1], config=config) as client:
        answer = await client.get_object(Bucket={BUCKET!r}, Key=sys.argv[2])
        assert await answer["Body"].read()

asyncio.run(main())
"""


def first_request(*, url: str, prefix: str) -> Iterator[Any]:
    async def fill() -> None:
        async with connect(url, 1) as client:
            await client.put_object(Bucket=BUCKET, Key=prefix, Body=DATA)

    asyncio.run(fill())

    def work() -> int:
        subprocess.run([sys.executable, "-c", FIRST_REQUEST, url, prefix], check=True)
        return 1

    yield work


if __name__ == "__main__":
    tasks = (page, get, put, scan, first_request)
    serve({task.__name__: task for task in tasks}, ["aiobotocore", "aiohttp", "botocore"])
