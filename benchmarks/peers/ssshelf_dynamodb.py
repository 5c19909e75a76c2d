"""ssshelf on a table of DynamoDB."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from dynamodb_requests import DATA, REGION, TABLE, task
from protocol import same, serve

from ssshelf import DynamoDBMapping, DynamoDBStorage, Key
from ssshelf.storages.base import Put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@contextlib.asynccontextmanager
async def opened(url: str, prefix: str, width: int) -> AsyncIterator[Any]:
    async with DynamoDBStorage(TABLE, prefix, endpoint_url=url, region_name=REGION, concurrency=width) as storage:
        await storage.create_table()

        async def put(number: int) -> None:
            await storage.put(Key("items", "things", f"item-{number:04}"), DATA)

        async def get(number: int) -> None:
            same((await storage.get(Key("items", "things", f"item-{number:04}"))).data, DATA)

        async def transact(number: int) -> None:
            await storage.commit([Put(Key("items", "others", f"{number}-{part}"), DATA) for part in range(4)])

        async def scan(_: int) -> None:
            same(len((await storage.scan(Key("items", "things"), limit=100)).rows), 100)

        yield {"put": put, "get": get, "transact": transact, "scan": scan}


def update(*, url: str, prefix: str, count: int) -> Iterator[Any]:
    os.environ["AWS_ENDPOINT_URL"] = url
    with DynamoDBMapping.create_table(prefix, {"id": str}) as mapping:

        def work() -> int:
            mapping.update({f"item-{n:04}": {"description": "x" * 50, "price": n} for n in range(count)})
            return count

        yield work


if __name__ == "__main__":
    serve({"request": task(opened), "update": update}, ["ssshelf", "aiobotocore"])
