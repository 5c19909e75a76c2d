"""A program of 2018: fills a bucket with the real ssshelf 0.1.3, by whose Python it is run, and lists its names."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import Any

import aiobotocore

from ssshelf.collections import Collection
from ssshelf.items import IManager
from ssshelf.managers import CManager
from ssshelf.storages.s3 import S3Storage
from ssshelf.utils import json_dump


class JsonItems(IManager):
    def get_pk(self, item: dict[str, Any]) -> str:
        return str(item["pk"])

    def serialize_item(self, item: dict[str, Any]) -> bytes:
        return json_dump(item).encode()

    def deserialize_item(self, data: bytes) -> dict[str, Any]:
        return json.loads(data)


class BookmarkItems(JsonItems):
    pass


class AuthorItems(JsonItems):
    pass


class ItemCollection(Collection):
    def get_pk(self, item: dict[str, Any]) -> str:
        return str(item["pk"])


class ByTag(ItemCollection):
    def key(self, item: dict[str, Any]) -> Any:
        return [[tag] for tag in item["tags"]]


class ByMonth(ItemCollection):
    def key(self, item: dict[str, Any]) -> Any:
        return item["month"]  # as the README of its time had it: a key for each character


class ByPlace(ItemCollection):
    def key(self, item: dict[str, Any]) -> Any:
        return [[item["country"], item["town"]]]


class Bookmarks(CManager):
    item_manager = BookmarkItems()
    by_tag = ByTag()
    by_month = ByMonth()


class Authors(CManager):
    item_manager = AuthorItems()
    by_place = ByPlace()


def bookmark(pk: str, *tags: str) -> dict[str, Any]:
    return {"pk": pk, "tags": list(tags), "month": "2017-09", "added": datetime(2017, 9, 30, 12, 0)}  # noqa: DTZ001


async def fill(storage: S3Storage) -> None:
    bookmarks, authors = Bookmarks(storage), Authors(storage)
    for pk in ("plain", "a/b", "é x+y", "100%", "UPPER_lower-1.2~3"):
        await bookmarks.add_item(bookmark(pk, "python", "a/b c", "ü"))
    await bookmarks.add_item(bookmark("changed", "old"))
    await bookmarks.add_item(bookmark("changed", "new"))  # its entry under "old" stays for ever
    gone = bookmark("gone", "python")
    await bookmarks.add_item(gone)
    await bookmarks.item_manager.remove_item(gone)  # its entries stay
    await bookmarks.add_item(bookmark("untagged"))
    for pk, town in (("ada", "London"), ("plain", "")):  # two managers with one primary key
        await authors.add_item({"pk": pk, "country": "UK", "town": town})


async def main(endpoint: str, bucket: str) -> None:
    settings = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "testtest"}
    async with aiobotocore.get_session().create_client("s3", **settings, **keys) as client:
        await client.create_bucket(Bucket=bucket)
        await fill(S3Storage(bucket, s3_client=client))
        listed = await client.list_objects_v2(Bucket=bucket)
        for row in listed["Contents"]:
            answer = await client.get_object(Bucket=bucket, Key=row["Key"])
            data = await answer["Body"].read()
            sys.stdout.write(json.dumps([row["Key"], data.decode()]) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
