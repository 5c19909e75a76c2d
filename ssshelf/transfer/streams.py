"""A stream of lines from a file or a pipe, read by a thread, that can tell whether it is the same as another time."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO

from ssshelf.errors import CorruptionError
from ssshelf.keys import Key
from ssshelf.transfer.files import read_lines

__all__ = ["LineStream", "bad_line"]

_LINES_AT_ONCE = 1024
_BYTES_AT_ONCE = 2**23


def bad_line(number: int, reason: str) -> CorruptionError:
    """Return the error of a line that cannot be imported."""
    return CorruptionError(Key(), f"line {number}: {reason}; what came before is stored")


class LineStream:
    """The lines of a file, with a digest of all that were taken.

    Args:
        file: The file, at its beginning; it is not closed.
        compression: One of ``COMPRESSIONS``.

    Attributes:
        number: How many lines were taken.
    """

    def __init__(self, file: IO[bytes], compression: str) -> None:
        self._file = file
        self._compression = compression
        self._lines: Iterator[bytes] = read_lines(file, compression)
        self._digest = hashlib.blake2b(digest_size=16)
        self._failure: Exception | None = None
        self.number = 0

    async def peek(self) -> bytes:
        """Return the first line, before any was taken; nothing if there is none."""
        head = await asyncio.to_thread(self._read, 1)
        self._lines = chain(head, self._lines)
        return b"".join(head)

    async def take(self, most: int | None = None) -> list[bytes]:
        """Return the next lines, some megabytes at most; none at the end.

        Raises:
            CorruptionError: The file is damaged behind the lines that were taken, or was cut short.
        """
        lines = await asyncio.to_thread(self._read, most or _LINES_AT_ONCE)
        if not lines and self._failure is not None:
            is_cut = isinstance(self._failure, EOFError)
            reason = "the file was cut short" if is_cut else f"the file is damaged: {self._failure}"
            raise bad_line(self.number + 1, reason) from self._failure
        for line in lines:
            self._digest.update(line)
        self.number += len(lines)
        return lines

    async def skip(self, count: int, digest: str) -> bool:
        """Take ``count`` lines; return whether they have this digest."""
        while self.number < count and await self.take(min(count - self.number, _LINES_AT_ONCE)):
            pass
        return (self.number, self.digest) == (count, digest)

    def again(self) -> LineStream | None:
        """Return the same lines from the beginning; ``None`` for a pipe."""
        if not self._file.seekable():
            return None
        self._file.seek(0)
        return LineStream(self._file, self._compression)

    @property
    def digest(self) -> str:
        """That of all lines that were taken."""
        return self._digest.hexdigest()

    def _read(self, most: int) -> list[bytes]:
        lines: list[bytes] = []
        size_bytes = 0
        try:
            for line in islice(self._lines, most):
                lines.append(line)
                size_bytes += len(line)
                if size_bytes > _BYTES_AT_ONCE:
                    break
        except (EOFError, OSError, ValueError, zlib.error) as error:
            self._failure = error
        return lines
