"""Large shelves go to a bucket and back, and are the same; ITEMS=10000 takes some minutes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ssshelf import SQLiteStorage
from tests.moving import copied, everything, seated
from tests.storages import SERVERS, s3_storage

if TYPE_CHECKING:
    from pathlib import Path

ITEMS = int(os.environ.get("ITEMS", "50"))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("server", SERVERS)
async def test_from_sqlite_to_a_bucket_and_back(request: pytest.FixtureRequest, server: str, tmp_path: Path) -> None:
    url = request.getfixturevalue(f"{server}_url")
    async with SQLiteStorage(tmp_path / "a.db") as source, SQLiteStorage(tmp_path / "b.db") as back:
        await seated(source, ITEMS)
        async with s3_storage(url) as bucket:
            there = await copied(source, bucket)
            here = await copied(bucket, back)

            assert (there.is_complete, there.verified) == (True, ITEMS + 1)
            assert (here.is_complete, here.verified) == (True, ITEMS + 1)
        assert await everything(back) == await everything(source)
