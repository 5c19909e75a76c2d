"""A proxy that brings distance to a server on this machine: what a client sends arrives later, answers come at once.

    python -m benchmarks.latency_proxy PORT TARGET_HOST TARGET_PORT MILLISECONDS
    python -m benchmarks.latency_proxy PORT TARGET_HOST TARGET_PORT s3

Each request is delayed by itself, whatever is on the way before it, on this connection or another: distance, not
congestion. Opening a connection is not delayed. ``s3`` draws each delay from a distribution with a heavy tail, as small
objects of a bucket have it, seeded, so that each run meets the same delays: half of them under 15 ms, one in a hundred
over 100 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sys
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_MEDIAN_S = 0.015
_SPREAD = 0.4
_SLOW_ONE_IN = 60
_SLOW_TIMES = 10


def delays(profile: str) -> Callable[[], float]:
    """Return what gives the delay of a request, in seconds: ``profile`` is milliseconds, or ``s3``."""
    if profile != "s3":
        fixed = float(profile) / 1e3
        return lambda: fixed
    dice = random.Random(0)

    def draw() -> float:
        delay = dice.lognormvariate(math.log(_MEDIAN_S), _SPREAD)
        return delay * _SLOW_TIMES if dice.randrange(_SLOW_ONE_IN) == 0 else delay

    return draw


class _Near(asyncio.Protocol):
    """The side of the client; what it sends departs once its delay has passed."""

    def __init__(self, target: tuple[str, int], delay: Callable[[], float]) -> None:
        self._target = target
        self._delay = delay
        self._on_the_way: deque[bytes] = deque()
        self._connecting: asyncio.Task[None] | None = None
        self._far: Any = None
        self._due = 0.0
        self.answered = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._loop = asyncio.get_running_loop()
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            _, far = await self._loop.create_connection(lambda: _Far(self), *self._target)
        except OSError:
            self.transport.close()
        else:
            self._far = far
            for _ in range(len(self._on_the_way)):
                self._loop.call_at(self._due, self._depart)

    def data_received(self, data: bytes) -> None:
        if self.answered:  # the pieces of one request travel together
            self.answered = False
            self._due = max(self._due, self._loop.time() + self._delay())
        self._on_the_way.append(data)
        if self._far is not None:
            self._loop.call_at(self._due, self._depart)

    def _depart(self) -> None:
        """Send the oldest: timers of one moment come in any order."""
        data = self._on_the_way.popleft()
        if data:
            self._far.transport.write(data)
        else:
            self._far.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio says so
        if self._far is not None:
            self._on_the_way.append(b"")
            self._loop.call_at(max(self._due, self._loop.time()), self._depart)
        elif self._connecting is not None:
            self._connecting.cancel()


class _Far(asyncio.Protocol):
    """The side of the server; its answers go on at once."""

    def __init__(self, near: _Near) -> None:
        self._near = near

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._near.answered = True
        self._near.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio says so
        self._near.transport.close()


async def serve(port: int, target_host: str, target_port: int, profile: str) -> None:
    delay = delays(profile)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Near((target_host, target_port), delay), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    port, target_host, target_port, profile = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(port), target_host, int(target_port), profile))
