"""Servers, credentials and guards for all tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from botocore.handlers import BUILTIN_HANDLERS

from ssshelf.testing.servers import free_ports, moto_server, served
from tests.storages import SHELVES, open_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssshelf.storages.base import Storage

pytest.register_assert_rewrite("ssshelf.testing")

SERVERS = Path(__file__).parent / "servers"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """Let nothing of the developer's own AWS and ssshelf settings reach a test, nor what mocks AWS in the process.

    Some tests import moto, which then listens to each client made later, so that aiobotocore would send all requests.
    """
    BUILTIN_HANDLERS[:] = [handler for handler in BUILTIN_HANDLERS if not handler[1].__module__.startswith("moto.")]
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("AWS_", "SSSHELF_URL")):
                patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Fail when the library blocks the event loop."""
    with blockbuster_ctx("ssshelf") as guard:
        for function in guard.functions.values():  # a test that takes too long shall say so
            function.can_block_in("pytest_timeout.py", "timeout_sigalrm")
            function.can_block_in("coverage/collector.py", "lock_data")
            function.can_block_in("ssshelf/storages/_sqlite_reading.py", "find")  # what blocks for microseconds only
            function.can_block_in("ssshelf/testing/servers.py", {"moto_server", "served"})
        yield guard


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Yield the URL of moto: a quick S3 that is no reference for races, sizes and credentials."""
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def s3rver_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of s3rver, which ignores every condition."""
    with served([SERVERS / "s3rver.sh", "run", tmp_path_factory.mktemp("s3rver")]) as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb_url() -> Iterator[str]:
    """Yield the URL of DynamoDB Local: the DynamoDB of record."""
    with served([SERVERS / "dynamodb.sh", "run", "local"]) as url:
        yield url


@pytest.fixture(scope="session")
def dynalite_url() -> Iterator[str]:
    """Yield the URL of dynalite, a DynamoDB without transactions."""
    with served([SERVERS / "dynamodb.sh", "run", "dynalite"]) as url:
        yield url


@pytest.fixture(scope="session")
def ceph_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Ceph RADOS Gateway 20: the S3 of record."""
    if url := os.environ.get("SSSHELF_CEPH_URL"):
        yield url
        return
    with _ceph("20", tmp_path_factory.mktemp("ceph")) as url:
        yield url


@pytest.fixture(scope="session")
def ceph16_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Ceph RADOS Gateway 16: unquoted ETags, and deletions that ignore conditions."""
    with _ceph("16", tmp_path_factory.mktemp("ceph16")) as url:
        yield url


@contextlib.contextmanager
def _ceph(version: str, directory: Path) -> Iterator[str]:
    script, environment = SERVERS / "ceph.sh", {**os.environ, "CEPH_VERSION": version}
    port, monitor_port = free_ports(2)
    subprocess.run([script, "up", directory, str(port), str(monitor_port)], check=True, env=environment)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([script, "down", directory], check=True, env=environment)


@pytest.fixture(params=SHELVES)
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """Yield an empty storage of each kind that a manager can be on."""
    async with open_named(request.param, request) as opened:
        yield opened
