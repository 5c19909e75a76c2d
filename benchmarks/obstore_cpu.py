"""What obstore takes for a request, run by a Python that has it: python benchmarks/obstore_cpu.py URL REQUESTS WORKERS.

Prints microseconds of CPU time of this process, its threads included, for a GET and for a PUT, as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def cpu_us(request: Callable[[str], Awaitable[Any]], requests: int, workers: int) -> float:
    """Return the CPU time of one of many requests, with so many under way at a time."""
    names = (f"items!/x!/key-{number}" for number in itertools.count())
    left = iter(range(requests))

    async def work() -> None:
        for _ in left:
            await request(next(names))

    await request(next(names))
    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(workers)))
    return (time.process_time() - started) / requests * 1e6


async def main(url: str, requests: int, workers: int) -> None:
    import obstore  # type: ignore[import-not-found]  # noqa: PLC0415  in another environment
    from obstore.store import S3Store  # type: ignore[import-not-found]  # noqa: PLC0415

    keys = {"region": "us-east-1", "access_key_id": "test", "secret_access_key": "test"}
    store = S3Store("bucket", endpoint=url, client_options={"allow_http": True}, **keys)

    async def get(name: str) -> None:
        await (await obstore.get_async(store, name)).bytes_async()

    async def put(name: str) -> None:
        await obstore.put_async(store, name, b"y" * 300, use_multipart=False)

    print(json.dumps({"GET": await cpu_us(get, requests, workers), "PUT": await cpu_us(put, requests, workers)}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
