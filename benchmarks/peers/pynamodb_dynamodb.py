"""PynamoDB, which blocks: in as many threads as there are requests at a time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from dynamodb_requests import DATA, ETAG, LISTED, REGION, TABLE, WRITTEN, name, task
from protocol import same, serve
from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute
from pynamodb.models import Model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


def model(url: str, width: int) -> Any:
    class Thing(Model):
        class Meta:
            table_name = TABLE
            host = url
            region = REGION
            max_pool_connections = width

        p = UnicodeAttribute(hash_key=True)
        k = UnicodeAttribute(range_key=True)
        e = UnicodeAttribute()
        s = NumberAttribute()
        d = BinaryAttribute(legacy_encoding=False)
        t = NumberAttribute()

    return Thing


@contextlib.asynccontextmanager
async def opened(url: str, prefix: str, width: int) -> AsyncIterator[Any]:
    thing = model(url, width)
    with ThreadPoolExecutor(width) as pool:

        async def run(function: Callable[[], Any]) -> Any:
            return await asyncio.get_running_loop().run_in_executor(pool, function)

        async def put(number: int) -> None:
            await run(thing(prefix, name(number), e=ETAG, s=len(DATA), d=DATA, t=WRITTEN).save)

        async def get(number: int) -> None:
            same((await run(functools.partial(thing.get, prefix, name(number), consistent_read=True))).d, DATA)

        async def scan(_: int) -> None:
            options = {"consistent_read": True, "limit": LISTED, "attributes_to_get": ["k", "e", "s", "t"]}
            query = functools.partial(thing.query, prefix, thing.k.startswith("items!/things!/"), **options)
            same(len(await run(lambda: list(query()))), LISTED)

        yield {"put": put, "get": get, "scan": scan}


if __name__ == "__main__":
    serve({"request": task(opened)}, ["pynamodb", "botocore"])
