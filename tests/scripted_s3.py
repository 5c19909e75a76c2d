"""A server that answers as it is told, and storages on it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ssshelf import RetryPolicy, S3Storage
from ssshelf.storages._s3_trust import AS_DOCUMENTED
from tests.storages import BUCKET

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

__all__ = ["ATTEMPTS", "OK", "ScriptedS3", "error", "http", "scripted", "storage_at"]

ATTEMPTS = 3


@dataclass
class ScriptedS3:
    """A server that answers as it is told; ``None`` hangs up after it has read the request."""

    answer: Callable[[str, int], bytes | None]
    requests: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                method = head.split(" ", 1)[0]
                self.requests.append(method)
                self.heads.append(head)
                answer = self.answer(method, len(self.requests))
                if answer is None:
                    break
                writer.write(answer)
                if b"Connection: close" in answer:
                    break


def http(status: int, body: str = "", **headers: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Status", *lines, "", body]).encode()


def error(status: int, code: str) -> bytes:
    return http(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>")


OK = http(200, ETag='"e1"')


@contextlib.asynccontextmanager
async def scripted(
    answer: Callable[[str, int], bytes | None], *, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncIterator[tuple[ScriptedS3, S3Storage]]:
    script = ScriptedS3(answer)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, ssl=tls)
    script.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, storage_at(script.url, **options) as storage:
        yield script, storage


def storage_at(url: str, prefix: str = "tests", **options: Any) -> S3Storage:
    settings = {
        "endpoint_url": url,
        "addressing_style": "path",
        "region_name": "us-east-1",
        "retries": RetryPolicy(attempts=ATTEMPTS, base_s=0.001),
    }
    storage = S3Storage(BUCKET, prefix, **{**settings, **options})
    storage._trust.learn(AS_DOCUMENTED)  # test_s3_trust.py is about those of which nothing is known
    return storage
