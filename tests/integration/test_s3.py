"""What ``S3Storage`` does beyond the contract: clients, connections, and each request that is sent."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest
from aiobotocore.session import get_session

from ssshelf import DeniedError, Key, NotFoundError, S3Storage, ShelfError, UnavailableError
from ssshelf.storages.base import IfAbsent, IfMatch
from tests.bookmarks import Bookmarks, assert_in_step, bookmark
from tests.scripted_s3 import OK, error, http, scripted, storage_at
from tests.storages import BUCKET, s3_storage

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Key("a")


async def test_a_conditional_write_is_sent_once_even_on_a_broken_connection() -> None:
    def answer(_: str, number: int) -> bytes | None:
        return OK if number == 1 else None  # the second request finds a kept-alive connection, which then breaks

    async with scripted(answer) as (script, storage):
        await storage.put(KEY, b"")
        for condition in (IfAbsent(), IfMatch("e1")):
            with pytest.raises(UnavailableError) as caught:
                await storage.put(KEY, b"", condition=condition)
            assert caught.value.maybe_applied

    assert script.requests == ["PUT"] * 3


async def test_other_requests_are_repeated_a_bounded_number_of_times() -> None:
    async with scripted(lambda *_: error(503, "SlowDown")) as (script, storage):
        for request in (
            storage.get(KEY),
            storage.put(KEY, b""),
            storage.delete(KEY),
            storage.delete_many([KEY, Key("b")]),
            storage.scan(KEY),
        ):
            with pytest.raises(UnavailableError, match="503 SlowDown"):
                await request

    assert script.requests == [method for method in ("GET", "PUT", "DELETE", "POST", "GET") for _ in range(3)]


async def test_a_repetition_that_succeeds_is_enough() -> None:
    def answer(_: str, number: int) -> bytes | None:
        return [error(500, "InternalError"), None, http(200, "data", ETag='"e1"')][number - 1]

    async with scripted(answer) as (script, storage):
        assert (await storage.get(KEY)).data == b"data"

    assert script.requests == ["GET"] * 3


async def test_a_write_sends_its_data_at_once() -> None:
    async with scripted(lambda *_: OK) as (script, storage):
        await storage.put(KEY, b"data")

    assert "expect:" not in script.heads[0].lower()


@pytest.mark.parametrize("status", [409, 500, 503])
async def test_an_unclear_answer_to_a_conditional_write_is_no_conflict(status: int) -> None:
    async with scripted(lambda *_: error(status, "ConditionalRequestConflict")) as (_, storage):
        with pytest.raises(UnavailableError) as caught:
            await storage.put(KEY, b"", condition=IfAbsent())

    assert caught.value.maybe_applied


async def test_who_loses_a_race_on_ceph_knows_that_nothing_was_written() -> None:
    async with scripted(lambda *_: error(409, "ConcurrentModification")) as (_, storage):
        with pytest.raises(UnavailableError) as caught:
            await storage.put(KEY, b"", condition=IfMatch("e1"))

    assert not caught.value.maybe_applied


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", DeniedError),
        (400, "ExpiredToken", DeniedError),
        (400, "InvalidRequest", ShelfError),
        (404, "NoSuchKey", NotFoundError),
    ],
)
async def test_an_answer_that_will_not_change_is_not_asked_for_twice(
    status: int, code: str, kind: type[Exception]
) -> None:
    async with scripted(lambda *_: error(status, code)) as (script, storage):
        with pytest.raises(kind):
            await storage.get(KEY)

    assert script.requests == ["GET"]


async def test_a_body_that_is_cut_is_read_again() -> None:
    whole = http(200, "whole", ETag='"e1"', Connection="close")

    async with scripted(lambda _, number: whole[:-3] if number == 1 else whole) as (script, storage):
        assert (await storage.get(KEY)).data == b"whole"

    assert script.requests == ["GET"] * 2


async def test_an_answer_that_is_no_listing_is_asked_for_again() -> None:
    async with scripted(lambda *_: http(200, "<html><p>Please log in to this network")) as (script, storage):
        with pytest.raises(UnavailableError):
            await storage.scan(Key())

    assert script.requests == ["GET"] * 3


async def test_more_than_a_thousand_deletions_are_split() -> None:
    async with scripted(lambda *_: http(200, "<DeleteResult/>")) as (script, storage):
        await storage.delete_many([Key(number) for number in range(2001)])

    assert script.requests == ["POST"] * 3


async def test_a_deletion_that_fails_among_others_is_reported() -> None:
    body = "<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    async with scripted(lambda *_: http(200, body)) as (_, storage):
        with pytest.raises(DeniedError):
            await storage.delete_many([KEY, Key("b")])


async def test_nothing_is_sent_that_the_store_cannot_take() -> None:
    async with scripted(lambda *_: OK) as (script, storage):
        with pytest.raises(NotFoundError):
            await storage.get(Key("k" * 1100))
        with pytest.raises(NotFoundError):
            await storage.get_changed(Key("k" * 1100), "e1")
        with pytest.raises(ValueError, match="1018 is the most"):
            await storage.put(Key("k" * 1100), b"")

    assert script.requests == []


async def test_the_secret_is_in_no_text() -> None:
    credentials = {"aws_access_key_id": "id", "aws_secret_access_key": "hush"}
    denied = error(403, "SignatureDoesNotMatch")
    async with scripted(lambda *_: denied) as (script, _), storage_at(script.url, **credentials) as storage:
        with pytest.raises(DeniedError) as caught:
            await storage.get(KEY)

        assert "hush" not in f"{storage!r} {caught.value} {caught.value!r} {caught.value.__cause__!r}"


async def test_prefixes_that_start_alike_are_apart(moto_url: str) -> None:
    async with (
        s3_storage(moto_url) as made,
        storage_at(moto_url, f"{made.prefix}/1") as one,
        storage_at(moto_url, f"{made.prefix}/10") as ten,
    ):
        await one.put(KEY, b"1")
        await ten.put(Key("b"), b"10")

        assert [row.key for row in (await one.scan(Key())).rows] == [KEY]
        assert [row.key for row in (await ten.scan(Key())).rows] == [Key("b")]


async def test_the_pool_has_the_size_of_the_concurrency(moto_url: str) -> None:
    async with storage_at(moto_url, concurrency=7) as storage:
        client = await storage._pool.get()

        assert client.meta.config.max_pool_connections == 7
        assert client.meta.config.retries["total_max_attempts"] == 1
        assert client.meta.config.request_checksum_calculation == "when_required"
        assert client.meta.config.s3["addressing_style"] == "path"


@pytest.mark.parametrize("session", [get_session, aioboto3.Session], ids=["aiobotocore", "aioboto3"])
async def test_a_session_may_be_given(moto_url: str, session: Callable[[], Any], blockbuster: Any) -> None:
    blockbuster.deactivate()  # aioboto3 reads its files in the loop
    async with s3_storage(moto_url) as made, storage_at(moto_url, made.prefix, session=session()) as storage:
        shelf = Bookmarks(storage)
        await shelf.add_item(bookmark("a", 1, "x"))

        await assert_in_step(Bookmarks(made), [bookmark("a", 1, "x")])


async def test_a_client_that_was_given_stays_open(moto_url: str) -> None:
    async with s3_storage(moto_url) as made:
        client = await made._pool.get()
        async with S3Storage(BUCKET, made.prefix, client=client) as storage:
            await Bookmarks(storage).add_item(bookmark("a", 1, "x"))

        await assert_in_step(Bookmarks(made), [bookmark("a", 1, "x")])


async def test_first_uses_at_once_make_one_client(moto_url: str) -> None:
    async with s3_storage(moto_url) as made, storage_at(moto_url, made.prefix) as storage:
        clients = await asyncio.gather(*(storage._pool.get() for _ in range(8)))

        assert len(set(map(id, clients))) == 1


def test_each_event_loop_has_a_client_of_its_own(moto_url: str) -> None:
    async def one() -> S3Storage:
        async with s3_storage(moto_url) as made:
            return storage_at(moto_url, made.prefix)

    with asyncio.Runner() as first, asyncio.Runner() as second:
        storage = first.run(one())
        first.run(storage.put(KEY, b"1"))
        assert second.run(storage.get(KEY)).data == b"1"
        assert first.run(storage._pool.get()) is not second.run(storage._pool.get())
        second.run(close_here(storage))
        first.run(storage.aclose())


async def close_here(storage: S3Storage) -> None:
    slot = storage._pool._slots.pop(asyncio.get_running_loop())
    await slot.stack.aclose()


async def test_closing_also_closes_the_client_of_a_loop_in_another_thread(moto_url: str) -> None:
    async with s3_storage(moto_url) as made:
        storage = storage_at(moto_url, made.prefix)
    used, closed = threading.Event(), threading.Event()

    async def elsewhere() -> None:
        await storage.put(KEY, b"1")
        used.set()
        await asyncio.to_thread(closed.wait)

    thread = asyncio.create_task(asyncio.to_thread(asyncio.run, elsewhere()))
    await asyncio.to_thread(used.wait)
    await storage.aclose()
    closed.set()
    await thread

    assert not storage._pool.is_open


def test_closing_does_not_wait_for_a_loop_that_does_not_run(moto_url: str) -> None:
    async def make() -> S3Storage:
        async with s3_storage(moto_url) as made:
            return storage_at(moto_url, made.prefix)

    with asyncio.Runner() as idle:
        storage = idle.run(make())
        idle.run(storage.put(KEY, b"1"))
        client = idle.run(storage._pool.get())
        asyncio.run(asyncio.wait_for(storage.aclose(), 10))
        idle.run(client.close())

    assert not storage._pool.is_open


def test_a_loop_that_ended_with_its_client_open_is_named(moto_url: str) -> None:
    async def use(storage: S3Storage) -> None:
        await storage.put(KEY, b"1")

    async def make() -> S3Storage:
        async with s3_storage(moto_url) as made:
            return storage_at(moto_url, made.prefix)

    async def use_and_close(storage: S3Storage) -> None:
        async with storage:
            await use(storage)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        storage = asyncio.run(make())
        asyncio.run(use(storage))
        asyncio.run(use_and_close(storage))
        gc.collect()
        messages = [str(warning.message) for warning in caught]

    assert any("before its event loop ended" in message for message in messages)


def test_a_forgotten_storage_warns(moto_url: str) -> None:
    async def forget() -> None:
        async with s3_storage(moto_url) as made:
            prefix = made.prefix
        storage = storage_at(moto_url, prefix)
        await storage.put(KEY, b"1")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(forget())
        gc.collect()

        messages = [str(warning.message) for warning in caught]
        caught.clear()  # what warned, which aiohttp complains of as well
        gc.collect()

    assert any("was never closed: use `async with`" in message for message in messages)


def test_a_storage_that_was_never_used_needs_no_closing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        S3Storage("bucket")
        gc.collect()
