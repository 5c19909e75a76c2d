"""Values as the entries of a storage: what a shelf reads, one by one and page by page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from ssshelf._concurrency import chunks, each_bounded, map_bounded, read_ahead
from ssshelf._naming import named
from ssshelf._pace import Pace
from ssshelf._ranges import Names, Range, ShelfKey
from ssshelf._taken import TAKEN, is_taken
from ssshelf.errors import CorruptionError, NotFoundError
from ssshelf.keys import Key
from ssshelf.serializers import Serializer
from ssshelf.storages.base import Entry, Put, Storage
from ssshelf.storages.offers import atomic_batch

__all__ = ["ABSENT", "BULK", "Entries", "pairs_of", "present"]

V = TypeVar("V")
ABSENT: Final[Any] = object()
"""Says that there is no value, or that none was given: ``None`` is a value."""

BULK: Final = 1000
"""How many pairs of an update are serialized before the first of them is written."""

_ROUNDS_IN_A_PAGE = 4


@dataclass(frozen=True, slots=True)
class Entries(Generic[V]):
    """What a shelf reads with.

    Attributes:
        storage: Where the values are.
        names: Under which names.
        serializer: Makes values of bytes, and back.
        concurrency: How many values of a page are read at a time.
    """

    storage: Storage
    names: Names
    serializer: Serializer[V]
    concurrency: int

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            msg = f"concurrency must be at least 1, not {self.concurrency}"
            raise ValueError(msg)

    def load(self, at: Key, entry: Entry) -> V:
        """Return the value in an entry.

        Raises:
            CorruptionError: The serializer cannot read it.
        """
        try:
            return self.serializer.load(entry.data)
        except Exception as error:
            name, kind = type(self.serializer).__name__, type(error).__name__
            reason = f"{name} raised {kind}: the value is damaged, or was stored by another serializer"
            raise CorruptionError(at, reason) from error

    def dump(self, key: ShelfKey, value: V) -> bytes:
        """Return the bytes of a value.

        Raises:
            TypeError, ValueError: The serializer cannot keep it; the error names the key.
        """
        try:
            data = self.serializer.dump(value)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            msg = f"the value of {key!r:.200} was not stored: {error}"
            raise kind(msg) from error
        if data == TAKEN:
            msg = f"the value of {key!r:.200} was not stored: by these bytes a shelf knows that there is none"
            raise ValueError(msg)
        return data

    def entry(self, key: ShelfKey, value: V) -> tuple[Key, bytes]:
        """Return under what name a value is stored, and its bytes.

        Raises:
            TypeError, ValueError: As ``dump``; or it is too large.
            KeyTooLongError: The key is too long.
        """
        at, data = self.names.key(key), self.dump(key, value)
        self.storage.capabilities.check_entry(at, data, lambda: f"the value of {key!r:.200}")
        return at, data

    async def read(self, at: Key) -> Entry:
        """Return the entry of a value.

        Raises:
            NotFoundError: There is none, or only the mark of a pop.
        """
        return present(at, await self.storage.get(at))

    async def write(self, pairs: Iterable[tuple[ShelfKey, V]], pace: Pace) -> None:
        """Store values, of several for one key the last one, once all of them have been found fit to be stored.

        Args:
            pairs: ``BULK`` at most.
            pace: How many are written at a time where one transaction does not take them all.
        """
        entries = dict(self.entry(key, value) for key, value in pairs)
        batch = atomic_batch(self.storage)
        if len(entries) > 1 and batch is not None and self.storage.capabilities.atomic_batch >= BULK:
            await batch.commit([Put(*entry) for entry in entries.items()])
        else:
            await each_bounded(lambda entry: self.storage.put(*entry), entries.items(), pace)

    async def find(self, at: Key) -> tuple[Key, V] | None:
        """Return the key and the value under it, if there is one."""
        try:
            return at, self.load(at, await self.read(at))
        except NotFoundError:
            return None
        except CorruptionError as error:
            named(error, self.names.parts(at))
            raise

    async def find_many(self, keys: Iterable[ShelfKey]) -> dict[ShelfKey, V]:
        """Return the values of those of ``keys`` that have one.

        Raises:
            ValueError: Two keys are one in a dict.
        """
        wanted: dict[ShelfKey, Key] = {}
        for key in keys:
            at = self.names.key(key)
            if (other := wanted.setdefault(key, at)) != at:
                msg = (
                    f"{self.names.parts(other)!r:.200} and {key!r:.200} are two keys here, but one in a dict: ask apart"
                )
                raise ValueError(msg)
        found = await map_bounded(self.find, list(wanted.values()), self.concurrency)
        return {key: pair[1] for key, pair in zip(wanted, found, strict=True) if pair is not None}

    def item_pages(self, within: Range) -> AsyncGenerator[list[tuple[Key, V]], None]:
        """Yield the keys of a range and their values, in order; the next page is read while one is used."""

        async def pages() -> AsyncGenerator[list[tuple[Key, V]], None]:
            async for keys in within.pages(self.storage):
                for chunk in chunks(keys, _ROUNDS_IN_A_PAGE * self.concurrency):
                    page: list[tuple[Key, V]] = []
                    for found in await map_bounded(self._look, chunk, self.concurrency):
                        if isinstance(found, CorruptionError):
                            yield page
                            raise found
                        page += [found] if found else []
                    yield page

        return read_ahead(pages())

    async def _look(self, at: Key) -> tuple[Key, V] | CorruptionError | None:
        """Return what ``find`` does, and what it raises if a value cannot be read: those before it can."""
        try:
            return await self.find(at)
        except CorruptionError as error:
            return error

    async def count(self, within: Range) -> int:
        """Return how many keys a range has."""
        return sum([len(keys) async for keys in within.pages(self.storage)])

    async def first(self, within: Range) -> Key | None:
        """Return the first key of a range, if it has one.

        Cost:
            1 scan of a single row; 1 more for each 1,000 rows before it that are no keys.
        """
        async for keys in within.pages(self.storage, limit=1):
            if keys:
                return keys[0]
            break  # of such rows there may be many
        else:
            return None
        async for keys in within.pages(self.storage):
            if keys:
                return keys[0]
        return None


def present(at: Key, entry: Entry) -> Entry:
    """Return ``entry``, unless it is only the mark of a pop.

    Raises:
        NotFoundError: It is.
    """
    if is_taken(entry):
        raise NotFoundError(at)
    return entry


def pairs_of(other: Any, more: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield what ``dict.update`` would take from its arguments."""
    if isinstance(other, Mapping):
        yield from other.items()
    elif hasattr(other, "keys"):
        yield from ((key, other[key]) for key in other.keys())  # noqa: SIM118  it may be no iterable
    else:
        yield from ((key, value) for key, value in other)
    yield from more.items()
