"""What a long job remembers in the store, so that it goes on where it was interrupted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from ssshelf.errors import CorruptionError, NotFoundError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import Storage
from ssshelf.storages.offers import delete_many

__all__ = ["Checkpoint", "Progress", "Report"]

_FORMAT_VERSION = 1
_FINISHED = {"finished": True}
_PIECES = "pieces"
_LINE_BYTES = 8 * 1024
"""More than a state takes: its longest text is a key."""
_LARGEST_DATA_BYTES = 2**20
"""More than any job remembers."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        phase: What it is at.
        done: How many entries it has looked at in this phase.
    """

    phase: str
    done: int


Report: TypeAlias = Callable[[Progress], None]
"""Told about progress, after every 1,000 entries at the latest; what it raises ends the job."""


class Checkpoint:
    """The memory of one job.

    Where the store takes no entry so large, the data is in pieces below the key, in one of two places: what is saved
    goes to the one that is not in use, and then the entry under the key names it.

    Args:
        storage: Where it is.
        key: Under which key.
    """

    def __init__(self, storage: Storage, key: Key) -> None:
        self._storage = storage
        self._key = key
        self._piece_bytes = storage.capabilities.max_value_bytes or _LARGEST_DATA_BYTES
        self._place = 0

    async def load(self, like: dict[str, Any]) -> tuple[dict[str, Any], bytes] | None:
        """Return what was saved last; ``None`` if the job is finished, or what is there is no state of it.

        Args:
            like: Any state of the job: one that was saved has the same names, and values of the same types.

        Cost:
            1 get, and 1 for each piece.
        """
        try:
            entry = await self._storage.get(self._key)
            line, _, data = entry.data.partition(b"\n")
            state = orjson.loads(line)
            if isinstance(state, dict) and _PIECES in state:
                data = await self._joined(*state.pop(_PIECES))
        except (NotFoundError, CorruptionError, orjson.JSONDecodeError, TypeError):
            return None
        if not _is_like({"ssshelf": _FORMAT_VERSION, **like}, state) or state.pop("ssshelf") != _FORMAT_VERSION:
            return None
        return state, data

    async def save(self, state: dict[str, Any], data: bytes = b"") -> None:
        """Replace what is remembered.

        Cost:
            1 put, and 1 for each piece.
        """
        line = dict(state)
        if len(data) + _LINE_BYTES > self._piece_bytes:
            self._place = 1 - self._place
            pieces = [data[start : start + self._piece_bytes] for start in range(0, len(data), self._piece_bytes)]
            for number, piece in enumerate(pieces):
                await self._storage.put(self._piece(self._place, number), piece)
            line, data = {**line, _PIECES: [self._place, len(pieces)]}, b""
        await self._storage.put(self._key, _packed(line) + data)

    async def finish(self) -> None:
        """Forget it, but for that the job came to its end.

        Cost:
            1 put; 1 scan more, and deletions, where there may be pieces.
        """
        await self.save(_FINISHED)
        await self._delete_pieces()

    async def forget(self) -> None:
        """Leave nothing behind.

        Cost:
            1 deletion; 1 scan more, and deletions, where there may be pieces.
        """
        await self._storage.delete(self._key)
        await self._delete_pieces()

    async def is_unfinished(self) -> bool:
        """Whether the job was begun, and has not come to its end.

        Cost:
            1 get.
        """
        try:
            entry = await self._storage.get(self._key)
        except NotFoundError:
            return False
        return entry.data != _packed(_FINISHED)

    async def saved_at(self) -> dt.datetime:
        """Return when it was saved last, by the store's own clock.

        Raises:
            UnsupportedError: The store does not say when entries were written.

        Cost:
            1 scan.
        """
        scan = await self._storage.scan(Key(*self._key.parts[:-1]))
        rows = [row for row in scan.rows if row.key == self._key]
        if not rows or rows[0].modified is None:
            msg = f"{self._storage!r} does not say when an entry was written, so the age of garbage is unknown"
            raise UnsupportedError(msg)
        return rows[0].modified

    async def _delete_pieces(self) -> None:
        if self._piece_bytes < _LARGEST_DATA_BYTES:
            scan = await self._storage.scan(self._key)
            await delete_many(self._storage, [row.key for row in scan.rows])

    async def _joined(self, place: int, count: int) -> bytes:
        self._place = place
        pieces = [await self._storage.get(self._piece(place, number)) for number in range(count)]
        return b"".join(piece.data for piece in pieces)

    def _piece(self, place: int, number: int) -> Key:
        return Key(*self._key.parts, place, number)


def _packed(state: dict[str, Any]) -> bytes:
    return orjson.dumps({"ssshelf": _FORMAT_VERSION, **state}) + b"\n"


def _is_like(expected: Any, found: Any) -> bool:
    """Whether two values that were JSON have the same names and types in them."""
    if type(found) is not type(expected):
        return False
    if not isinstance(expected, dict):
        return True
    return found.keys() == expected.keys() and all(_is_like(value, found[name]) for name, value in expected.items())
