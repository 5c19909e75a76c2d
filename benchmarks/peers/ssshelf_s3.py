"""ssshelf on a bucket."""

from __future__ import annotations

import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

from protocol import at_once, same, serve, thing

from ssshelf import CManager, Collection, DictItems, Key, S3Storage, Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

BUCKET = "ssshelf-benchmarks"
DATA = b"x" * 300


class Things(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="id", name="things")
    by_size = Collection[dict[str, Any]](lambda item: item["size"])


class Listed(Things):
    by_group = Collection[dict[str, Any]](lambda item: (item["group"], item["size"]))


def storage_at(url: str, prefix: str, **options: Any) -> S3Storage:
    return S3Storage(BUCKET, prefix, endpoint_url=url, addressing_style="path", **options)


async def page(*, url: str, prefix: str, count: int) -> AsyncIterator[Any]:
    async with storage_at(url, prefix) as storage:
        things = Things(storage)
        await things.add_items(map(thing, range(count)))

        async def work() -> int:
            same(list(await things.by_size.get_items(limit=count)), list(map(thing, range(count))))
            return 1

        yield work


async def covering_page(*, url: str, prefix: str, count: int) -> AsyncIterator[Any]:
    covers: Any = {"covers": ("id", "size")}

    class Covered(Things):
        by_size = Collection[dict[str, Any]](lambda item: item["size"], **covers)

    async with storage_at(url, prefix) as storage:
        things: Any = Covered(storage)
        await things.add_items(map(thing, range(count)))

        async def work() -> int:
            same(len(await things.by_size.get_covered(limit=count)), count)
            return 1

        yield work


async def listing(*, url: str, prefix: str, count: int) -> AsyncIterator[Any]:
    """List entries of ``covering_page``: the one request that it has to make."""
    async with storage_at(url, prefix) as storage:

        async def work() -> int:
            same(len((await storage.scan(Key("collections", "things", "by-size"), limit=count)).rows), count)
            return 1

        yield work


async def get(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with storage_at(url, prefix, concurrency=width) as storage:
        await at_once(count, width, lambda number: storage.put(Key("entry", number), DATA))

        async def one(number: int) -> None:
            same((await storage.get(Key("entry", number))).data, DATA)

        async def work() -> int:
            return await at_once(count, width, one)

        yield work


async def put(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with storage_at(url, prefix, concurrency=width) as storage:

        async def work() -> int:
            return await at_once(count, width, lambda number: storage.put(Key("entry", number), DATA))

        yield work


async def scan(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with storage_at(url, prefix, concurrency=width) as storage:
        await at_once(1000, 16, lambda number: storage.put(Key("entry", number), DATA))

        async def one(_: int) -> None:
            same(len((await storage.scan(Key("entry"))).rows), 1000)

        async def work() -> int:
            return await at_once(count, width, one)

        yield work


async def insert(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    async with storage_at(url, prefix, concurrency=2 * width) as storage:
        things, rounds = Listed(storage), iter(range(10**6))
        await things.insert_item({**thing(0), "id": "first"})

        async def work() -> int:
            turn = next(rounds)
            return await at_once(count, width, lambda n: things.insert_item({**thing(n), "id": f"{turn}-{n}"}))

        yield work


async def update(*, url: str, prefix: str, count: int, together: bool) -> AsyncIterator[Any]:
    async with storage_at(url, prefix) as storage:
        shelf = Shelf[dict[str, Any]](storage)

        async def work() -> int:
            values = {f"{uuid.uuid4()}": thing(number) for number in range(count)}
            if together:
                await shelf.update(values)
            else:
                for key, value in values.items():
                    await shelf.set(key, value)
            return count

        yield work


FIRST_REQUEST = f"""
import asyncio, sys
from ssshelf import Key, S3Storage

async def main():
    async with S3Storage({BUCKET!r}, sys.argv[2], endpoint_url=sys.argv[1], addressing_style="path") as storage:
        assert (await storage.get(Key("entry"))).data

asyncio.run(main())
"""


def first_request(*, url: str, prefix: str) -> Iterator[Any]:
    import asyncio  # noqa: PLC0415

    async def fill() -> None:
        async with storage_at(url, prefix) as storage:
            await storage.put(Key("entry"), DATA)

    asyncio.run(fill())

    def work() -> int:
        subprocess.run([sys.executable, "-c", FIRST_REQUEST, url, prefix], check=True)
        return 1

    yield work


TASKS = (page, covering_page, listing, get, put, scan, insert, update, first_request)

if __name__ == "__main__":
    serve({task.__name__: task for task in TASKS}, ["ssshelf", "aiobotocore", "aiohttp"])
