"""What the first request of a process costs: on S3, that request and nothing else."""

from __future__ import annotations

import pytest

from ssshelf import CManager, DictItems, NotFoundError, S3Storage
from tests.servers.fault_proxy import FaultProxy
from tests.storages import BUCKET, s3_storage


class Things(CManager[dict[str, str]]):
    item_manager = DictItems(pk="id", name="things")


async def test_a_first_get_is_one_request(moto_url: str) -> None:
    async with s3_storage(moto_url) as storage, FaultProxy(moto_url).serving() as proxy:
        await Things(storage).add_item({"id": "a"})
        place = f"s3://{BUCKET}/{storage.prefix}?endpoint_url={proxy.url}&region=us-east-1&addressing_style=path"
        async with S3Storage.from_url(place) as cold:
            things = Things(cold)
            assert not cold._pool.is_open
            assert await things.get_item("a") == {"id": "a"}
            with pytest.raises(NotFoundError):
                await things.get_item("b")

    assert [request.method for request in proxy.requests] == ["GET", "GET"]
