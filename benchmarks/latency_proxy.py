"""A proxy that brings distance to a server on this machine: what a client sends arrives later, answers come at once.

    python -m benchmarks.latency_proxy PORT TARGET_HOST TARGET_PORT MILLISECONDS

Each burst of bytes is delayed by itself, whatever is on the way before it, on this connection or another: distance,
not congestion. Opening a connection is not delayed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

_BURST_BYTES = 65_536


async def serve(port: int, target_host: str, target_port: int, delay_s: float) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(target_host, target_port)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(_forward(reader, target_writer, delay_s))
            group.create_task(_forward(target_reader, writer, 0))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    await server.serve_forever()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Pass on what is read, and the end of it, each burst ``delay_s`` after it came."""
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def depart() -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_BURST_BYTES):
                on_the_way.put_nowait((loop.time() + delay_s, data))
        on_the_way.put_nowait((loop.time() + delay_s, b""))

    async def arrive() -> None:
        while True:
            due, data = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                return
            writer.write(data)
            await writer.drain()

    with contextlib.suppress(OSError):
        await asyncio.gather(depart(), arrive())
    writer.close()


if __name__ == "__main__":
    port, target_host, target_port, milliseconds = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(port), target_host, int(target_port), float(milliseconds) / 1e3))
