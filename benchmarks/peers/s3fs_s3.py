"""s3fs: a bucket as a file system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import s3fs
from protocol import at_once, same, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BUCKET = "ssshelf-benchmarks"
DATA = b"x" * 300


def connect(url: str) -> Any:
    return s3fs.S3FileSystem(endpoint_url=url, asynchronous=True, use_listings_cache=False)


async def page(*, url: str, prefix: str, count: int) -> AsyncIterator[Any]:
    """Fetch what ssshelf has stored: one listing, then all files at once."""
    files = connect(url)
    session = await files.set_session()

    async def work() -> int:
        names = await files._find(f"{BUCKET}/{prefix}/items!")
        same(len(await files._cat(names)), count)
        return 1

    yield work
    await session.close()


async def get(*, url: str, prefix: str, count: int, width: int) -> AsyncIterator[Any]:
    files = connect(url)
    session = await files.set_session()
    await at_once(count, width, lambda n: files._pipe_file(f"{BUCKET}/{prefix}/{n}", DATA))

    async def one(number: int) -> None:
        same(await files._cat_file(f"{BUCKET}/{prefix}/{number}"), DATA)

    async def work() -> int:
        return await at_once(count, width, one)

    yield work
    await session.close()


if __name__ == "__main__":
    serve({"page": page, "get": get}, ["s3fs", "aiobotocore"])
