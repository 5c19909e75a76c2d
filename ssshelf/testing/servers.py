"""Servers on this machine, for the time of a test run."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

__all__ = ["free_ports", "moto_server", "served", "wait_for"]

_STARTS_WITHIN_S = 60


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run moto, an S3 in memory, in a process of its own, and yield its URL; it accepts any credentials.

    Raises:
        ModuleNotFoundError: moto's server is not installed.
    """
    for module in ("moto", "flask"):
        if importlib.util.find_spec(module) is None:
            msg = "an S3 for tests needs moto and an S3 client: pip install 'ssshelf[testing]'"
            raise ModuleNotFoundError(msg, name=module)
    with served([sys.executable, "-m", "ssshelf.testing._moto"]) as url:
        yield url


@contextlib.contextmanager
def served(command: Sequence[str | Path]) -> Iterator[str]:
    """Run a server whose command ends in the port, wait until it listens, and yield its URL.

    Raises:
        RuntimeError: It did not start; the message has what it printed.
    """
    (port,) = free_ports(1)
    with tempfile.TemporaryFile() as output:
        server = subprocess.Popen([*command, str(port)], stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            wait_for(server, port, output)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def wait_for(server: subprocess.Popen[bytes], port: int, output: IO[bytes]) -> None:
    """Return as soon as a server that was started listens.

    Args:
        server: Its process.
        port: Where it is to listen.
        output: The file that it prints to.

    Raises:
        RuntimeError: It does not; the message has what it printed.
    """
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    output.seek(0)
    msg = f"the server did not start:\n{output.read().decode(errors='replace')}"
    raise RuntimeError(msg)
