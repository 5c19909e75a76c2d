"""Shelf for code that does not await: a dictionary that persists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ssshelf._background import OfThisProcess
from ssshelf._calls import Calls
from ssshelf._concurrency import chunks
from ssshelf._entries import ABSENT, BULK, pairs_of, present
from ssshelf._naming import named
from ssshelf._ranges import Range, ShelfKey
from ssshelf.blocking._kept import Kept, Reading
from ssshelf.blocking._views import Items, Keys, Values
from ssshelf.errors import CorruptionError, NotFoundError
from ssshelf.keys import Key
from ssshelf.shelf import Shelf as AsyncShelf
from ssshelf.storages.base import Entry
from ssshelf.storages.offers import prompt

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from _typeshed import SupportsKeysAndGetItem

__all__ = ["Shelf"]

P = ParamSpec("P")
D = TypeVar("D")
T = TypeVar("T")
V = TypeVar("V")


class Shelf(OfThisProcess, MutableMapping[ShelfKey, V], Generic[V]):
    """A ``Shelf`` of ``ssshelf`` as a dictionary; ``ssshelf.open`` makes one. Safe from threads.

    It is what ``collections.abc.MutableMapping`` says, in the order of keys: iteration, views and comparison read page
    by page, and see changes that are made meanwhile, or not. What returned is stored. A value is a copy: to change it
    without storing it again, use ``writeback``.

    With ``writeback``, values that were read or stored are kept in memory, as in ``shelve``; ``sync`` and ``close``
    write those that have changed since, and so does the end of the process. Which keys there are, the storage says at
    any time; what others store under a key that is kept is seen after ``sync``. Where threads share a shelf, each of
    them gets the same object for a key.

    Args:
        shelf: Does the work, and stays open when this one is closed.
        writeback: Whether to keep values, and to write them back.
        aclose: Closes what is beneath; called when this shelf is closed, forgotten, or the process ends.
    """

    def __init__(
        self, shelf: AsyncShelf[V], *, writeback: bool = False, aclose: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._shelf = shelf
        self._names = shelf._names
        self._prompt = prompt(shelf.storage)
        self._kept = Kept(shelf, is_on=writeback)
        self._calls = Calls(_closing(self._kept, aclose), f"the shelf {shelf.name!r}")

    def __getitem__(self, key: ShelfKey) -> V:
        """Return the value of a key.

        Raises:
            NotFoundError: There is none; a ``KeyError``.
            CorruptionError, UnavailableError: As for ``get`` of ``ssshelf.Shelf``.

        Cost:
            1 get; an SQLite file is read in the thread of the caller, a small value in microseconds.
        """
        if not self._kept.is_on:
            return self.get_entry(key)[0]
        at = self._names.key(key)
        self._calls.check()  # what is kept would be changed in vain in a fork
        value = self._kept.find(at)
        while value is ABSENT:
            reading = self._kept.reading()
            value = self._kept.keep(at, self.get_entry(key)[0], reading)
        return value

    def __setitem__(self, key: ShelfKey, value: V) -> None:
        """Store the value of a key; as ``set`` of ``ssshelf.Shelf``."""
        if self._prompt is not None and not self._kept.is_on:
            self._calls.check()
            if self._prompt.put_now(*self._shelf._entries.entry(key, value)) is not None:
                return
        self._call(self._kept.store, [(key, value)], partial(self._shelf.set, key, value))

    def __delitem__(self, key: ShelfKey) -> None:
        """Remove a key; of several who do so at the same time more than one may succeed.

        Cost:
            1 scan of a single row and 1 delete.
        """
        at = self._names.key(key)

        async def delete() -> bool:
            if is_there := await self._shelf.has(key):
                await self._shelf.delete(key)
            self._kept.drop([at])
            return is_there

        if not self._change(delete):
            raise NotFoundError(key)

    def __contains__(self, key: Any) -> bool:
        """Return whether a key has a value.

        Cost:
            1 scan of a single row; on SQLite 1 get, as for the value.
        """
        try:
            entry = self._at_hand(self._names.key(key))
        except NotFoundError:
            return False
        except CorruptionError:  # it has one, whatever that is worth
            return True
        return entry is not None or self._call(self._shelf.has, key)

    def __iter__(self) -> Iterator[ShelfKey]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __bool__(self) -> bool:
        return not self._call(self._shelf.is_empty)

    def keys(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> Keys:
        """Return a view of the keys, or of a range of them, which is read anew each time it is used.

        Args:
            prefix: Leading parts of the keys, each matched whole, never as a part of a text; one may stand for itself.
            start: The first key to show, of the parts that follow the prefix.
            stop: The first key not to show any more, likewise.

        Cost:
            To iterate, and for ``len``, 1 scan for each 1,000, when they are asked for; ``in`` 1 scan of a single row.
        """
        return Keys(self, self._names.range(prefix, start, stop))

    def items(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> Items[V]:
        """Return a view of the keys and values; arguments and cost as for ``keys``, and 1 get for each value.

        Values are read ahead, many at a time.
        """
        return Items(self, self._names.range(prefix, start, stop))

    def values(
        self, *, prefix: ShelfKey | None = None, start: ShelfKey | None = None, stop: ShelfKey | None = None
    ) -> Values[V]:
        """Return a view of the values; as ``items``."""
        return Values(self, self._names.range(prefix, start, stop))

    @overload
    def pop(self, key: ShelfKey) -> V: ...
    @overload
    def pop(self, key: ShelfKey, default: D) -> V | D: ...
    def pop(self, key: ShelfKey, default: Any = ABSENT) -> Any:
        """Remove a key and return its value; who gets it if several do so, ``pop`` of ``ssshelf.Shelf`` tells."""
        at = self._names.key(key)

        async def pop() -> Any:
            try:
                value = self._kept.find(at, await self._shelf.pop(key))
            except NotFoundError:
                value = default
            self._kept.drop([at])
            return value

        if (value := self._change(pop)) is ABSENT:
            raise NotFoundError(key)
        return value

    def popitem(self) -> tuple[ShelfKey, V]:
        """Remove the first key and return it with its value. As ``popitem`` of ``ssshelf.Shelf``."""

        async def popitem() -> tuple[ShelfKey, V]:
            key, value = await self._shelf.popitem()
            at = self._names.key(key)
            kept = self._kept.find(at, value)
            self._kept.drop([at])
            return key, kept

        return self._change(popitem)

    @overload
    def setdefault(self: Shelf[V | None], key: ShelfKey, default: None = None) -> V | None: ...
    @overload
    def setdefault(self, key: ShelfKey, default: V) -> V: ...
    def setdefault(self, key: ShelfKey, default: Any = None) -> Any:
        """Return the value of a key, after storing ``default`` if there is none; of several callers one stores.

        Cost:
            As ``setdefault`` of ``ssshelf.Shelf``; with ``writeback`` 1 get more where there is none.
        """
        at = self._names.key(key)

        async def setdefault() -> V:
            if self._kept.is_on and await self._shelf.get(key, ABSENT) is ABSENT:
                self._kept.drop([at])  # somebody else has removed it
            reading = self._kept.reading()
            return self._kept.keep(at, await self._shelf.setdefault(key, default), reading)

        return self._change(setdefault)

    def update(self, other: SupportsKeysAndGetItem[Any, V] | Iterable[tuple[Any, V]] = (), /, **more: V) -> None:
        """Store many values, many at a time. As ``update`` of ``ssshelf.Shelf``."""
        for chunk in chunks(pairs_of(other, more), BULK):  # here, since what is given may block
            self._call(self._kept.store, chunk, partial(self._shelf.update, chunk))

    def clear(self) -> None:
        """Remove all keys of this shelf, and of no other."""

        async def clear() -> None:
            await self._shelf.clear()
            self._kept.forget()

        self._change(clear)

    def get_many(self, keys: Iterable[ShelfKey]) -> dict[ShelfKey, V]:
        """Return the values of those of ``keys`` that have one, read many at a time.

        Two keys that are one in a dict, as ``1`` and ``True``, are a ``ValueError``.
        """
        reading = self._kept.reading()
        found = self._call(self._shelf.get_many, list(keys)).items()
        current = ((key, self._current(self._names.key(key), value, reading)) for key, value in found)
        return {key: value for key, value in current if value is not ABSENT}

    def delete_many(self, keys: Iterable[ShelfKey]) -> None:
        """Remove ``keys``, those that are not there included, many at a time."""
        for chunk in chunks(keys, BULK):
            self._change(partial(self._delete_all, chunk))

    def get_entry(self, key: ShelfKey) -> tuple[V, str]:
        """Return the stored value of a key, and its etag for ``replace``. As ``get_entry`` of ``ssshelf.Shelf``."""
        at = self._names.key(key)
        try:
            if (entry := self._at_hand(at)) is not None:
                return self._shelf._entries.load(at, entry), entry.etag
        except (CorruptionError, NotFoundError) as error:
            named(error, key)
            raise
        return self._call(self._shelf.get_entry, key)

    def replace(self, key: ShelfKey, value: V, *, expect: str | None) -> str:
        """Store the value of a key if nobody was faster. As ``replace`` of ``ssshelf.Shelf``."""
        return self._call(self._kept.store, [(key, value)], partial(self._shelf.replace, key, value, expect=expect))

    def copy(self) -> dict[ShelfKey, V]:
        """Return all keys and values as a ``dict``, which is no shelf."""
        return dict(self.items())

    def __or__(self, other: Any) -> dict[ShelfKey, V]:
        return {**self.copy(), **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Any) -> dict[ShelfKey, V]:
        return {**other, **self.copy()} if isinstance(other, Mapping) else NotImplemented

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def sync(self) -> None:
        """Write what has changed of the values that ``writeback`` keeps, and keep nothing; without it do nothing.

        What another thread changes meanwhile is written, or stays kept for the next time.

        Raises:
            TypeError, ValueError: A value is none that the serializer can keep; all stay kept.
            UnavailableError: The store did not answer; all stay kept, and some may have been written.

        Cost:
            1 put for each value that has changed.
        """
        self._call(self._kept.flush)

    def close(self) -> None:
        """Do what ``sync`` does, and close the storage, if ``ssshelf.open`` has opened it; twice is not an error.

        What ``sync`` raises leaves all as it is: close it again.
        """
        if self._kept and not self._calls.is_forked:  # then it is the parent's
            self.sync()
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<blocking {self._shelf!r}>"

    def _at_hand(self, at: Key) -> Entry | None:
        """Return the entry of a value, if the event loop need not be asked.

        Raises:
            NotFoundError: There is none.
        """
        self._calls.check()
        if self._prompt is None or (entry := self._prompt.get_now(at)) is None:
            return None
        return present(at, entry)

    def _call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._calls.call(function, *args, **kwargs)

    def _change(self, change: Callable[[], Awaitable[T]]) -> T:
        return self._call(self._kept.change, change)

    async def _delete_all(self, keys: list[ShelfKey]) -> None:
        await self._shelf.delete_many(keys)
        self._kept.drop(map(self._names.key, keys))

    def _count(self, within: Range) -> int:
        return self._call(self._shelf._entries.count, within)

    def _holds(self, within: Range, key: Any) -> bool:
        return within.holds(self._names.key(key))

    def _iter_keys(self, within: Range) -> Iterator[ShelfKey]:
        yield from map(self._names.parts, self._calls.pages(within.pages(self._shelf.storage)))

    def _iter_items(self, within: Range) -> Iterator[tuple[ShelfKey, V]]:
        reading = self._kept.reading()
        for at, read in self._calls.pages(self._shelf._entries.item_pages(within)):
            if (value := self._current(at, read, reading)) is not ABSENT:
                yield self._names.parts(at), value

    def _current(self, at: Key, read: V, reading: Reading) -> V:
        """Return what is kept, or was read; it is read again if it was changed meanwhile. ``ABSENT``: removed."""
        kept = self._kept.keep(at, read, reading)
        return self.get(self._names.parts(at), ABSENT) if kept is ABSENT else kept


def _closing(kept: Kept[Any], aclose: Callable[[], Awaitable[None]] | None) -> Callable[[], Awaitable[None]]:
    """Return what closes a shelf, without the shelf: it may have been forgotten."""

    async def close() -> None:
        try:
            await kept.flush()
        finally:
            if aclose is not None:
                await aclose()

    return close
