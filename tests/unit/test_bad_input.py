"""What is wrong is named, nothing is sent, and nothing is lost."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import ssshelf
from ssshelf import (
    CManager,
    Collection,
    CorruptionError,
    DeniedError,
    DictItems,
    IManager,
    Key,
    KeyTooLongError,
    MemoryStorage,
    S3Dict,
    S3Storage,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
)
from ssshelf.retries import RetryPolicy
from ssshelf.testing import CountingStorage
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark
from tests.storages import BUCKET, s3_storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from blockbuster import BlockBuster

    from ssshelf.storages.base import Storage

ITEM = Key("items", "bookmarks", "a")


async def refused(manager: type[CManager[Any]], item: Any, error: Any, match: str) -> None:
    """Check that ``item`` is refused by every kind of write, without a request."""
    counting = CountingStorage(MemoryStorage(transactions=False))
    shelf = manager(counting)
    for write in (shelf.add_item(item), shelf.insert_item(item), shelf.replace_item(item, expect="1-0")):
        with pytest.raises(error, match=match):
            await write
    assert counting.total == 0


async def test_an_item_without_its_primary_key() -> None:
    await refused(Bookmarks, {"year": 1, "tags": []}, ValueError, "bookmarks: the item has no primary key")


@pytest.mark.parametrize(("pk", "error"), [("", ValueError), (None, TypeError), (1.5, TypeError), (True, TypeError)])
async def test_an_impossible_primary_key(pk: Any, error: type[Exception]) -> None:
    await refused(Bookmarks, {**bookmark("a"), "slug": pk}, error, "primary key")


async def test_a_key_that_is_too_long() -> None:
    class ByTitle(Bookmarks):
        titles = Collection[Bookmark](lambda item: item["title"])

    await refused(Bookmarks, bookmark("🐍" * 1000), KeyTooLongError, "1024 is the most; its longest part is '🐍🐍")
    await refused(ByTitle, {**bookmark("a"), "title": "t" * 1000}, KeyTooLongError, "longest part is 'ttt")


async def test_a_primary_key_that_needs_escaping(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    slugs = ["../a/b", "a b", "%2F", "é🐍", "!/", "~", ".", "\x00", "a\nb", "🐍" * 20]
    items = [bookmark(slug, 2024, slug[:20]) for slug in slugs]

    await shelf.add_items(items)

    await assert_in_step(shelf, items)
    assert sorted(slugs) == list((await shelf.every.get_keys()).keys)


async def test_a_lone_surrogate() -> None:
    await refused(Bookmarks, bookmark("\ud800"), (TypeError, ValueError), "surrogate")


async def test_a_key_function_that_raises() -> None:
    class Raising(Bookmarks):
        broken = Collection[Bookmark](lambda item: 1 / (item["year"] - item["year"]))

    await refused(Raising, bookmark("a"), ZeroDivisionError, "division")
    with pytest.raises(ZeroDivisionError) as caught:
        await Raising(MemoryStorage()).add_item(bookmark("a"))
    assert caught.value.__notes__ == ["in the key of collection 'broken'; nothing was written"]


@pytest.mark.parametrize("body", ["text", None, bytearray(b"x"), {"a": 1}])
async def test_a_serializer_that_returns_no_bytes(body: Any) -> None:
    class Texts(IManager[Bookmark]):
        def get_pk(self, item: Bookmark) -> str:
            return str(item["slug"])

        def serialize_item(self, item: Bookmark) -> bytes:
            del item
            return body  # type: ignore[no-any-return]

        def deserialize_item(self, data: bytes) -> Bookmark:
            raise NotImplementedError

    class Shelf(CManager[Bookmark]):
        item_manager = Texts()

    await refused(Shelf, bookmark("a"), TypeError, f"texts has to return bytes, not {type(body).__name__}")


async def test_a_collection_with_a_primary_key_of_its_own() -> None:
    class Other(Collection[Bookmark]):
        def key(self, item: Bookmark) -> str:
            return str(item["slug"])

        def get_pk(self, item: Bookmark) -> str:
            return f"other-{item['slug']}"

    class Shelf(CManager[Bookmark]):
        item_manager = DictItems(pk="slug")
        every = Other()

    await refused(Shelf, bookmark("a"), ValueError, "another primary key")


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no envelope",
        lambda _: b'{"a": 1}\n',
        lambda _: b"[]\n",
        lambda data: data[:30],
        lambda data: data[:-1],
        lambda data: data + b" ",
        lambda data: data.replace(b'"ssshelf":1', b'"ssshelf":2'),
        lambda data: data.replace(b'"rev":', b'"ver":'),
        lambda data: data.replace(b'"state":"live"', b'"state":"odd"'),
        lambda data: data.replace(b'{"slug"', b"{'slug'"),
    ],
)
async def test_a_damaged_item_is_named_and_never_overwritten_by_an_update(storage: Storage, damage: Any) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_items([bookmark("a", 1, "x"), bookmark("b", 2, "x")])
    damaged = damage((await storage.get(ITEM)).data)
    await storage.put(ITEM, damaged)

    for attempt in (
        shelf.get_item("a"),
        shelf.find_item("a"),
        shelf.tagged.get_items(),
        shelf.update_item("a", lambda item: item),
    ):
        with pytest.raises(CorruptionError) as caught:
            await attempt
        assert caught.value.key == ITEM

    assert (await storage.get(ITEM)).data == damaged
    assert list(await shelf.tagged.get_items(skip_corrupt=True)) == [bookmark("b", 2, "x")]


async def test_a_later_format_is_named() -> None:
    storage = MemoryStorage()
    await storage.put(ITEM, b'{"ssshelf":7,"anything":1}\n')

    with pytest.raises(CorruptionError, match="stored in format 7; this version of ssshelf reads format 1"):
        await Bookmarks(storage).get_item("a")


async def test_a_bucket_that_does_not_exist(moto_url: str) -> None:
    async with S3Storage("no-such-bucket", endpoint_url=moto_url, addressing_style="path") as storage:
        shelf = Bookmarks(storage)
        for attempt in (shelf.get_item("a"), shelf.add_item(bookmark("a")), shelf.every.get_items()):
            with pytest.raises(StoreNotFoundError, match="no bucket 'no-such-bucket'"):
                await attempt


async def test_a_bucket_name_that_cannot_exist(moto_url: str) -> None:
    async with S3Storage("no such bucket", endpoint_url=moto_url) as storage:
        with pytest.raises(ValueError, match="bucket"):
            await storage.get(ITEM)


@pytest.mark.ceph
@pytest.mark.parametrize("wrong", [{"aws_secret_access_key": "wrong-secret"}, {"aws_access_key_id": "wrong-id"}])
async def test_wrong_credentials(ceph_url: str, wrong: dict[str, str]) -> None:
    async with s3_storage(ceph_url):  # the bucket exists
        pass
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "testtest", **wrong}
    options: Any = {"endpoint_url": ceph_url, "addressing_style": "path", **credentials}
    async with S3Storage(BUCKET, **options) as storage:
        shelf = Bookmarks(storage)
        for attempt in (shelf.get_item("a"), shelf.add_item(bookmark("a", 1, "x")), shelf.every.get_items()):
            with pytest.raises(DeniedError, match="credentials") as caught:
                await attempt
            assert "wrong-secret" not in str(caught.value) + repr(caught.value)


async def test_no_credentials(moto_url: str, monkeypatch: pytest.MonkeyPatch, blockbuster: BlockBuster) -> None:
    blockbuster.deactivate()  # botocore looks for files where credentials may be
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with S3Storage(BUCKET, endpoint_url=moto_url, region_name="us-east-1") as storage:
        with pytest.raises(DeniedError, match="AWS_ACCESS_KEY_ID"):
            await storage.get(ITEM)


async def test_an_unreachable_endpoint() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    quick = RetryPolicy(attempts=3, base_s=0.001)
    url = f"http://127.0.0.1:{port}"
    async with S3Storage(BUCKET, endpoint_url=url, addressing_style="path", retries=quick) as storage:
        shelf = Bookmarks(storage)
        async with asyncio.timeout(20):
            for attempt in (shelf.get_item("a"), shelf.insert_item(bookmark("a", 1, "x")), shelf.every.get_items()):
                with pytest.raises(UnavailableError, match=r"Cannot connect") as caught:
                    await attempt
                assert not caught.value.maybe_applied


async def test_a_silent_endpoint_is_given_up() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        options: Any = {"endpoint_url": url, "addressing_style": "path", "read_timeout_s": 0.05}
        async with S3Storage(BUCKET, retries=RetryPolicy(attempts=2, base_s=0.001), **options) as storage:
            with pytest.raises(UnavailableError, match="Timeout"):
                await storage.get(ITEM)


async def test_a_closed_storage(storage: Storage) -> None:
    shelf = Bookmarks(storage)
    await shelf.add_item(bookmark("a"))
    await storage.aclose()

    for attempt in (shelf.get_item("a"), shelf.add_item(bookmark("b", 1, "x")), shelf.every.get_items()):
        with pytest.raises(ValueError, match="closed"):
            await attempt


def test_every_error_of_the_world_is_a_shelf_error() -> None:
    for error in (CorruptionError, DeniedError, StoreNotFoundError, UnavailableError, KeyTooLongError):
        assert issubclass(error, ShelfError)


NO_STORAGES = [5, b"shelf.db", MemoryStorage, ["memory://"]]
TAKE_STORAGES: list[Callable[[Any], object]] = [
    Bookmarks,
    ssshelf.open,
    lambda storage: S3Dict(file_name="config.json", storage=storage),
]


@pytest.mark.parametrize("storage", NO_STORAGES)
@pytest.mark.parametrize("take", TAKE_STORAGES)
def test_what_is_no_storage(take: Callable[[Any], object], storage: Any) -> None:
    with pytest.raises(TypeError, match=r"expected a storage, such as MemoryStorage\(\)"):
        take(storage)


@pytest.mark.parametrize("serializer", [DictItems, 5, None])
def test_what_is_no_serializer(serializer: Any) -> None:
    with pytest.raises(TypeError, match="a serializer is an object with dump and load"):
        ssshelf.open(MemoryStorage(), serializer=serializer)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"default": ["a"]}, TypeError, "default must be a dict, not list"),
        ({"data": "text"}, TypeError, "data must be a dict, not str"),
        ({"merge": "theirs"}, TypeError, "merge must be a function, not str"),
    ],
)
def test_arguments_of_an_s3dict(wrong: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        S3Dict(file_name="config.json", storage=MemoryStorage(), **wrong)
