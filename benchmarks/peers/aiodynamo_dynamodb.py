"""aiodynamo: a client of DynamoDB that does without botocore; it has no transactions."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import aiohttp
from aiodynamo.client import Client
from aiodynamo.credentials import Credentials
from aiodynamo.expressions import F, HashKey, RangeKey
from aiodynamo.http.aiohttp import AIOHTTP
from dynamodb_requests import DATA, ETAG, LISTED, REGION, TABLE, WRITTEN, name, task
from protocol import same, serve
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def opened(url: str, prefix: str, width: int) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=width)) as session:
        table = Client(AIOHTTP(session), Credentials.auto(), REGION, URL(url)).table(TABLE)

        async def put(number: int) -> None:
            row = {"p": prefix, "k": name(number), "e": ETAG, "s": len(DATA), "d": DATA, "t": WRITTEN}
            await table.put_item(row)

        async def get(number: int) -> None:
            same((await table.get_item({"p": prefix, "k": name(number)}, consistent_read=True))["d"], DATA)

        async def scan(_: int) -> None:
            condition = HashKey("p", prefix) & RangeKey("k").begins_with("items!/things!/")
            projection = F("k") & F("e") & F("s") & F("t")
            page = await table.query_single_page(condition, limit=LISTED, projection=projection, consistent_read=True)
            same(len(page.items), LISTED)

        yield {"put": put, "get": get, "scan": scan}


if __name__ == "__main__":
    serve({"request": task(opened)}, ["aiodynamo", "aiohttp"])
