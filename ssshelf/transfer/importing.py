"""Imports lines of JSON into shelves: those of an export, by the rules of a copy, and those that somebody has made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from ssshelf._concurrency import PerKey, each_bounded
from ssshelf.documents import Documents
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key
from ssshelf.maintenance import Progress, Report, Verified
from ssshelf.maintenance.checkpoint import Checkpoint
from ssshelf.storages.base import CONCURRENCY, Storage
from ssshelf.transfer.arrivals import Arrivals
from ssshelf.transfer.landing import Landing, digest_of
from ssshelf.transfer.lines import End, Line, Made, Start, parse
from ssshelf.transfer.parcels import Parcel
from ssshelf.transfer.streams import LineStream, bad_line
from ssshelf.transfer.tally import Tally

__all__ = ["Imported", "import_items"]

_LOT = 128
_LOTS_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        managers: Whose items there were.
        tally: What became of the items, and the first 100 problems.
        checked: What ``verify`` of each manager found at the end.
        seconds: How long this run took.
    """

    managers: tuple[str, ...]
    tally: Tally
    checked: Mapping[str, Verified]
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether the destination has all that is in the file, or later revisions of it, and agrees with itself."""
        return self.tally.is_complete and all(verified.is_sound for verified in self.checked.values())


async def import_items(
    file: IO[bytes],
    destination: Storage,
    *,
    compression: str = "none",
    overwrite: bool = False,
    progress: Report | None = None,
) -> Imported:
    """Store the items in a file of lines, as ``copy`` would.

    Items of an export come with their revisions, byte for byte; doing it again changes nothing. Where the destination
    has a later revision, that stays. Lines that somebody has made, without ``rev``, are new commits; those that are
    stored and listed just so already are left alone. An import that was interrupted goes on when it is done again with
    the same file, or with the same stream from its beginning.

    Args:
        file: The lines; it is read in a thread, and not closed.
        destination: Where the items are to be.
        compression: One of ``COMPRESSIONS``.
        overwrite: Replace items of the destination that have nothing to do with those of the file. Nobody else may
            write these meanwhile.
        progress: Called with a ``Progress``, after every 1,024 lines at the latest.

    Raises:
        CorruptionError: A line cannot be read, or the file was cut short; what came before is stored.
        ConflictError, CommitUnknownError, UnavailableError: As writes do; doing it again goes on.

    Cost:
        1 get for each item, none for the first ones of a manager; its commit; 1 put for each 1,024 lines; that of
        ``verify``.
    """
    job = _Importing(destination, overwrite=overwrite, progress=progress)
    return await job.run(LineStream(file, compression))


class _Importing:
    def __init__(self, destination: Storage, *, overwrite: bool, progress: Report | None) -> None:
        self._destination = destination
        self._overwrite = overwrite
        self._progress = progress
        self._source = ""
        self._start: Line | None = None
        self._is_ended = False
        self._tally = Tally()
        self._shelves: dict[str, _Shelf] = {}

    async def run(self, stream: LineStream) -> Imported:
        clock = asyncio.get_running_loop().time
        started = clock()
        stream, checkpoint = await self._begin(stream)
        while lines := await stream.take():
            await self._import(lines, stream.number - len(lines) + 1)
            if not any(shelf.is_waiting for shelf in self._shelves.values()):  # it would be forgotten
                await checkpoint.save(self._state(stream))
            self._report(Progress("importing", stream.number))
        if isinstance(self._start, Start) and not self._is_ended:
            raise bad_line(stream.number + 1, "the file was cut short")
        for shelf in self._shelves.values():
            await shelf.end()
        await checkpoint.forget()
        progress = self._progress
        checked = {name: await shelf.documents.verify(progress=progress) for name, shelf in self._shelves.items()}
        return Imported(tuple(self._shelves), self._tally, checked, clock() - started)

    async def _begin(self, stream: LineStream) -> tuple[LineStream, Checkpoint]:
        """Return the lines that are still to be imported, and where to remember how far that is."""
        head = await stream.peek()
        if not head:
            await stream.take()  # which tells if it was cut short
            raise bad_line(1, "the file is empty")
        self._start = _parsed(head, 1)
        self._source = digest_of(head)
        checkpoint = Checkpoint(self._destination, Key("meta", "import", self._source))
        saved = await checkpoint.load(self._state(stream))
        if saved is None:
            return stream, checkpoint
        state, _ = saved
        if await stream.skip(state["lines"], state["digest"]):
            self._tally, self._is_ended = Tally.of(state["counts"]), state["is_ended"]
            for name in state["managers"]:
                await self._shelf(name)
            return stream, checkpoint
        await checkpoint.forget()
        anew = stream.again()
        if anew is None:
            raise bad_line(stream.number, "an import of other lines, that began alike, was interrupted: do it again")
        return anew, checkpoint

    async def _import(self, lines: Sequence[bytes], first: int) -> None:
        """Store what some lines say; of what is behind a bad one, nothing."""
        items: dict[str, list[Parcel | Made]] = {}
        failure: CorruptionError | None = None
        try:
            for number, text in enumerate(lines, first):
                line = self._next(text, number)
                if isinstance(line, Parcel | Made):
                    items.setdefault(line.manager, []).append(line)
        except CorruptionError as error:
            failure = error
        for name, some in items.items():
            await (await self._shelf(name)).receive(some)
        if failure is not None:
            raise failure

    def _next(self, text: bytes, number: int) -> Line:
        line = _parsed(text, number)
        if self._is_ended or (isinstance(line, Start) and number > 1):
            raise bad_line(number, "there is something behind the last line of the export")
        if isinstance(line, End):
            self._is_ended = True
            if line.items != number - 2:  # the first line and this one
                raise bad_line(number, f"there should be {line.items} items before, and there are {number - 2}")
        return line

    async def _shelf(self, name: str) -> _Shelf:
        if name not in self._shelves:
            versions = self._start.versions.get(name, {}) if isinstance(self._start, Start) else {}
            shelf = _Shelf(Documents(self._destination, name), self._tally, overwrite=self._overwrite)
            await shelf.begin(self._source, versions)
            self._shelves[name] = shelf
        return self._shelves[name]

    def _report(self, progress: Progress) -> None:
        if self._progress is not None:
            self._progress(progress)

    def _state(self, stream: LineStream) -> dict[str, Any]:
        return {
            "lines": stream.number,
            "digest": stream.digest,
            "is_ended": self._is_ended,
            "managers": list(self._shelves),
            "counts": self._tally.state(),
        }


class _Shelf:
    """One of the shelves that items come into."""

    def __init__(self, documents: Documents, tally: Tally, *, overwrite: bool) -> None:
        self.documents = documents
        self._tally = tally
        self._arrivals = Arrivals(documents, tally, overwrite=overwrite)
        self._landing: Landing | None = None
        self._in_order = PerKey()

    @property
    def is_waiting(self) -> bool:
        """Whether an item has not been stored yet that came."""
        return self._arrivals.is_waiting

    async def begin(self, source: str, versions: Mapping[str, int]) -> None:
        self._landing = Landing(self.documents.committer, source, versions)
        await self._landing.begin()

    async def receive(self, items: Sequence[Parcel | Made]) -> None:
        """Store some items; those of an export, in an empty shelf with transactions, many at once."""
        if self._arrivals.takes_many and self._landing is not None and self._landing.is_fresh:
            parcels = [item for item in items if isinstance(item, Parcel)]
            await each_bounded(
                lambda some: self._arrivals.receive_new(some, CONCURRENCY), _lots(parcels), _LOTS_AT_ONCE
            )
            items = [item for item in items if isinstance(item, Made)]
        await each_bounded(self._receive, items, CONCURRENCY)
        await self._arrivals.retry()

    async def _receive(self, item: Parcel | Made) -> None:
        if isinstance(item, Parcel):
            await self._arrivals.receive(item)
        else:
            await self._in_order.run(item.document.pk, lambda: self._arrivals.add(item.document))

    async def end(self) -> None:
        await self._arrivals.give_up()
        if self._landing is not None:
            await self._landing.end()


def _lots(parcels: Sequence[Parcel]) -> Iterator[Sequence[Parcel]]:
    return (parcels[start : start + _LOT] for start in range(0, len(parcels), _LOT))


def _parsed(text: bytes, number: int) -> Line:
    try:
        return parse(text)
    except ValueError as error:
        reason = str(error) if text.endswith(b"\n") else f"{error}, or the file was cut short"
        raise bad_line(number, reason) from None
