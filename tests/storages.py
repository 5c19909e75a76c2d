"""The storages that tests run on, by name; ``tests/conftest.py`` makes fixtures of them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.session import AioSession, get_session

from ssshelf.errors import ConflictError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import Capabilities, IfMatch, Storage
from ssshelf.storages.cached import CachedStorage
from ssshelf.storages.counting import CountingStorage
from ssshelf.storages.deferring import DeferringStorage
from ssshelf.storages.dynamodb import DynamoDBStorage
from ssshelf.storages.faulty import FaultyStorage
from ssshelf.storages.hedged import HedgedStorage
from ssshelf.storages.memory import MemoryStorage
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.storages.s3 import S3Storage
from ssshelf.storages.sqlite import SQLiteStorage
from ssshelf.storages.wrapper import WrapperStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ssshelf.storages.probe import Probe

__all__ = [
    "ALL",
    "BUCKET",
    "OVERHEARD_SESSION",
    "SERVERS",
    "SESSION",
    "SHELVES",
    "TABLE",
    "TABLES",
    "LimitedStorage",
    "ceph",
    "dynamodb_storage",
    "open_named",
    "open_requests",
    "overheard_session",
    "s3_storage",
    "servers",
    "unknown_s3_storage",
]

BUCKET = TABLE = "ssshelf-tests"
ceph = pytest.mark.ceph
servers = pytest.mark.servers

SERVERS = ["moto", pytest.param("ceph", marks=ceph), pytest.param("ceph16", marks=servers)]
"""Those that speak S3 and honour conditions."""

TABLES = [pytest.param("dynamodb", marks=servers), pytest.param("dynalite", marks=servers)]
"""Those that speak DynamoDB, with and without transactions; moto does, too, and is slow at it."""

_LOCAL = ["memory", "memory-plain", "sqlite"]
_OTHERS = [pytest.param(name, marks=pytest.mark.shelves) for name in ("ceph16", "dynamodb", "dynalite")]
SHELVES = [*_LOCAL, "moto", pytest.param("ceph", marks=ceph), *_OTHERS]
"""Those that differ in what a manager can rely on."""

WRAPPERS = [
    "cached",
    "cached-sqlite",
    "counting",
    "deferring",
    "faulty",
    "hedged",
    "prefixed",
    "prefixed-plain",
    "prefixed-sqlite",
]
ALL = [*_LOCAL, "moto-aiobotocore", *SERVERS, *TABLES, "moto-dynamodb", *WRAPPERS]


_probes: dict[str, Probe] = {}
_tables: set[str] = set()
SESSION = get_session()  # one for all, since each reads the same files


def overheard_session() -> AioSession:
    """Return a session whose events somebody listens to, for whom aiobotocore has to send all requests."""
    session = get_session()
    session.register("before-send.s3", lambda **_: None)
    return session


OVERHEARD_SESSION = overheard_session()


class LimitedStorage(WrapperStorage):
    """A storage that says of itself what a test wants it to, and whose conditional deletions are as it says."""

    def __init__(self, inner: Storage, **capabilities: Any) -> None:
        super().__init__(inner)
        self._said = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return dataclasses.replace(self.inner.capabilities, **self._said)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is not None and not self.capabilities.conditional_delete:
            msg = "no conditional deletions here"
            raise UnsupportedError(msg)
        try:
            await super().delete(key, condition=condition)
        except ConflictError as error:
            if error.found is not None or self.capabilities.exclusive_delete:
                raise


@contextlib.asynccontextmanager
async def s3_storage(url: str, **options: Any) -> AsyncIterator[S3Storage]:
    """Open a new, empty part of the tests' bucket on the server at ``url``; the server is probed for the first one."""
    if url not in _probes:
        async with unknown_s3_storage(url) as storage:
            _probes[url] = await storage.probe()
    async with unknown_s3_storage(url, **options) as storage:
        storage._trust.learn(_probes[url])
        yield storage


@contextlib.asynccontextmanager
async def unknown_s3_storage(url: str, **options: Any) -> AsyncIterator[S3Storage]:
    """Open a new, empty part of the tests' bucket, of which the storage knows nothing yet."""
    place = {"endpoint_url": url, "region_name": "us-east-1", "addressing_style": "path"}
    async with S3Storage(BUCKET, f"tests/{uuid.uuid4().hex}", **{**place, "session": SESSION, **options}) as storage:
        client = await storage._pool.get()
        with contextlib.suppress(client.exceptions.BucketAlreadyExists):
            await client.create_bucket(Bucket=BUCKET)
        yield storage


@contextlib.asynccontextmanager
async def dynamodb_storage(url: str, **options: Any) -> AsyncIterator[DynamoDBStorage]:
    """Open a new, empty part of the tests' table on the server at ``url``."""
    settings = {"endpoint_url": url, "region_name": "us-east-1", "session": SESSION, **options}
    async with DynamoDBStorage(TABLE, f"tests/{uuid.uuid4().hex}", **settings) as storage:
        if url not in _tables:
            await storage.create_table()
            _tables.add(url)
        yield storage


@contextlib.asynccontextmanager
async def open_named(name: str, request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """Open the storage with this name, empty."""
    if name in ("moto", "ceph", "ceph16"):
        async with s3_storage(request.getfixturevalue(f"{name}_url")) as storage:
            yield storage
        return
    if name == "moto-aiobotocore":
        async with s3_storage(request.getfixturevalue("moto_url"), session=OVERHEARD_SESSION) as storage:
            yield storage
        return
    if name in ("dynamodb", "dynalite", "moto-dynamodb"):
        url = request.getfixturevalue(f"{name.removesuffix('-dynamodb')}_url")
        async with dynamodb_storage(url, transactions=name != "dynalite") as storage:
            if name == "moto-dynamodb":  # it counts bytes as the base64 that they travel in
                storage._capabilities = dataclasses.replace(storage.capabilities, max_value_bytes=290_000)
            yield storage
        return
    async with _local(name, request) as local:
        yield local


def _local(name: str, request: pytest.FixtureRequest) -> Storage:
    path = request.getfixturevalue("tmp_path") / "shelf.db"
    storages: dict[str, Callable[[], Storage]] = {
        "memory": MemoryStorage,
        "memory-plain": lambda: MemoryStorage(transactions=False),
        "sqlite": lambda: SQLiteStorage(path),
        "cached": lambda: CachedStorage(MemoryStorage(), max_age_s=60.0),
        "cached-sqlite": lambda: CachedStorage(SQLiteStorage(path)),
        "hedged": lambda: HedgedStorage(MemoryStorage()),
        "counting": lambda: CountingStorage(MemoryStorage()),
        "deferring": lambda: DeferringStorage(MemoryStorage(transactions=False)),
        "faulty": lambda: FaultyStorage(MemoryStorage()),
        "prefixed": lambda: PrefixedStorage(MemoryStorage(), Key("part", 1)),
        "prefixed-plain": lambda: PrefixedStorage(MemoryStorage(transactions=False), Key("part", 1)),
        "prefixed-sqlite": lambda: PrefixedStorage(SQLiteStorage(path), Key("part")),
    }
    return storages[name]()


def open_requests(storage: S3Storage | DynamoDBStorage) -> int:
    """Return how many connections of this event loop's client are in use."""
    pool = storage._pool if isinstance(storage, S3Storage) else storage._table.pool
    slot = pool._slots.get(asyncio.get_running_loop())
    sessions = slot.client._endpoint.http_session._sessions.values() if slot and slot.client else ()
    return sum(len(session.connector._acquired) for session in sessions)
