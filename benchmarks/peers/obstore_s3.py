"""obstore: an S3 client in Rust, and so the leanest that a Python program can have. What it does is the floor."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import S3Store
from protocol import at_once, same, serve, thing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATA = b"x" * 300


def connect(url: str, prefix: str) -> Any:
    return S3Store(
        "ssshelf-benchmarks",
        prefix=prefix,
        endpoint=url,
        region="us-east-1",
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )


async def read(store: Any, path: str) -> bytes:
    return bytes(await (await obstore.get_async(store, path)).bytes_async())


async def paths(store: Any, prefix: str) -> list[str]:
    return [row["path"] for row in await obstore.list(store, prefix, chunk_size=1000).collect_async()]


async def page(*, url: str, prefix: str, count: int, listed: bool) -> AsyncIterator[Any]:
    """Fetch what ssshelf has stored: all objects at once, after one listing or of names that are known."""
    store = connect(url, prefix)
    known = await paths(store, "items!")

    async def work() -> int:
        names = await paths(store, "items!") if listed else known
        same(len(await asyncio.gather(*(read(store, name) for name in names))), count)
        return 1

    yield work


async def get(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    store = connect(url, prefix)
    await at_once(count, width, lambda n: obstore.put_async(store, f"{n}", DATA, use_multipart=False))

    async def one(number: int) -> None:
        same(await read(store, f"{number}"), DATA)

    async def work() -> int:
        return await at_once(count, width, one)

    yield work


async def put(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    store = connect(url, prefix)

    async def work() -> int:
        return await at_once(count, width, lambda n: obstore.put_async(store, f"{n}", DATA, use_multipart=False))

    yield work


async def scan(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    store = connect(url, prefix)
    await at_once(1000, 16, lambda n: obstore.put_async(store, f"entry/{n}", DATA, use_multipart=False))

    async def one(_: int) -> None:
        same(len(await paths(store, "entry")), 1000)

    async def work() -> int:
        return await at_once(count, width, one)

    yield work


async def insert(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    """Send the three PUTs of an insertion into two collections: two entries, then the item, if there is none."""
    store = connect(url, prefix)
    rounds = iter(range(10**6))

    async def work() -> int:
        turn = next(rounds)

        async def one(number: int) -> None:
            item = thing(number)
            name = hashlib.md5(f"{turn}-{number}".encode(), usedforsecurity=False).hexdigest()
            entries = (f"collections!/things!/{kind}!/{item[kind]}/{name}" for kind in ("size", "group"))
            await asyncio.gather(*(obstore.put_async(store, entry, b"", use_multipart=False) for entry in entries))
            body = json.dumps(item).encode() + b" " * 194  # what ssshelf keeps with an item
            await obstore.put_async(store, f"items!/things!/{name}", body, mode="create", use_multipart=False)

        return await at_once(count, width, one)

    yield work


if __name__ == "__main__":
    serve({task.__name__: task for task in (page, get, put, scan, insert)}, ["obstore"])
