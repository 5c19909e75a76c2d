"""Counting clicks: none twice, none lost that the README does not give up."""

from __future__ import annotations

import logging
from datetime import date

import httpx
import pytest

from examples.url_shortener.shortener import clicks as module
from examples.url_shortener.shortener.app import create_app
from examples.url_shortener.shortener.clicks import ClickCounter
from examples.url_shortener.shortener.models import ClickCounts
from examples.url_shortener.shortener.service import Shortener
from ssshelf import MemoryStorage, ShelfError
from ssshelf.storages.faulty import Fault, FaultyStorage

from .conftest import BRISK, Clock

TODAY = date(2026, 3, 14)


@pytest.fixture
def counts(storage: FaultyStorage) -> ClickCounts:
    return ClickCounts(storage, retries=BRISK)


@pytest.fixture
def counter(counts: ClickCounts, clock: Clock) -> ClickCounter:
    return ClickCounter(counts, clock)


def click(counter: ClickCounter, times: int, slug: str = "peps") -> None:
    for _ in range(times):
        counter.click(slug)


async def test_clicks_are_items(counter: ClickCounter, counts: ClickCounts) -> None:
    click(counter, 3)
    click(counter, 1, "other")
    await counter.save()
    click(counter, 2)
    await counter.save()

    stored = [(item.link, item.day, item.count) async for item in counts.by_link.prefix()]

    assert sorted(stored) == [("other", TODAY, 1), ("peps", TODAY, 5)]


async def test_saving_nothing_asks_nothing(counter: ClickCounter, storage: FaultyStorage) -> None:
    click(counter, 1)
    await counter.save()
    asked = len(storage.requests)

    await counter.save()

    assert (len(storage.requests), counter.waiting) == (asked, 0)


async def test_processes_count_side_by_side(counter: ClickCounter, counts: ClickCounts, clock: Clock) -> None:
    other = ClickCounter(counts, clock)
    click(counter, 3)
    click(other, 4)
    await counter.save()
    await other.save()

    assert (await counter.by_day("peps", 2)) == [(date(2026, 3, 13), 0), (TODAY, 7)]


async def test_days_end_at_midnight(counter: ClickCounter, clock: Clock) -> None:
    for _ in range(4):
        click(counter, 1)
        clock.tick(hours=8)
    await counter.save()

    assert [count for _, count in await counter.by_day("peps", 2)] == [2, 2]


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST])
async def test_what_could_not_be_saved_is_saved_later_and_once(
    counter: ClickCounter, storage: FaultyStorage, fault: Fault
) -> None:
    click(counter, 3)
    storage.plan = lambda _: fault
    with pytest.raises(ShelfError):
        await counter.save()
    click(counter, 2)
    storage.plan = None
    await counter.save()

    assert (await counter.by_day("peps", 1)) == [(TODAY, 5)]


async def test_what_waits_is_bounded(
    counter: ClickCounter, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COUNTED", 10)
    storage.plan = lambda _: Fault.UNSENT
    for number in range(15):
        click(counter, 2, f"n{number}")

    assert (counter.waiting, counter.dropped) == (10, 10)


async def test_what_is_saved_is_forgotten_and_counts_go_on(
    counter: ClickCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_COUNTED", 4)
    for _ in range(3):
        for number in range(4):
            click(counter, 1, f"n{number}")
        await counter.save()

    assert [(await counter.by_day(f"n{number}", 1))[0][1] for number in range(4)] == [3] * 4
    assert (len(counter._counted), counter.dropped) == (0, 0)


async def test_clicks_are_saved_at_the_end(clock: Clock) -> None:
    class Kept(MemoryStorage):
        async def aclose(self) -> None:
            """Stay open, for the test to look."""

    storage = Kept()
    app = create_app(Shortener(storage, clock=clock))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sho.rt") as client,
    ):
        await client.post("/new/", json={"url": "https://example.org/", "slug": "it"})
        for _ in range(7):
            await client.get("/it/")

    assert (await ClickCounter(ClickCounts(storage), clock).by_day("it", 1)) == [(TODAY, 7)]


async def test_the_end_does_not_wait_for_a_storage_that_is_gone(
    counter: ClickCounter, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.001)
    storage.plan = lambda _: Fault.HANG
    click(counter, 1)

    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        await counter.drain()

    assert "The last clicks of 1 links are lost" in caplog.text


async def test_a_redirect_does_not_wait_for_its_count(
    client: httpx.AsyncClient, shortener: Shortener, storage: FaultyStorage
) -> None:
    await shortener.shorten("https://example.org/", "it")
    storage.plan = lambda _: Fault.HANG

    answers = [await client.get("/it/") for _ in range(3)]
    storage.plan = None

    assert [answer.status_code for answer in answers] == [302] * 3
