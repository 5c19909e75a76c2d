"""Requests by aiohttp alone, which only a server that checks no signatures answers: no client on it can take less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
from protocol import at_once, same, serve
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATA = b"x" * 300
HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20240101/us-east-1/s3/aws4_request, "
    f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={'0' * 64}",
    "x-amz-content-sha256": "0" * 64,
    "x-amz-date": "20240101T000000Z",
}


async def request(*, url: str, prefix: str, kind: str, count: int, width: int) -> AsyncIterator[Any]:
    connector = aiohttp.TCPConnector(limit=width)
    async with aiohttp.ClientSession(connector=connector, headers=HEADERS, auto_decompress=False) as session:
        bucket = f"{url}/ssshelf-benchmarks"

        async def send(method: str, target: str, data: bytes | None = None) -> bytes:
            async with session.request(method, URL(f"{bucket}{target}", encoded=True), data=data) as answer:
                body = await answer.read()
            same(answer.status, 200)
            return body

        async def put(number: int) -> None:
            await send("PUT", f"/{prefix}/{number}", DATA)

        async def get(number: int) -> None:
            same(await send("GET", f"/{prefix}/{number}"), DATA)

        async def scan(_: int) -> None:
            found = await send("GET", f"?list-type=2&prefix={prefix}/")
            same(found.count(b"<Key>"), 1000)

        requests = {"put": put, "get": get, "scan": scan}
        await at_once(max(count, 1000), 16, put)

        async def work() -> int:
            return await at_once(count, width, requests[kind])

        yield work


if __name__ == "__main__":
    serve({"request": request}, ["aiohttp"])
