"""What ``S3Storage`` believes of a store: AWS without asking, of any other what a probe found."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from ssshelf import CManager, Collection, DictItems, Key, RetryPolicy, S3Storage, UnavailableError, UnsupportedError
from ssshelf.storages._s3_trust import AS_DOCUMENTED, is_known
from ssshelf.storages.base import IfAbsent, IfMatch
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.storages.probe import Probe
from tests.bookmarks import Bookmarks, bookmark
from tests.scripted_s3 import ATTEMPTS, OK, error, http, scripted
from tests.storages import BUCKET, unknown_s3_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = Key("a")
DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
ASKED = 32
"""Requests of a probe."""

servers = [
    "moto",
    pytest.param("ceph", marks=pytest.mark.ceph),
    pytest.param("ceph16", marks=pytest.mark.servers),
    pytest.param("s3rver", marks=pytest.mark.servers),
]


@contextlib.asynccontextmanager
async def unknown(name: str, request: pytest.FixtureRequest) -> AsyncIterator[S3Storage]:
    credentials = {"aws_access_key_id": "S3RVER", "aws_secret_access_key": "S3RVER"} if name == "s3rver" else {}
    async with unknown_s3_storage(request.getfixturevalue(f"{name}_url"), **credentials) as storage:
        yield storage


@pytest.fixture
async def moto(moto_url: str) -> AsyncIterator[S3Storage]:
    async with unknown_s3_storage(moto_url) as storage:
        yield storage


@contextlib.asynccontextmanager
async def reopened(storage: S3Storage) -> AsyncIterator[S3Storage]:
    """Another storage object for the same place, of which it knows nothing."""
    async with S3Storage(storage.bucket, storage.prefix, client=await storage._pool.get()) as other:
        yield other


async def sent(storage: S3Storage) -> list[str]:
    """Return the requests that the client of ``storage`` sends from now on, as a list that grows.

    What a server that is busy fails to answer, as moto does now and then, is repeated, and counts once.
    """
    client = await storage._pool.get()
    requests: list[str] = []

    def note(request: Any, **_: Any) -> None:
        requests.append(request.method)

    def forget(http_response: Any, **_: Any) -> None:
        if http_response.status_code >= 500:
            requests.pop()

    client.meta.events.register("before-send.s3", note)
    client.meta.events.register("after-call.s3", forget)
    (await storage._pool.slot()).requests = None  # chosen anew, for a client that is listened to
    return requests


def place_of(url: str) -> Key:
    return Key("meta", "probe", url.removeprefix("http://"))


def documented(name: str) -> dict[str, bool]:
    """Return what the table of docs/design.md says of a server."""
    lines = [line for line in DESIGN.read_text().splitlines() if line.startswith(("| asked |", "| `"))]
    header, *rows = ([cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines)
    column = header.index(name)
    return {row[0]: row[column] == "yes" for row in rows if row[0] in Probe.__dataclass_fields__}


@pytest.mark.parametrize("name", servers)
async def test_what_each_server_does(request: pytest.FixtureRequest, name: str) -> None:
    async with unknown(name, request) as storage:
        probe = await storage.probe()
        if name == "s3rver" and not probe.etag_quoted:  # on a busy machine it may forget a write for a moment
            probe = await storage.probe()

        assert dataclasses.asdict(probe) == documented(name)
        assert storage.capabilities.late_s == (None if name == "moto" else 1800)
        assert storage.capabilities.conditional_put == (name != "s3rver")
        assert storage.capabilities.conditional_delete == (name in ("moto", "ceph"))
        assert storage.capabilities.exclusive_delete == (name == "moto")
        assert [row.key.parts[:2] for row in (await storage.scan(Key())).rows] == [("meta", "probe")]


@pytest.mark.servers
async def test_s3rver_is_refused_and_nothing_is_written(request: Any) -> None:
    async with unknown("s3rver", request) as storage:
        shelf = Bookmarks(storage)  # before anything is known

        with pytest.raises(UnsupportedError, match=r"overwrites an entry .*`await storage.probe"):
            await shelf.add_item(bookmark("a", 1, "x"))
        for attempt in (
            storage.put(KEY, b"", condition=IfAbsent()),
            storage.put(KEY, b"", condition=IfMatch("etag")),
            storage.delete(KEY, condition=IfMatch("etag")),
        ):
            with pytest.raises(UnsupportedError, match="cannot hold items"):
                await attempt
        for refused in (storage, PrefixedStorage(storage, Key("a"))):
            with pytest.raises(UnsupportedError, match="If-None-Match"):
                Bookmarks(refused)

        assert {row.key.parts[0] for row in (await storage.scan(Key())).rows} == {"meta"}


@pytest.mark.servers
async def test_the_spelling_of_an_etag_is_remembered(request: Any) -> None:
    async with unknown("ceph16", request) as storage:
        await storage.probe()
        async with reopened(storage) as other:
            requests = await sent(other)
            etag = await other.put(KEY, b"1", condition=IfAbsent())
            etag = await other.put(KEY, b"2", condition=IfMatch(etag))

            assert requests == ["GET", "PUT", "PUT"]
            with pytest.raises(UnsupportedError, match="cannot delete on condition"):
                await other.delete(KEY, condition=IfMatch(etag))
            assert (await other.get(KEY)).data == b"2"


class Users(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="name")
    by_email = Collection[dict[str, Any]](lambda user: user.get("email"), unique=True)


@pytest.mark.parametrize("name", servers[:3])
async def test_a_manager_may_begin_with_any_write(request: pytest.FixtureRequest, name: str) -> None:
    """Nothing is known of the store, nor whether it has conditional deletions, before the manager relies on it."""
    async with unknown(name, request) as storage:
        await Users(storage).insert_item({"name": "ada", "email": "a@x"})
        async with reopened(storage) as other:
            await Users(other).update_item("ada", lambda user: user.pop("email") and None)
        async with reopened(storage) as other:
            await Users(other).insert_item({"name": "eve", "email": "a@x"})
        async with reopened(storage) as other:
            await Users(other).remove_item("eve")
        async with reopened(storage) as other:
            await Users(other).add_item({"name": "bob", "email": "a@x"})

            assert [user["name"] for user in await Users(other).by_email.get_items()] == ["bob"]
            assert (await Users(other).verify()).is_sound


async def test_a_probe_is_made_once_for_a_bucket_and_read_once_by_each_storage(moto: S3Storage) -> None:
    requests = await sent(moto)
    etag = await moto.put(KEY, b"1", condition=IfAbsent())
    first = len(requests)
    async with reopened(moto) as other:
        await other.put(KEY, b"2", condition=IfMatch(etag))
        await other.put(Key("b"), b"", condition=IfAbsent())

    assert first == 1 + ASKED + 1 + 1  # not remembered; asked; remembered; what was to be done
    assert requests[first:] == ["GET", "PUT", "PUT"]


async def test_only_conditional_writes_ask(moto: S3Storage) -> None:
    requests = await sent(moto)

    await moto.put(KEY, b"1")
    await moto.get(KEY)
    await moto.scan(Key())
    await moto.delete(KEY)
    await moto.delete_many([KEY, Key("b")])

    assert requests == ["PUT", "GET", "GET", "DELETE", "POST"]
    assert moto.capabilities.conditional_put


async def test_a_sweep_knows_how_late_a_write_may_be_before_it_removes_anything(moto: S3Storage) -> None:
    with pytest.raises(UnsupportedError, match="give the grace_s that you know to be long enough"):
        await Bookmarks(moto).sweep()


async def test_first_writes_at_once_ask_once(moto: S3Storage) -> None:
    requests = await sent(moto)

    await asyncio.gather(*(moto.put(Key(number), b"", condition=IfAbsent()) for number in range(16)))

    assert len(requests) == 1 + ASKED + 1 + 16


@pytest.mark.parametrize("remembered", [b"", b"{}", AS_DOCUMENTED.to_json().replace(b":1,", b":0,")])
async def test_a_result_that_cannot_be_read_is_asked_anew(moto: S3Storage, moto_url: str, remembered: bytes) -> None:
    place = place_of(moto_url)
    await moto.put(place, remembered)
    requests = await sent(moto)

    await moto.put(KEY, b"", condition=IfAbsent())

    assert len(requests) == 1 + ASKED + 1 + 1
    assert not Probe.from_json((await moto.get(place)).data).old_signature_refused


async def test_what_another_store_did_is_not_believed_of_this_one(moto: S3Storage) -> None:
    """A bucket may have been copied, with all that is in it."""
    await moto.put(Key("meta", "probe", "s3.example.org"), AS_DOCUMENTED.to_json())

    await moto.put(KEY, b"", condition=IfAbsent())

    assert moto.capabilities.late_s is None


async def test_a_probe_asks_although_a_result_is_remembered(moto: S3Storage, moto_url: str) -> None:
    doubted = dataclasses.replace(AS_DOCUMENTED, if_match_refuses=False)
    await moto.put(place_of(moto_url), doubted.to_json())
    assert await moto.probe(fresh=False) == doubted
    with pytest.raises(UnsupportedError):
        await moto.put(KEY, b"", condition=IfAbsent())

    assert (await moto.probe()).problems != doubted.problems

    await moto.put(KEY, b"", condition=IfAbsent())
    async with reopened(moto) as other:
        assert await other.probe(fresh=False) == await moto.probe(fresh=False) != doubted


async def test_a_wrapper_asks_the_storage_inside(moto: S3Storage) -> None:
    probe = await PrefixedStorage(moto, Key("part")).probe()

    assert probe.etag_quoted
    assert PrefixedStorage(moto, Key("part")).capabilities.late_s is None


@pytest.mark.parametrize("kind", ["put", "delete"])
async def test_a_write_whose_store_does_not_answer_what_is_remembered_was_not_sent(kind: str) -> None:
    async with scripted(lambda *_: error(503, "SlowDown")) as (script, known), unknown_at(script.url) as storage:
        del known
        writes = [
            storage.put(KEY, b"", condition=IfMatch("e1"))
            if kind == "put"
            else storage.delete(KEY, condition=IfMatch("e1"))
            for _ in range(8)
        ]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert script.requests == ["GET"] * ATTEMPTS  # one asked, and for all of them
    assert all(isinstance(outcome, UnavailableError) and not outcome.maybe_applied for outcome in outcomes)


async def test_what_was_not_answered_is_asked_again_by_the_next_write() -> None:
    def answer(_: str, number: int) -> bytes:
        if number <= ATTEMPTS:
            return error(503, "SlowDown")
        return http(200, AS_DOCUMENTED.to_json().decode(), ETag='"e1"') if number == ATTEMPTS + 1 else OK

    async with scripted(answer) as (script, _), unknown_at(script.url) as storage:
        with pytest.raises(UnavailableError):
            await storage.put(KEY, b"", condition=IfAbsent())
        await storage.put(KEY, b"", condition=IfAbsent())

    assert script.requests == ["GET"] * ATTEMPTS + ["GET", "PUT"]


async def test_a_writer_that_gives_up_leaves_the_question_to_the_next() -> None:
    hung = asyncio.Event()

    def answer(method: str, number: int) -> bytes:
        if number == 1:
            hung.set()
            return b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nETag: e\r\n\r\n"
        return http(200, AS_DOCUMENTED.to_json().decode(), ETag='"e1"') if method == "GET" else OK

    async with scripted(answer) as (script, _), unknown_at(script.url) as storage:
        first = asyncio.create_task(storage.put(KEY, b"", condition=IfAbsent()))
        second = asyncio.create_task(storage.put(KEY, b"", condition=IfAbsent()))
        await hung.wait()
        first.cancel()
        await second

        assert first.cancelled()
    assert script.requests == ["GET", "GET", "PUT"]


@contextlib.asynccontextmanager
async def unknown_at(url: str) -> AsyncIterator[S3Storage]:
    retries = RetryPolicy(attempts=ATTEMPTS, base_s=0.001)
    options = {"endpoint_url": url, "addressing_style": "path", "region_name": "us-east-1", "retries": retries}
    async with S3Storage(BUCKET, "tests", **options) as storage:  # type: ignore[arg-type]
        yield storage


@pytest.mark.parametrize("retry", [False, True])
async def test_aws_is_not_asked(retry: bool) -> None:  # noqa: FBT001
    """The first request of a handler that wakes up for one write is that write."""
    async with scripted(lambda *_: OK) as (script, _):
        config = AioConfig(proxies={"http": script.url}, s3={"addressing_style": "path"})
        url = "http://s3.eu-west-1.amazonaws.com"
        async with (
            get_session().create_client("s3", region_name="eu-west-1", endpoint_url=url, config=config) as client,
            S3Storage(BUCKET, "tests", client=client) as storage,
        ):
            await storage.put(KEY, b"", condition=IfAbsent())
            if retry:
                await storage.delete(KEY, condition=IfMatch("e1"))
            assert await storage.probe(fresh=False) == AS_DOCUMENTED

    assert script.requests == ["PUT", "DELETE"][: 1 + retry]
    assert all(f"{url}/{BUCKET}/tests/" in head for head in script.heads)
    assert storage.capabilities.late_s == 1800


@pytest.mark.parametrize(
    ("url", "bucket", "expected"),
    [
        ("https://s3.us-east-1.amazonaws.com", "bucket", True),
        ("https://s3.dualstack.us-gov-west-1.amazonaws.com", "bucket", True),
        ("https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com", "bucket", True),
        ("https://s3.cn-north-1.amazonaws.com.cn", "bucket", True),
        ("https://s3.eusc-de-east-1.amazonaws.eu", "bucket", True),
        ("https://S3.amazonaws.com:443/", "bucket", True),
        ("https://s3express-use1-az4.us-east-1.amazonaws.com", "bucket--use1-az4--x-s3", False),  # lists unordered
        ("https://s3.amazonaws.com.example.org", "bucket", False),
        ("https://fakeamazonaws.com", "bucket", False),
        ("https://minio.example.org/s3.amazonaws.com", "bucket", False),
        ("http://127.0.0.1:9000", "bucket", False),
    ],
)
def test_aws_is_known_by_its_endpoint(url: str, bucket: str, expected: bool) -> None:  # noqa: FBT001
    assert is_known(url, bucket) is expected
