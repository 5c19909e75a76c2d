"""CPU time of one request to S3: by ssshelf, by aiobotocore, by bare aiohttp, and by obstore if there is one.

The server, in a process of its own, answers at once with an object of 300 bytes or a listing of 1,000; what is measured
is the client's process. SSSHELF_BENCH_OBSTORE names a Python that has obstore.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from yarl import URL

from benchmarks.obstore_cpu import cpu_us
from benchmarks.page_of_100 import ENVIRONMENT, free_port, running
from benchmarks.report import in_turns, medians, save, table
from ssshelf import Key, S3Storage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

ROUNDS = 3
REQUESTS = 500
LISTINGS = 20
WORKERS = 16
DATA = b"y" * 300
_ROW = (
    "<Contents><Key>items!/bookmark!/item-{:05}!</Key><LastModified>2026-11-21T18:28:40.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>300</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
LISTING = (
    '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
    f"<IsTruncated>false</IsTruncated>{''.join(map(_ROW.format, range(1000)))}</ListBucketResult>"
).encode()


class Server(asyncio.Protocol):
    """Answers each request at once, as its first line wants."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        self.received = b""
        self.asked = False

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.received) < end + 4 + length:
                if b"100-continue" in head and not self.asked:
                    self.asked = True
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            self.asked = False
            self.received = self.received[end + 4 + length :]
            body = LISTING if b"list-type=2" in head else DATA if head.startswith(b"get") else b""
            self.transport.write(
                b'HTTP/1.1 200 OK\r\nETag: "d41d8cd98f00b204e9800998ecf8427e"\r\nContent-Length: %d\r\n'
                b"Date: Sat, 21 Nov 2026 18:28:40 GMT\r\nx-amz-request-id: tx0\r\n\r\n%b" % (len(body), body)
            )


def serve(port: int) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(main())


def by_ssshelf(storage: S3Storage) -> dict[str, Callable[[str], Awaitable[Any]]]:
    return {
        "GET": lambda name: storage.get(Key("items", name)),
        "PUT": lambda name: storage.put(Key("items", name), DATA),
        "LIST": lambda _: storage.scan(Key("items")),
    }


def by_aiobotocore(client: Any) -> dict[str, Callable[[str], Awaitable[Any]]]:
    async def get(name: str) -> bytes:
        async with (await client.get_object(Bucket="bucket", Key=name))["Body"] as body:
            return bytes(await body.read())

    return {
        "GET": get,
        "PUT": lambda name: client.put_object(Bucket="bucket", Key=name, Body=DATA),
        "LIST": lambda _: client.list_objects_v2(Bucket="bucket", Prefix="items!/"),
    }


def by_aiohttp(session: aiohttp.ClientSession, url: str) -> dict[str, Callable[[str], Awaitable[Any]]]:
    headers = {"authorization": "A" * 200, "x-amz-date": "20261121T000000Z", "x-amz-content-sha256": "e3" * 32}

    async def send(method: str, target: str, data: bytes | None = None) -> bytes:
        request = session.request(method, URL(f"{url}/bucket{target}", encoded=True), headers=headers, data=data)
        async with request as answer:
            return await answer.read()

    return {
        "GET": lambda name: send("GET", f"/{name}"),
        "PUT": lambda name: send("PUT", f"/{name}", DATA),
        "LIST": lambda _: send("GET", "?list-type=2"),
    }


async def measured(url: str) -> dict[str, dict[str, list[float]]]:
    config = AioConfig(max_pool_connections=WORKERS, s3={"addressing_style": "path"})
    async with (
        S3Storage("bucket", endpoint_url=url, addressing_style="path") as storage,
        get_session().create_client("s3", endpoint_url=url, config=config) as client,
        aiohttp.ClientSession() as session,
    ):
        clients: Mapping[str, dict[str, Callable[[str], Awaitable[Any]]]] = {
            "ssshelf": by_ssshelf(storage),
            "aiobotocore": by_aiobotocore(client),
            "aiohttp": by_aiohttp(session, url),
        }
        results = {}
        for kind, requests in (("GET", REQUESTS), ("PUT", REQUESTS), ("LIST", LISTINGS)):
            results[kind] = await in_turns(
                {
                    name: lambda send=of[kind], requests=requests: cpu_us(send, requests, WORKERS)  # type: ignore[misc]
                    for name, of in clients.items()
                },
                ROUNDS,
            )
        return results


def add_obstore(python: str, url: str, results: dict[str, dict[str, list[float]]]) -> None:
    script = Path(__file__).with_name("obstore_cpu.py")
    for _ in range(ROUNDS):
        command = [python, str(script), url, str(REQUESTS), str(WORKERS)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for kind, taken in found.items():
            results[kind].setdefault("obstore", []).append(taken)


def main() -> None:
    for variable, default in ENVIRONMENT.items():
        os.environ.setdefault(variable, default)
    with running(serve, free_port()) as url:
        results = asyncio.run(measured(url))
        if python := os.environ.get("SSSHELF_BENCH_OBSTORE"):
            add_obstore(python, url, results)
    rows = []
    for kind, taken in results.items():
        middle = medians(taken)
        for name, value in middle.items():
            rows.append([f"{kind} {name}", f"{value:,.0f}", f"{value / middle['ssshelf']:.2f}"])
    table("CPU time of a request, microseconds", ["", "median", "of ssshelf's"], rows)
    save("s3_cpu", {"microseconds": results})


if __name__ == "__main__":
    main()
