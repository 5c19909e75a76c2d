"""The requests that ssshelf sends to DynamoDB, by hand with aiobotocore."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from dynamodb_requests import DATA, ETAG, LISTED, REGION, TABLE, WRITTEN, name, task
from protocol import same, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def opened(url: str, prefix: str, width: int) -> AsyncIterator[Any]:
    def row(key: str) -> dict[str, Any]:
        written = {"e": {"S": ETAG}, "s": {"N": str(len(DATA))}, "d": {"B": DATA}, "t": {"N": str(WRITTEN)}}
        return {"p": {"S": prefix}, "k": {"S": key}, **written}

    config = AioConfig(max_pool_connections=width)
    async with get_session().create_client("dynamodb", endpoint_url=url, region_name=REGION, config=config) as client:

        async def put(number: int) -> None:
            await client.put_item(TableName=TABLE, Item=row(name(number)))

        async def get(number: int) -> None:
            key = {"p": {"S": prefix}, "k": {"S": name(number)}}
            answer = await client.get_item(TableName=TABLE, Key=key, ConsistentRead=True)
            same(answer["Item"]["d"]["B"], DATA)

        async def transact(number: int) -> None:
            puts = [{"Put": {"TableName": TABLE, "Item": row(f"others-{number}-{part}")}} for part in range(4)]
            await client.transact_write_items(TransactItems=puts, ClientRequestToken=uuid.uuid4().hex)

        async def scan(_: int) -> None:
            bounds = {":p": prefix, ":low": "items!/things!/", ":high": "items!/things!0"}
            answer = await client.query(
                TableName=TABLE,
                ConsistentRead=True,
                Limit=LISTED,
                KeyConditionExpression="p = :p AND k BETWEEN :low AND :high",
                ProjectionExpression="k, e, s, t",
                ExpressionAttributeValues={bound: {"S": value} for bound, value in bounds.items()},
            )
            same(len(answer["Items"]), LISTED)

        yield {"put": put, "get": get, "transact": transact, "scan": scan}


if __name__ == "__main__":
    serve({"request": task(opened)}, ["aiobotocore", "aiohttp"])
