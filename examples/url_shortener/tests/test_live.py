"""The program as Heroku runs it: the command of the Procfile, on a real store, ended by a signal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from examples.url_shortener.shortener.clicks import ClickCounter
from examples.url_shortener.shortener.models import ClickCounts, Links
from examples.url_shortener.shortener.service import utc_now
from ssshelf import SQLiteStorage
from ssshelf.storages.base import Storage
from tests.storages import BUCKET, s3_storage

from .program import Server, served

TARGET = "https://example.org/"


@dataclass
class Store:
    """A store, by the URL that a program opens it with, and opened for the test."""

    url: str
    storage: Storage

    def links(self) -> Links:
        return Links(self.storage)

    async def clicks(self, slug: str) -> int:
        counter = ClickCounter(ClickCounts(self.storage), utc_now)
        return sum(count for _, count in await counter.by_day(slug, 2))


@pytest.fixture(params=["sqlite", "moto", pytest.param("ceph", marks=pytest.mark.ceph)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        async with SQLiteStorage(tmp_path / "links.db") as storage:
            yield Store(f"sqlite:///{tmp_path / 'links.db'}", storage)
        return
    endpoint = request.getfixturevalue(f"{request.param}_url")
    async with s3_storage(endpoint) as storage:
        options = f"region=us-east-1&addressing_style=path&endpoint_url={endpoint}"
        yield Store(f"s3://{BUCKET}/{storage.prefix}?{options}", storage)


@pytest.fixture
def servers(store: Store, tmp_path: Path) -> Iterator[list[Server]]:
    """Run two processes on one store, as two dynos are."""
    with served(store.url, tmp_path / "log-1") as one, served(store.url, tmp_path / "log-2") as two:
        yield [one, two]


async def test_many_make_and_follow_links_on_two_processes(store: Store, servers: list[Server]) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        makes = [client.post(f"{servers[n % 2].url}/new/", json={"url": f"{TARGET}{n}"}) for n in range(100)]
        made = [answer.json() for answer in await asyncio.gather(*makes)]
        slugs = {one["short_url"].split("/")[-2]: one["original_url"] for one in made}
        follows = {slug: await client.get(f"{servers[n % 2].url}/{slug}/") for n, slug in enumerate(slugs)}

    assert len(slugs) == 100
    assert {slug: answer.headers["location"] for slug, answer in follows.items()} == slugs
    assert [link.slug async for link in store.links().newest.prefix() if link.url != slugs[link.slug]] == []
    assert await store.links().newest.count() == 100
    assert (await store.links().verify()).is_clean


async def test_of_many_who_want_one_slug_on_two_processes_one_gets_it(store: Store, servers: list[Server]) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        wanted = [{"url": f"{TARGET}{number}", "slug": "it"} for number in range(40)]
        makes = [client.post(f"{servers[n % 2].url}/new/", json=link) for n, link in enumerate(wanted)]
        answers = await asyncio.gather(*makes)

    winners = [answer.json()["original_url"] for answer in answers if answer.status_code == 201]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 39
    assert [(await store.links().get_item("it")).url] == winners


async def test_clicks_that_wait_are_saved_when_the_process_is_told_to_end(store: Store, servers: list[Server]) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        await client.post(f"{servers[0].url}/new/", json={"url": TARGET, "slug": "it"})
        answers = await asyncio.gather(*(client.get(f"{servers[n % 2].url}/it/") for n in range(200)))

    ended = [server.end() for server in servers]

    assert {answer.status_code for answer in answers} == {302}
    assert await store.clicks("it") == 200
    assert ended == [True, True]


async def test_behind_a_router_that_speaks_https_links_are_https(servers: list[Server]) -> None:
    headers = {"host": "sho.rt", "x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.5"}
    async with httpx.AsyncClient(timeout=60) as client:
        made = await client.post(f"{servers[0].url}/new/", json={"url": TARGET, "slug": "it"}, headers=headers)

    assert made.json()["short_url"] == "https://sho.rt/it/"
    assert "strict-transport-security" in made.headers


async def test_what_is_no_request_ends_no_process(servers: list[Server]) -> None:
    port = int(servers[0].url.rsplit(":", 1)[1])
    for sent in (b"GET /\x00 HTTP/1.1\r\n\r\n", b"\xff" * 70_000, b"POST /new/ HTTP/1.1\r\nContent-Length: 5\r\n\r\n{"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with httpx.AsyncClient(timeout=60) as client:
        assert (await client.get(f"{servers[0].url}/healthz")).status_code == 200
    assert "Traceback" not in servers[0].log.read_text()
