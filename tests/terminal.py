"""A process on a terminal of its own: what a person would see, and type."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import dataclass
from fcntl import ioctl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Terminal", "seen_on", "terminal", "window"]

_CODES = re.compile(
    r"[^\n]*\n(\x1b\[\?25h)?\r?\x1b\[1A\x1b\[2K"  # a line that was gone back to and erased
    r"|[^\n]*\x1b\[2K"  # what stood in a line before it was erased
    r"|\x1b\[[0-9;?]*[A-Za-z]"
)


@dataclass
class Terminal:
    """The process, the end of its terminal where the person is, and what has come out there."""

    process: subprocess.Popen[bytes]
    leader: int
    seen: str = ""

    def read(self) -> bool:
        """Read what comes next; return whether anything did before the process ended."""
        data = _next(self.leader)
        self.seen += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, text: str) -> None:
        """Read until ``text`` has come."""
        while text not in self.seen:
            assert self.read(), self.seen

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.leader, text.encode())

    def ended(self) -> tuple[int, str]:
        """Return the exit code and what is on the terminal, without what was erased again."""
        while self.read():
            pass
        return self.process.wait(), _plain(self.seen)


@contextlib.contextmanager
def terminal(command: Sequence[str], columns: int = 80) -> Iterator[Terminal]:
    """Run a command on a terminal; it is killed in the end if it still runs."""
    leader, follower = pty.openpty()
    window(follower, columns)
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("COLUMNS", None)

    def lead() -> None:
        os.setsid()
        ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        preexec_fn=lead,  # noqa: PLW1509  it touches nothing that a thread may hold
    )
    os.close(follower)
    try:
        yield Terminal(process, leader)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def window(follower: int, columns: int) -> None:
    """Make a terminal so wide."""
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def seen_on(leader: int) -> str:
    """Return all that comes out of a terminal until nobody has it any more, without what was erased again."""
    seen = b""
    while data := _next(leader):
        seen += data
    return _plain(seen.decode())


def _next(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # Linux says so when nobody has the other end open
        return b""


def _plain(seen: str) -> str:
    return _CODES.sub("", seen.replace("\r\n", "\n"))
