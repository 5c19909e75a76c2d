"""The example in the README of ssshelf 0.1, as its users wrote it.

Changed is only what could not work there: the mapping that was assigned to ``items`` and read as ``resp``, the bucket
that nobody named, and ``utcnow``.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import simpleflake

from ssshelf.collections import Collection
from ssshelf.items import IManager
from ssshelf.managers import CManager
from ssshelf.storages.base import Storage
from ssshelf.storages.s3 import S3Storage
from ssshelf.utils import convert_datetime_to_str, json_dump
from tests.storages import BUCKET, s3_storage


class Bookmark(IManager):  # type: ignore[type-arg]
    def get_pk(self, item: Any) -> str:
        return str(item["pk"])

    def serialize_item(self, item: Any) -> bytes:
        return bytes(json_dump(item), "utf8")

    def deserialize_item(self, data: bytes) -> Any:
        return json.loads(data)


class AllBookmarks(Collection):  # type: ignore[type-arg]
    def get_pk(self, item: Any) -> str:
        return str(item["pk"])

    def key(self, item: Any) -> str:
        return convert_datetime_to_str(item["created_at"])


class BookmarkManager(CManager):  # type: ignore[type-arg]
    item_manager = Bookmark()
    every = AllBookmarks()


async def demo(storage: Storage) -> None:
    bookmark_manager = BookmarkManager(storage)

    bookmark = {
        "pk": simpleflake.simpleflake(),
        "link": "http://google.com",
        "created_at": datetime.now(UTC),
    }

    await bookmark_manager.add_item(bookmark)

    resp = await bookmark_manager.every.get_items()

    assert resp["items"][0]["link"] == "http://google.com"
    assert (await bookmark_manager.every.get_keys())["keys"] == (str(bookmark["pk"]),)


async def test_the_example_works(storage: Storage) -> None:
    await demo(storage)


async def test_the_bucket_may_come_from_the_environment(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with s3_storage(moto_url) as other:  # makes the bucket
        url = f"s3://{BUCKET}/{other.prefix}?endpoint_url={moto_url}&addressing_style=path&region=us-east-1"
    monkeypatch.setenv("SSSHELF_URL", url)

    async with S3Storage() as storage:
        await demo(storage)


def test_names_are_those_of_0_1() -> None:
    assert BookmarkManager.item_manager.name == "bookmark"
    assert BookmarkManager.every.name == "all-bookmarks"
