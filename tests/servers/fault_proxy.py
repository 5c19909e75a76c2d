"""Faults between a client and a server: a proxy on loopback, framing HTTP so that a fault hits one request."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import re
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["Fault", "FaultProxy", "Request"]

_LARGEST_MESSAGE_BYTES = 64 * 2**20
_TRICKLE_PAUSE_S = 0.02
_NO_BODY = (204, 304)


class Fault(enum.Enum):
    """What happens to a request."""

    SLOW_DOWN = "503 SlowDown, not forwarded"
    ERROR_AFTER = "applied, then 500 InternalError"
    CUT_BEFORE = "the connection is reset, nothing was forwarded"
    CUT_AFTER = "applied, then the connection is reset instead of an answer"
    CUT_MIDWAY = "applied, then the connection ends in the middle of the answer"
    SLOW_HEAD = "applied, then answered a byte at a time"
    SLOW_BODY = "applied, then the body of the answer comes a byte at a time"
    SLOW_LINE = "applied, then the answer comes piece by piece, and takes seconds for each MB"
    STALL = "applied, then half of the answer comes, and nothing more"
    HANG = "not forwarded, and never answered"
    LATE = "never answered; forwarded when the test calls ``deliver_late``"
    TWICE = "forwarded twice; the second answer is returned"


_NOT_FORWARDED = {Fault.SLOW_DOWN, Fault.CUT_BEFORE, Fault.HANG, Fault.LATE}
_SILENT = {Fault.STALL, Fault.HANG, Fault.LATE}
_LAST = {Fault.CUT_BEFORE, Fault.CUT_AFTER, Fault.CUT_MIDWAY, *_SILENT}  # of their connection
_PIECES = {Fault.SLOW_HEAD: 1, Fault.SLOW_BODY: 1, Fault.SLOW_LINE: 8 * 1024}


class Request(NamedTuple):
    """A request as a plan sees it."""

    number: int
    method: str
    path: str
    message: bytes


class FaultProxy:
    """A server on ``url`` that hands each request to the one at ``upstream``, unless ``plan`` wants a fault.

    ``requests`` are all that came, in order; ``faults`` counts what was done to them.
    """

    def __init__(self, upstream: str, plan: Callable[[Request], Fault | None] | None = None) -> None:
        host, port = upstream.removeprefix("http://").split(":")
        self._upstream = host, int(port)
        self.plan = plan
        self.requests: list[Request] = []
        self.faults: dict[Fault, int] = dict.fromkeys(Fault, 0)
        self.url = ""
        self._late: list[bytes] = []

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[FaultProxy]:
        """Serve while inside."""
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.create_task(self._serve(_Peer(reader, writer))))

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_LARGEST_MESSAGE_BYTES)
        self.url = "http://{}:{}".format(*server.sockets[0].getsockname())
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def deliver_late(self) -> None:
        """Forward what was held back, in the order it came."""
        while self._late:
            await self._forward(self._late.pop(0))

    async def _forward(self, message: bytes) -> bytes:
        """Return what the server answers, on a connection of its own: a kept one could break by itself."""
        peer = _Peer(*await asyncio.open_connection(*self._upstream, limit=_LARGEST_MESSAGE_BYTES))
        try:
            return await peer.ask(message)
        finally:
            peer.writer.close()

    async def _serve(self, client: _Peer) -> None:
        try:
            while True:
                message = await client.request()
                method, path, _ = message.decode("latin-1").split(" ", 2)
                request = Request(len(self.requests), method, unquote(path), message)
                self.requests.append(request)
                fault = self.plan(request) if self.plan else None
                if fault:
                    self.faults[fault] += 1
                await client.answer(await self._act(message, fault), fault)
                if fault in _LAST:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):  # the client hung up
            pass
        finally:
            client.writer.close()

    async def _act(self, message: bytes, fault: Fault | None) -> bytes:
        if fault is Fault.LATE:
            self._late.append(message)
        if fault in _NOT_FORWARDED:
            return _error(503, "SlowDown")
        answer = await self._forward(message)
        if fault is Fault.TWICE:
            answer = await self._forward(message)
        return _error(500, "InternalError") if fault is Fault.ERROR_AFTER else answer


class _Peer(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> bytes:
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b"\r\nexpect: 100-continue\r\n" in head.lower():  # aiobotocore sends it with each PUT
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = re.sub(rb"(?i)\r\nexpect: 100-continue", b"", head)
        return head + await self._body(head)

    async def ask(self, message: bytes) -> bytes:
        self.writer.write(message)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        return head if message.startswith(b"HEAD ") or status in _NO_BODY else head + await self._body(head)

    async def _body(self, head: bytes) -> bytes:
        if b"\r\ntransfer-encoding: chunked\r\n" in head.lower():
            chunks: list[bytes] = []
            while not chunks or chunks[-1] != b"0\r\n\r\n":
                size = await self.reader.readuntil(b"\r\n")
                chunks.append(size + await self.reader.readexactly(int(size, 16) + 2))
            return b"".join(chunks)
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return await self.reader.readexactly(int(length[1]) if length else 0)

    async def answer(self, answer: bytes, fault: Fault | None) -> None:
        at_once: dict[Fault | None, int] = {
            **dict.fromkeys((Fault.SLOW_HEAD, Fault.SLOW_LINE, Fault.HANG, Fault.LATE), 0),
            Fault.SLOW_BODY: answer.index(b"\r\n\r\n") + 4,
            Fault.CUT_MIDWAY: len(answer) * 9 // 10,
            Fault.STALL: len(answer) // 2,
        }
        begun = at_once.get(fault, len(answer))
        if fault in (Fault.CUT_BEFORE, Fault.CUT_AFTER):
            self.reset()
        else:
            await self.send(answer[:begun])
        if fault in _SILENT:
            await self.reader.read()  # until the client hangs up
        if fault in _PIECES:
            for index in range(begun, len(answer), _PIECES[fault]):
                await asyncio.sleep(_TRICKLE_PAUSE_S)
                await self.send(answer[index : index + _PIECES[fault]])

    async def send(self, answer: bytes) -> None:
        self.writer.write(answer)
        await self.writer.drain()

    def reset(self) -> None:
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def _error(status: int, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>by the fault proxy</Message></Error>"
    return f"HTTP/1.1 {status} {code}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
