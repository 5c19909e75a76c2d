"""ssshelf 0.1.3 on a bucket, as it was on PyPI."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiobotocore
from protocol import same, serve, thing

from ssshelf.collections import Collection
from ssshelf.items import IManager
from ssshelf.managers import CManager
from ssshelf.storages.s3 import S3Storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ThingItems(IManager):
    def get_pk(self, item: dict[str, Any]) -> str:
        return str(item["id"])

    def serialize_item(self, item: dict[str, Any]) -> bytes:
        return json.dumps(item).encode()

    def deserialize_item(self, data: bytes) -> Any:
        return json.loads(data)


class BySize(Collection):
    def get_pk(self, item: dict[str, Any]) -> str:
        return str(item["id"])

    def key(self, item: dict[str, Any]) -> Any:
        return [[f"{item['size']:07}"]]


async def page(*, url: str, prefix: str, count: int) -> AsyncIterator[Any]:
    class Things(CManager):
        item_manager = ThingItems(name=prefix)
        by_size = BySize(name=prefix)

    async with aiobotocore.get_session().create_client("s3", endpoint_url=url, region_name="us-east-1") as client:
        things = Things(S3Storage("ssshelf-benchmarks", s3_client=client))
        for number in range(count):
            await things.add_item(thing(number))

        async def work() -> int:
            same((await things.by_size.get_items(max_keys=count))["items"], list(map(thing, range(count))))
            return 1

        yield work


if __name__ == "__main__":
    serve({"page": page}, ["ssshelf", "aiobotocore", "aiohttp"])
