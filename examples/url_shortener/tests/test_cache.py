"""The cache in front of the storage."""

from __future__ import annotations

import asyncio

import pytest

from examples.url_shortener.shortener import cache as module
from examples.url_shortener.shortener.cache import FRESH_S, STALE_S, UNKNOWN_S, LinkCache
from examples.url_shortener.shortener.models import Link, Links
from ssshelf import ShelfError
from ssshelf.storages.faulty import Fault, FaultyStorage, Request

from .conftest import Clock


@pytest.fixture
async def links(storage: FaultyStorage, clock: Clock) -> Links:
    links = Links(storage)
    await links.add_item(Link("peps", "https://www.python.org/dev/peps/", clock()))
    storage.requests.clear()
    return links


@pytest.fixture
def cache(links: Links, clock: Clock) -> LinkCache:
    return LinkCache(links, clock.seconds)


def kinds(storage: FaultyStorage) -> list[str]:
    return [request.kind for request in storage.requests]


async def test_a_link_is_read_once(cache: LinkCache, storage: FaultyStorage) -> None:
    found = [await cache.get("peps") for _ in range(3)]

    assert [link and link.slug for link in found] == ["peps"] * 3
    assert kinds(storage) == ["get"]


async def test_who_asks_at_once_asks_once(cache: LinkCache, storage: FaultyStorage) -> None:
    found = await asyncio.gather(*(cache.get("peps") for _ in range(100)))

    assert {link and link.slug for link in found} == {"peps"}
    assert kinds(storage) == ["get"]


async def test_who_gives_up_leaves_the_answer_to_the_others(cache: LinkCache, storage: FaultyStorage) -> None:
    storage.plan = lambda _: 0.001
    first, second = asyncio.create_task(cache.get("peps")), asyncio.create_task(cache.get("peps"))
    await asyncio.sleep(0)
    first.cancel()

    assert await second


async def test_a_link_that_was_removed_leads_nowhere_soon(cache: LinkCache, links: Links, clock: Clock) -> None:
    await cache.get("peps")
    await links.remove_item("peps")

    at_once = await cache.get("peps")
    clock.tick(seconds=FRESH_S)
    later = await cache.get("peps")

    assert (at_once and at_once.slug, later) == ("peps", None)


async def test_a_link_that_was_changed_leads_elsewhere_soon(cache: LinkCache, links: Links, clock: Clock) -> None:
    await cache.get("peps")
    await links.add_item(Link("peps", "https://peps.python.org/", clock()))
    clock.tick(seconds=FRESH_S)

    link = await cache.get("peps")

    assert link
    assert link.url == "https://peps.python.org/"


async def test_a_link_that_is_the_same_is_confirmed(cache: LinkCache, storage: FaultyStorage, clock: Clock) -> None:
    first = await cache.get("peps")
    clock.tick(seconds=FRESH_S)

    assert [await cache.get("peps") is first for _ in range(2)] == [True, True]
    assert kinds(storage) == ["get", "get"]


async def test_an_unknown_slug_is_asked_for_once_in_a_while(
    cache: LinkCache, storage: FaultyStorage, clock: Clock
) -> None:
    answers = [await cache.get("nobody"), await cache.get("nobody")]
    clock.tick(seconds=UNKNOWN_S)
    answers.append(await cache.get("nobody"))

    assert answers == [None, None, None]
    assert kinds(storage) == ["get", "get"]


async def test_a_link_that_is_made_is_known_at_once(cache: LinkCache, links: Links, clock: Clock) -> None:
    assert await cache.get("new") is None
    link = Link("new", "https://example.org/", clock())
    cache.put(link, await links.insert_item(link))

    assert await cache.get("new") == link


async def test_a_link_that_is_made_while_it_is_asked_for_stays_known(
    cache: LinkCache, clock: Clock, storage: FaultyStorage
) -> None:
    storage.plan = lambda request: 0.001 if request.kind == "get" else None
    link = Link("new", "https://example.org/", clock())
    asking = asyncio.create_task(cache.get("new"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cache.put(link, "1-0")
    await asking

    assert await cache.get("new") == link


async def test_a_known_link_survives_an_outage_for_a_while(
    cache: LinkCache, storage: FaultyStorage, clock: Clock
) -> None:
    await cache.get("peps")
    storage.plan = lambda _: Fault.UNSENT
    clock.tick(seconds=STALE_S - 1)

    assert await cache.get("peps")
    asked = len(storage.requests)
    assert await cache.get("peps")
    assert len(storage.requests) == asked  # not with each request
    clock.tick(seconds=FRESH_S)
    with pytest.raises(ShelfError):
        await cache.get("peps")


async def test_nobody_waits_long_for_a_link_to_be_confirmed(
    cache: LinkCache, storage: FaultyStorage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.001)
    await cache.get("peps")
    storage.plan = lambda _: Fault.HANG
    clock.tick(seconds=FRESH_S)

    assert await cache.get("peps")


async def test_a_failure_is_told_to_all_who_wait(cache: LinkCache, storage: FaultyStorage) -> None:
    storage.plan = lambda _: Fault.UNSENT

    failures = await asyncio.gather(*(cache.get("peps") for _ in range(3)), return_exceptions=True)

    assert {type(failure).__name__ for failure in failures} == {"UnavailableError"}
    storage.plan = None
    assert await cache.get("peps")


async def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch, links: Links) -> None:
    monkeypatch.setattr(module, "MOST_LINKS", 3)
    small = LinkCache(links)
    for number in range(10):
        small.put(Link(f"n{number}", "https://example.org/", Clock()()), "1-0")

    assert len(small._known) == 3


async def test_unknown_slugs_push_out_no_link(
    links: Links, clock: Clock, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LINKS", 1)
    monkeypatch.setattr(module, "MOST_UNKNOWN", 1)
    small = LinkCache(links, clock.seconds)
    for slug in ("peps", "a", "b", "c", "peps"):
        await small.get(slug)

    assert len(storage.requests) == 4


async def test_closing_ends_what_is_asked(cache: LinkCache, storage: FaultyStorage) -> None:
    def hang(_: Request) -> Fault:
        return Fault.HANG

    storage.plan = hang
    waiting = asyncio.create_task(cache.get("peps"))
    await asyncio.sleep(0)
    await cache.aclose()

    with pytest.raises(asyncio.CancelledError):
        await waiting
