"""Shelf: any storage as a mapping of keys to values, each stored as its serializer makes it, with nothing around it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ssshelf._concurrency import chunks
from ssshelf._entries import ABSENT, BULK, Entries, pairs_of
from ssshelf._naming import naming
from ssshelf._pace import Pace
from ssshelf._ranges import Names, Range, ShelfKey
from ssshelf._slots import Slot
from ssshelf.errors import CommitUnknownError, ConflictError, NotFoundError
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy
from ssshelf.serializers import Serializer, as_serializer
from ssshelf.storages import open_storage
from ssshelf.storages.base import CONCURRENCY, MAX_SCAN_ROWS, Entry, Storage
from ssshelf.storages.offers import delete_many

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Shelf", "ShelfKey"]

D = TypeVar("D")
V = TypeVar("V")


class Shelf(Generic[V]):
    """Any storage as a mapping: values under keys, in the order of the keys.

    A key is a part (str, number, bool, aware datetime, date, bytes, UUID, None) or a tuple of parts, which sorts by the
    first, then the second, …; ``("a",)`` is ``"a"``. Numbers that are equal are one key, and come back in one form;
    ``True`` is not ``1``. A key that is of no such type is a ``TypeError``, everywhere.

    What returned is stored. Any number of processes may use a shelf at the same time; single keys change as a whole,
    several do not change together. ``ssshelf.open`` opens one for code that does not await.

    Args:
        storage: Where the values are: a storage, which stays the caller's to close, or the URL of one.
        name: Keeps several shelves of one storage apart; values are stored under ``shelves!/{name}!/…``.
        serializer: Makes bytes of values, and back; or its name: json, pickle, msgpack, bytes, text.
        concurrency: Most requests of one call at a time.
        retries: How long and how often conditional writes are tried.
    """

    @overload
    def __init__(
        self,
        storage: Storage | str,
        *,
        serializer: Serializer[V],
        name: str = ...,
        concurrency: int = ...,
        retries: RetryPolicy | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self: Shelf[Any],
        storage: Storage | str,
        *,
        serializer: str = ...,
        name: str = ...,
        concurrency: int = ...,
        retries: RetryPolicy | None = ...,
    ) -> None: ...
    def __init__(
        self,
        storage: Storage | str,
        *,
        name: str = "main",
        serializer: Serializer[V] | str = "json",
        concurrency: int = CONCURRENCY,
        retries: RetryPolicy | None = None,
    ) -> None:
        self._is_owner = isinstance(storage, str)
        self.storage = open_storage(storage) if isinstance(storage, str) else storage
        self.name = name
        self._names = Names(name)
        self._entries = Entries(self.storage, self._names, as_serializer(serializer), concurrency)
        self._retries = retries or RetryPolicy()

    @overload
    async def get(self, key: ShelfKey) -> V | None: ...
    @overload
    async def get(self, key: ShelfKey, default: D) -> V | D: ...
    async def get(self, key: ShelfKey, default: Any = None) -> Any:
        """Return the value of ``key``, or ``default``.

        Raises:
            CorruptionError: The value cannot be read: it is damaged, or another serializer has made it.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get.
        """
        try:
            return (await self.get_entry(key))[0]
        except NotFoundError:
            return default

    async def get_entry(self, key: ShelfKey) -> tuple[V, str]:
        """Return the value of ``key`` and its etag, for a later ``replace``; otherwise like ``get``.

        Raises:
            NotFoundError: There is none; a ``KeyError``.
        """
        at = self._names.key(key)
        with naming(key):
            entry = await self._entries.read(at)
            return self._entries.load(at, entry), entry.etag

    async def get_many(self, keys: Iterable[ShelfKey]) -> dict[ShelfKey, V]:
        """Return the values of those of ``keys`` that have one, in the order of ``keys``; otherwise like ``get``.

        Two keys that are one in a dict, as ``1`` and ``True``, are a ``ValueError``.

        Cost:
            1 get for each, as many at a time as ``concurrency``.
        """
        return await self._entries.find_many(keys)

    async def has(self, key: ShelfKey) -> bool:
        """Return whether ``key`` has a value, without reading it.

        Cost:
            1 scan of a single row.
        """
        return await self._entries.first(self._names.only(self._names.key(key))) is not None

    async def set(self, key: ShelfKey, value: V) -> str:
        """Store the value of ``key``, whatever is there, and return its etag.

        Raises:
            TypeError, ValueError: The serializer cannot keep the value, or it is too large; nothing was written.
            KeyTooLongError: Likewise for the key.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 put.
        """
        return await self.storage.put(*self._entries.entry(key, value))

    async def replace(self, key: ShelfKey, value: V, *, expect: str | None) -> str:
        """Store the value of ``key`` if nobody was faster, and return its etag.

        Equal values have equal etags: to come back to an earlier value is not noticed, nor that one was removed and
        stored anew, even by a request that arrives late, for ``late_s`` of the storage's ``capabilities`` after an
        attempt without an answer. Where that matters, put a number that grows into the value.

        Args:
            key: The key.
            value: The new value.
            expect: The etag of the value to replace, as ``get_entry`` or a write returned it; ``None``: there is none.

        Raises:
            ConflictError: Another value is there, or none; nothing was written.
            CommitUnknownError: An answer was lost: this, or somebody else, may have written, or may yet.
            UnsupportedError: The store ignores conditions.
            TypeError, ValueError: As for ``set``.

        Cost:
            1 put; 1 get more if there is a value where there shall be none.
        """
        at, data = self._entries.entry(key, value)
        with naming(key):
            return await self._slot(at).write(data, expect=expect)

    async def setdefault(self, key: ShelfKey, default: V) -> V:
        """Return the value of ``key``; if there is none, store ``default`` first. Of several callers one stores.

        Raises:
            CommitUnknownError, UnsupportedError, TypeError, ValueError: As for ``replace``.

        Cost:
            1 get; a put more where there is none.
        """
        at = self._names.key(key)
        slot = self._slot(at)

        async def attempt() -> V:
            if (entry := await slot.read()) is not None:
                return self._entries.load(at, entry)
            await slot.write(self._entries.entry(key, default)[1], expect=None)
            return default

        with naming(key):
            try:
                return await self._retries.redo(attempt)
            except CommitUnknownError:  # what is there is the answer, whoever stored it
                if (entry := await slot.read()) is None:
                    raise
                return self._entries.load(at, entry)

    async def update(self, other: Mapping[Any, V] | Iterable[tuple[Any, V]] = (), /, **more: V) -> None:
        """Store many values, whatever is there, many at a time; of several for one key the last one stays.

        They are serialized and checked by the thousand, before the first of the thousand is written, so memory does
        not grow with their number. After the first failure no further value is begun; doing it again is safe. On
        SQLite and in memory each thousand is stored whole, or not at all.

        Args:
            other: A mapping, or pairs, also of a generator.
            more: Values of keys that are names.

        Raises:
            TypeError, ValueError: As for ``set``.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 put for each, as many at a time as ``concurrency``, and as the store takes; on SQLite 1 transaction for
            each 1,000.
        """
        pace = Pace(self._entries.concurrency)
        for chunk in chunks(pairs_of(other, more), BULK):
            await self._entries.write(chunk, pace)

    async def delete(self, key: ShelfKey) -> None:
        """Remove ``key``; that there is no such key is not an error. ``pop`` tells, and ``has`` before.

        Raises:
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 delete.
        """
        await self.storage.delete(self._names.key(key))

    async def delete_many(self, keys: Iterable[ShelfKey]) -> None:
        """Remove ``keys``, those that are not there included; otherwise like ``delete``.

        Cost:
            On S3, 1 DeleteObjects for each 1,000; on SQLite a transaction.
        """
        for chunk in chunks(map(self._names.key, keys), MAX_SCAN_ROWS):
            await delete_many(self.storage, chunk)

    async def clear(self) -> None:
        """Remove all keys of this shelf, and of no other; otherwise like ``delete``.

        Cost:
            1 scan for each 1,000, and what ``delete_many`` costs.
        """
        async for keys in self._everything.pages(self.storage, with_taken=True):
            await delete_many(self.storage, keys)

    @overload
    async def pop(self, key: ShelfKey) -> V: ...
    @overload
    async def pop(self, key: ShelfKey, default: D) -> V | D: ...
    async def pop(self, key: ShelfKey, default: Any = ABSENT) -> Any:
        """Remove ``key`` and return its value. Of several callers one gets it.

        Where a store also tells those who are late that they have deleted a value, as Ceph does, a mark takes its place
        first, which is no value to any reader. A crash may leave it there, and a store whose deletions have no
        conditions keeps it, until the key is written or deleted, or by ``clear``. What arrives late: see ``replace``.

        Args:
            key: The key.
            default: What to return if there is none.

        Raises:
            NotFoundError: There is none, and no ``default``.
            CorruptionError: The value cannot be read; it was not removed.
            CommitUnknownError: An answer was lost: this, or somebody else, may have removed it, or may yet.
            UnsupportedError: The store ignores conditions: ``get`` and ``delete`` do without.

        Cost:
            1 get and 1 delete; 1 put more with a mark.
        """
        at = self._names.key(key)

        async def attempt() -> Any:
            if (entry := await self._slot(at).read()) is not None:
                return await self._take(at, entry)
            if default is ABSENT:
                raise NotFoundError(at)
            return default

        with naming(key):
            return await self._retries.redo(attempt)

    async def popitem(self) -> tuple[ShelfKey, V]:
        """Remove the first key, and return it with its value; otherwise like ``pop``.

        Raises:
            NotFoundError: The shelf is empty; a ``KeyError``.

        Cost:
            1 scan of a single row, and what ``pop`` costs; 1 scan more for each 1,000 marks that stayed.
        """

        async def attempt() -> tuple[ShelfKey, V]:
            if (at := await self._entries.first(self._everything)) is None:
                raise NotFoundError(self._names.root)
            with naming(key := self._names.parts(at)):
                if (entry := await self._slot(at).read()) is None:
                    raise ConflictError(at, "the first value", None)
                return key, await self._take(at, entry)

        return await self._retries.redo(attempt)

    async def keys(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> AsyncGenerator[ShelfKey, None]:
        """Iterate over the keys, in order; those of one part come as that part.

        Args:
            prefix: Leading parts of the keys, each matched whole, never as a part of a text; one may stand for itself.
            start: The first key to list, of the parts that follow the prefix.
            stop: The first key not to list any more, likewise.

        Raises:
            CorruptionError: Something else has put a name among the shelf's.
            UnavailableError: The store did not answer.

        Cost:
            1 scan for each 1,000, when they are asked for; with a prefix and no start 1 more.
        """
        async for page in self._names.range(prefix, start, stop).pages(self.storage):
            for at in page:
                yield self._names.parts(at)

    async def items(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> AsyncGenerator[tuple[ShelfKey, V], None]:
        """Iterate over the keys and their values; a value that is removed meanwhile is left out.

        Values are read ahead; memory holds no more than eight times ``concurrency`` of them. Arguments as for ``keys``.

        Raises:
            CorruptionError: A value cannot be read; those before it were yielded.
            UnavailableError: The store did not answer.

        Cost:
            That of ``keys``, and 1 get for each value, as many at a time as ``concurrency``.
        """
        async with contextlib.aclosing(self._entries.item_pages(self._names.range(prefix, start, stop))) as pages:
            async for page in pages:
                for at, value in page:
                    yield self._names.parts(at), value

    async def values(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> AsyncGenerator[V, None]:
        """Iterate over the values, as ``items`` does."""
        async with contextlib.aclosing(self.items(prefix=prefix, start=start, stop=stop)) as items:
            async for _, value in items:
                yield value

    def __aiter__(self) -> AsyncIterator[ShelfKey]:
        return self.keys()

    async def count(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> int:
        """Return how many keys there are; arguments as for ``keys``.

        Cost:
            1 scan for each 1,000; with a prefix and no start 1 more.
        """
        return await self._entries.count(self._names.range(prefix, start, stop))

    async def is_empty(self) -> bool:
        """Return whether there are no keys.

        Cost:
            1 scan of a single row.
        """
        return await self._entries.first(self._everything) is None

    async def aclose(self) -> None:
        """Close the storage, if this shelf has opened it."""
        if self._is_owner:
            await self.storage.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def _everything(self) -> Range:
        return self._names.range(None, None, None)

    def _slot(self, at: Key) -> Slot:
        return Slot(self.storage, at, self._retries)

    async def _take(self, at: Key, entry: Entry) -> V:
        """Remove an entry that was read, and return its value, which is looked at before."""
        value = self._entries.load(at, entry)
        await self._slot(at).take(entry)
        return value

    def __repr__(self) -> str:
        return f"Shelf({self.storage!r}, name={self.name!r})"
