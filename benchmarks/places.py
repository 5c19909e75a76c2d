"""Where contestants work: servers on this machine, as near or as distant as a benchmark wants, and a folder."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import botocore.session

from benchmarks.environments import ROOT
from ssshelf.testing.servers import free_ports, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BUCKET = "ssshelf-benchmarks"
SERVERS = ROOT / "tests" / "servers"


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        url: Where.
        pid: Its process, whose descendants belong to it.
    """

    url: str
    pid: int

    def cpu_s(self) -> float:
        """Return how long it has computed."""
        return sum(_cpu_s(pid) for pid in _family(self.pid))


@contextlib.contextmanager
def lean() -> Iterator[Server]:
    with _serving([sys.executable, "-m", "benchmarks.lean_s3"]) as server:
        yield server


@contextlib.contextmanager
def ceph() -> Iterator[Server]:
    script = SERVERS / "ceph.sh"
    subprocess.run([script, "install"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        port, monitor = free_ports(2)
        subprocess.run([script, "up", folder, str(port), str(monitor)], check=True)
        try:
            yield Server(f"http://127.0.0.1:{port}", int(Path(folder, "pid").read_text(encoding="ascii")))
        finally:
            subprocess.run([script, "down", folder], check=True)


@contextlib.contextmanager
def dynamodb() -> Iterator[Server]:
    script = SERVERS / "dynamodb.sh"
    subprocess.run([script, "install", "local"], check=True)
    with _serving([script, "run", "local"]) as server:
        yield server


@contextlib.contextmanager
def distance(server: Server, profile: str) -> Iterator[Server]:
    """Run what makes ``server`` as far as ``profile`` says: see ``latency_proxy``."""
    target = urlsplit(server.url)
    program = 'exec "$0" -m benchmarks.latency_proxy "$4" "$1" "$2" "$3"'
    command = ["sh", "-c", program, sys.executable, str(target.hostname), str(target.port), profile]
    with _serving(command) as proxy:
        yield proxy


STARTERS: dict[str, Callable[[], contextlib.AbstractContextManager[Server]]] = {
    "lean": lean,
    "ceph": ceph,
    "dynamodb": dynamodb,
}
TITLES = {
    "lean": "a server of ours in memory",
    "ceph": "a Ceph RADOS Gateway 20",
    "dynamodb": "DynamoDB Local",
    "disk": "a file on this disk",
    "memory": "memory",
}


def title(place: str) -> str:
    """Return what people read for ``server@profile``."""
    kind, _, profile = place.partition("@")
    distances = {"": "", "0": "", "s3": ", at distances like those of S3"}
    return TITLES[kind] + distances.get(profile, f", {profile} ms away")


class Places:
    """Starts servers when they are first needed, and ends them together."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, Server] = {}

    def find(self, place: str) -> tuple[str, list[Server]]:
        """Return the URL of ``server@profile``, and what runs there; of ``disk``, a new folder."""
        kind, _, profile = place.partition("@")
        if kind == "memory":
            return "memory", []
        if kind == "disk":
            (ROOT / "build").mkdir(exist_ok=True)
            return self._stack.enter_context(tempfile.TemporaryDirectory(dir=ROOT / "build")), []
        if kind not in self._servers:
            self._servers[kind] = self._stack.enter_context(STARTERS[kind]())
            _make_bucket(kind, self._servers[kind].url)
        server = self._servers[kind]
        if not profile:
            return server.url, [server]
        if place not in self._servers:
            self._servers[place] = self._stack.enter_context(distance(server, profile))
        return self._servers[place].url, [server, self._servers[place]]


def _make_bucket(kind: str, url: str) -> None:
    if kind == "ceph":  # the lean one needs none, DynamoDB has tables
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "testtest", "region_name": "us-east-1"}
        botocore.session.get_session().create_client("s3", endpoint_url=url, **keys).create_bucket(Bucket=BUCKET)


@contextlib.contextmanager
def _serving(command: Sequence[str | Path]) -> Iterator[Server]:
    """Run a server whose command ends in the port, until it is no longer needed."""
    (port,) = free_ports(1)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([*command, str(port)], stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
        try:
            wait_for(process, port, output)
            yield Server(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            process.wait()


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                yield from _family(int(child))


def _cpu_s(pid: int) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
