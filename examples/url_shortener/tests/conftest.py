"""A shortener in memory, whose time the tests own, and a client that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from examples.url_shortener.shortener.app import create_app
from examples.url_shortener.shortener.service import Shortener
from ssshelf import MemoryStorage, RetryPolicy
from ssshelf.storages.base import Storage
from ssshelf.storages.faulty import FaultyStorage
from tests.conftest import ceph_url, environment, moto_url

__all__ = ["ceph_url", "environment", "moto_url"]


BRISK = RetryPolicy(attempts=2, base_s=0)


class Clock:
    """The time, which passes when a test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 14, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def tick(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[True, False], ids=["transactions", "plain"])
def storage(request: pytest.FixtureRequest) -> FaultyStorage:
    """Return an empty storage that does what a database does, or only what a bucket does; and fails if it is told."""
    return FaultyStorage(MemoryStorage(transactions=request.param))


@pytest.fixture
def shortener(storage: Storage, clock: Clock) -> Shortener:
    return Shortener(storage, clock=clock, retries=BRISK)


@pytest.fixture
async def app(shortener: Shortener) -> AsyncIterator[FastAPI]:
    app = create_app(shortener)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sho.rt") as client:
        yield client
