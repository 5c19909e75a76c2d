"""Fixtures of pytest for programs that use ssshelf; installing ssshelf is enough to have them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ssshelf.storages.counting import CountingStorage
    from ssshelf.storages.faulty import FaultyStorage
    from ssshelf.storages.memory import MemoryStorage
    from ssshelf.storages.s3 import S3Storage

__all__ = ["ssshelf_counting_storage", "ssshelf_faulty_storage", "ssshelf_s3", "ssshelf_storage"]


@pytest.fixture
def ssshelf_storage() -> MemoryStorage:
    """A new, empty storage in memory that behaves like a bucket: ``Bookmarks(ssshelf_storage)``."""
    from ssshelf.storages.memory import MemoryStorage  # noqa: PLC0415  a run that uses no fixture imports nothing

    return MemoryStorage(transactions=False)


@pytest.fixture
def ssshelf_faulty_storage(ssshelf_storage: MemoryStorage) -> FaultyStorage:
    """``ssshelf_storage`` behind faults: its ``plan`` says what happens to each request, ``fail_at(0, Fault.LOST)``."""
    from ssshelf.storages.faulty import FaultyStorage  # noqa: PLC0415

    return FaultyStorage(ssshelf_storage)


@pytest.fixture
def ssshelf_counting_storage(ssshelf_storage: MemoryStorage) -> CountingStorage:
    """``ssshelf_storage`` with a count of what it is asked for: ``counts``, ``steps``, ``reset()``."""
    from ssshelf.storages.counting import CountingStorage  # noqa: PLC0415

    return CountingStorage(ssshelf_storage)


@pytest.fixture(scope="session")
def _ssshelf_moto() -> Iterator[str]:
    from ssshelf.testing.servers import moto_server  # noqa: PLC0415

    with moto_server() as url:
        yield url


@pytest.fixture
def ssshelf_s3(_ssshelf_moto: str) -> Callable[[], AbstractAsyncContextManager[S3Storage]]:
    """Opens an ``S3Storage`` in a new bucket of a moto server; needs ``ssshelf[testing]``.

    Use it as ``async with ssshelf_s3() as storage``. The server runs from its first use to the end of the test run.
    """
    from ssshelf.storages._s3_trust import AS_DOCUMENTED  # noqa: PLC0415
    from ssshelf.storages.s3 import S3Storage  # noqa: PLC0415

    @asynccontextmanager
    async def opened() -> AsyncIterator[S3Storage]:
        async with S3Storage(
            f"ssshelf-{uuid.uuid4().hex}",
            endpoint_url=_ssshelf_moto,
            region_name="us-east-1",
            addressing_style="path",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  moto accepts any
        ) as storage:
            await (await storage._client()).create_bucket(Bucket=storage.bucket)
            storage._trust.learn(AS_DOCUMENTED)  # moto stands for AWS, which is not probed
            yield storage

    return opened
