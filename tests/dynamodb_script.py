"""A DynamoDB that answers what a test wants."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["DATE", "Answer", "Asked", "Script", "error", "served_script"]

DATE = "Sat, 21 Nov 2026 12:00:00 GMT"


class Asked(NamedTuple):
    """A request: what for, and with which parameters."""

    target: str
    body: dict[str, Any]


Answer = tuple[int, dict[str, Any]]


class Script:
    """A DynamoDB that answers as it is told; ``None`` hangs up after it has read the request."""

    def __init__(self, answer: Callable[[Asked, int], Answer | bytes | None], date: str = DATE) -> None:
        self.answer = answer
        self.date = date
        self.requests: list[Asked] = []

    @property
    def targets(self) -> list[str]:
        return [request.target for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                target = re.search(r"(?i)x-amz-target: DynamoDB_20120810\.(\w+)", head)
                body = json.loads(await reader.readexactly(int(length[1]) if length else 0))
                request = Asked(target[1] if target else "", body)
                if self.is_registration(request):
                    answer: Answer | bytes | None = (200, {})
                else:
                    self.requests.append(request)
                    answer = self.answer(request, len(self.requests))
                if answer is None:
                    break
                writer.write(answer if isinstance(answer, bytes) else self.packed(*answer))

    def packed(self, status: int, body: dict[str, Any]) -> bytes:
        text = json.dumps(body)
        date = f"Date: {self.date}\r\n" if self.date else ""
        return f"HTTP/1.1 {status} S\r\nx-amzn-RequestId: 1\r\n{date}Content-Length: {len(text)}\r\n\r\n{text}".encode()

    @staticmethod
    def is_registration(request: Asked) -> bool:
        """Whether it is about the directory, which most tests are not."""
        row = request.body.get("Item", request.body.get("Key"))
        return row is not None and row.get("p") == {"S": "@"}


def error(code: str, status: int = 400, message: str = "said", **more: Any) -> Answer:
    return status, {"__type__": code, "__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message, **more}


@contextlib.asynccontextmanager
async def served_script(
    answer: Callable[[Asked, int], Answer | bytes | None], date: str = DATE
) -> AsyncIterator[tuple[Script, str]]:
    """Serve a script, and yield it and its URL."""
    script = Script(answer, date)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    async with server:
        yield script, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
