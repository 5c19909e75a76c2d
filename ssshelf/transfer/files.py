"""Files of lines, compressed or not: written in pieces that each stand for themselves, so that writing can go on."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from ssshelf._zstd import load_zstd

try:
    import fcntl
except ModuleNotFoundError:  # not on this system: nobody notices two exports to one file
    fcntl = None  # type: ignore[assignment]

__all__ = ["COMPRESSIONS", "PartFile", "Sink", "Stream", "compress", "compression_of", "read_lines"]

COMPRESSIONS = ("none", "gz", "zst")


def compression_of(name: str) -> str:
    """Return how a file of this name is compressed, by its suffix."""
    suffix = name.rpartition(".")[2]
    return suffix if suffix in COMPRESSIONS[1:] else COMPRESSIONS[0]


def compress(data: bytes, compression: str) -> bytes:
    """Return one piece of a file: a member of gzip, or a frame of Zstandard; the decompressors read many in a row.

    Raises:
        ModuleNotFoundError: An extra is missing.
    """
    if compression == "gz":
        return gzip.compress(data, compresslevel=6, mtime=0)
    return bytes(load_zstd().compress(data)) if compression == "zst" else data


def read_lines(file: IO[bytes], compression: str) -> Iterator[bytes]:
    """Yield the lines of a file.

    Raises:
        EOFError: It is compressed, and was cut short; all lines before were yielded.
        OSError, ValueError: It is damaged, or not compressed like that.
    """
    if compression == "gz":
        return iter(io.BufferedReader(gzip.GzipFile(fileobj=file)))
    if compression == "zst":
        zstd = load_zstd()
        return _mapping(io.BufferedReader(zstd.ZstdFile(file)), zstd.ZstdError)
    return iter(file)


def _mapping(lines: Iterable[bytes], error: type[Exception]) -> Iterator[bytes]:
    try:
        yield from lines
    except error as cause:
        raise ValueError(str(cause)) from cause


class Sink(Protocol):
    """Where the pieces of a file go."""

    @abstractmethod
    def resume(self, source: str) -> dict[str, Any] | None:
        """Open it, and return what was noted with the last piece that came from ``source``; ``None`` begins anew."""

    @abstractmethod
    def write(self, data: bytes, state: dict[str, Any]) -> None:
        """Append a piece, and note ``state`` with it."""

    @abstractmethod
    def finish(self) -> None:
        """Say that it is whole."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it, whole or not."""


class Stream(Sink):
    """A pipe or a terminal: what was sent is gone, and what is cut off is begun anew."""

    def __init__(self, file: IO[bytes], compression: str) -> None:
        self._file = file
        self._compression = compression

    def resume(self, source: str) -> dict[str, Any] | None:  # noqa: ARG002  nothing is noted
        return None

    def write(self, data: bytes, state: dict[str, Any]) -> None:  # noqa: ARG002  nobody could ask for it
        self._file.write(compress(data, self._compression))
        self._file.flush()

    def finish(self) -> None:
        return

    def close(self) -> None:
        return


class PartFile(Sink):
    """A file that has its name only when it is whole.

    Until then it is ``NAME.part``; beside it, ``NAME.part.json`` tells after each piece how long the file is, and what
    comes next. Whatever is behind that, a process that was killed has left there.

    Args:
        path: Of the file.
        compression: One of ``COMPRESSIONS``.
    """

    def __init__(self, path: Path, compression: str) -> None:
        self.path = path
        self._part = path.with_name(f"{path.name}.part")
        self._note = path.with_name(f"{path.name}.part.json")
        self._compression = compression
        self._source = ""
        self._file: IO[bytes] | None = None

    def resume(self, source: str) -> dict[str, Any] | None:
        """Open the file, and return what was noted of one that was begun.

        Raises:
            FileExistsError: There is a whole file of this name.
            BlockingIOError: Another process is writing it.
        """
        if self.path.exists():
            raise FileExistsError(
                errno.EEXIST, "it is there already: remove it, or choose another name", str(self.path)
            )
        self._source = source
        self._file = self._part.open("ab")
        self._lock(self._file)
        state, size_bytes = self._noted()
        self._file.truncate(size_bytes)
        return state

    def write(self, data: bytes, state: dict[str, Any]) -> None:
        assert self._file is not None, "resume comes first"  # noqa: S101
        self._file.write(compress(data, self._compression))
        _sync(self._file)
        note = {"source": self._source, "compression": self._compression, "size": self._file.tell(), "state": state}
        scratch = self._note.with_suffix(".new")
        with scratch.open("wb") as file:
            file.write(orjson.dumps(note))
            _sync(file)
        scratch.replace(self._note)

    def finish(self) -> None:
        self._part.replace(self.path)
        _sync_folder(self.path.parent)
        self._note.unlink(missing_ok=True)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _lock(self, file: IO[bytes]) -> None:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(errno.EAGAIN, "another export is writing it", str(self._part)) from None

    def _noted(self) -> tuple[dict[str, Any] | None, int]:
        """Return the state that was noted last, and how long the file was; nothing if it is not of this export."""
        try:
            note = orjson.loads(self._note.read_bytes())
            mine = (note["source"], note["compression"]) == (self._source, self._compression)
            if mine and self._part.stat().st_size >= note["size"]:
                return note["state"], note["size"]
        except (OSError, orjson.JSONDecodeError, LookupError, TypeError):
            pass
        return None, 0


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    with contextlib.suppress(OSError):  # not all systems can
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
