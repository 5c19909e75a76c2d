"""Eight threads on one blocking shelf: it agrees with their models, nothing hangs, and it ends without a warning.

With SSSHELF_FULL=1 each of them does 10,000 operations; else 150 on SQLite, 40 on moto and 300 on Ceph.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.storages import BUCKET

FULL = bool(os.environ.get("SSSHELF_FULL"))
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(3600 if FULL else 120)


def used_by_threads(url: str, operations: int, *, mode: Sequence[str] = ("-X", "dev")) -> None:
    command = [sys.executable, *mode, "-W", "error", "-m", "tests.integration.threads", url]
    done = subprocess.run(
        [*command, str(10_000 if FULL else operations)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # how long it took
    assert (done.returncode, complaints) == (0, []), done.stderr
    assert done.stdout.endswith("operations, equal to the model\n")


def s3_url(endpoint: str) -> str:
    return f"s3://{BUCKET}-threads/shelf?endpoint_url={endpoint}&addressing_style=path&region=us-east-1"


def test_on_sqlite(tmp_path: Path) -> None:
    used_by_threads(f"sqlite:///{tmp_path}/shelf.db", 150)


def test_on_s3(moto_url: str) -> None:
    used_by_threads(s3_url(moto_url), 40, mode=())  # in that mode aiohttp refuses moto's headers


@pytest.mark.ceph
def test_on_ceph(ceph_url: str) -> None:
    used_by_threads(s3_url(ceph_url), 300)
