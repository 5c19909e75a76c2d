"""Exports shelves into files of lines, as they are stored, while they are in use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any

from ssshelf.documents import manager_names
from ssshelf.keys import Key
from ssshelf.layout import Layout
from ssshelf.maintenance import Progress, Report
from ssshelf.schema import indexed_versions
from ssshelf.storages.base import CONCURRENCY, Storage, scan_pages
from ssshelf.transfer.departures import Departures, batches
from ssshelf.transfer.files import Sink
from ssshelf.transfer.landing import digest_of
from ssshelf.transfer.lines import end_line, item_line, start_line
from ssshelf.transfer.tally import Tally

__all__ = ["Exported", "export_items"]

_PIECE_BYTES = 2**22


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did.

    Attributes:
        items: How many items are in the file, tombstones included.
        unreadable: The first 100 that are not, since they cannot be read; of this run only.
        seconds: How long this run took.
    """

    items: int
    unreadable: Sequence[tuple[Key, Exception]]
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether all that is stored is in the file."""
        return not self.unreadable


async def export_items(
    source: Storage,
    sink: Sink,
    *,
    managers: Iterable[str] | None = None,
    concurrency: int = CONCURRENCY,
    progress: Report | None = None,
) -> Exported:
    """Write items as lines of JSON, in the order of their keys; writers may go on meanwhile.

    Each item is as it was at some instant during the call. Into a ``PartFile``, an export that was interrupted goes on
    when it is done again; the file has its name only when it is whole.

    Args:
        source: Where the items are; nothing is written there.
        sink: Where the lines go; it is closed.
        managers: Whose items; ``None`` is all.
        concurrency: How many items are read at a time.
        progress: Called with a ``Progress``, after every 1,000 items at the latest.

    Raises:
        UnavailableError: The store did not answer; doing it again goes on.
        OSError: The file cannot be written, as when the disk is full; doing it again goes on.
        FileExistsError: There is a whole file of this name.

    Cost:
        1 get for each item, and 1 scan for each 1,000.
    """
    names = await manager_names(source) if managers is None else sorted(set(managers))
    return await _Exporting(source, sink, names, concurrency, progress).run()


class _Exporting:
    def __init__(
        self, source: Storage, sink: Sink, names: Sequence[str], concurrency: int, progress: Report | None
    ) -> None:
        self._source = source
        self._sink = sink
        self._names = names
        self._tally = Tally()
        self._departures = Departures(source, self._tally, concurrency)
        self._progress = progress
        self._clock = asyncio.get_running_loop().time
        self._state: dict[str, Any] = {"manager": "", "after": None, "items": 0}
        self._lines: list[bytes] = []
        self._bytes = 0

    async def run(self) -> Exported:
        started = self._clock()
        try:
            await self._begin()
            for name in dropwhile(lambda name: name != (self._state["manager"] or name), self._names):
                await self._export(name)
            self._add(end_line(self._state["items"]))
            await self._flush()
            await asyncio.to_thread(self._sink.finish)
        finally:
            await asyncio.to_thread(self._sink.close)
        return Exported(self._state["items"], self._tally.problems, self._clock() - started)

    async def _begin(self) -> None:
        about = digest_of("\n".join((repr(self._source), *self._names)).encode())
        state = await asyncio.to_thread(self._sink.resume, about)
        if state is None:
            versions = {name: await indexed_versions(self._source, Layout(name)) for name in self._names}
            self._add(start_line(versions))
        else:
            self._state = state

    async def _export(self, name: str) -> None:
        after = self._state["after"] if name == self._state["manager"] else None
        async for rows in scan_pages(self._source, Layout(name).items, after):
            for some in batches(rows):
                for parcel in await self._departures.read_all(some):
                    self._add(item_line(parcel))
                    self._state["items"] += 1
                self._state |= {"manager": name, "after": some[-1].key.text}
                if self._bytes >= _PIECE_BYTES:
                    await self._flush()
            if self._progress is not None:
                self._progress(Progress(f"exporting {name}", self._state["items"]))

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)

    async def _flush(self) -> None:
        await asyncio.to_thread(self._sink.write, b"".join(self._lines), dict(self._state))
        self._lines, self._bytes = [], 0
