"""Managers: items and the collections declared over them, kept in step."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

from ssshelf._concurrency import PerKey, each_bounded, many, map_bounded
from ssshelf._pace import is_bulk
from ssshelf.all_items import AllItems
from ssshelf.catalog import Catalog
from ssshelf.collections import Collection, Reader
from ssshelf.commit import Committer
from ssshelf.drafts import Draft, Lost, Revision
from ssshelf.envelope import Stored
from ssshelf.errors import AlreadyExistsError, ConflictError, NotFoundError
from ssshelf.items import IManager, PrimaryKey, primary_key_text
from ssshelf.keys import Key
from ssshelf.layout import Layout
from ssshelf.maintenance import Maintained
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import CONCURRENCY, Storage, check_holds_items, check_storage

__all__ = ["CManager"]

T = TypeVar("T")
_ATTEMPTS_ALONE = 2
"""Of a write that nobody hinders: what it started from may have been a guess, that there is nothing yet."""


class CManager(AllItems[T], Maintained[T]):
    """Items of one kind on a storage, and the collections declared as attributes of the class.

    Each instance has its own bound copies of the declarations, so instances share nothing. A subclass inherits
    collections, replaces one by declaring it again, and drops one by setting it to ``None``.

    Args:
        storage: Where the items are; it stays the caller's to close.
        concurrency: Most requests that one page or one bulk call makes at a time.
        retries: How long and how often writes are tried.

    Raises:
        UnsupportedError: The store ignores conditions of writes, or lists out of order; nothing could be promised.
    """

    item_manager: IManager[T]
    """How items are identified and serialized; every manager class declares it."""

    declared: ClassVar[Mapping[str, Collection[Any]]] = {}
    """The collections of the class by attribute."""

    _reader_type: type[Reader[Any]] = Reader
    _catalog_type: type[Catalog[Any]] = Catalog

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        declared: dict[str, Collection[Any]] = {}
        for base in reversed(cls.__mro__):
            for attribute, value in vars(base).items():
                declared.pop(attribute, None)
                if isinstance(value, Collection):
                    declared[attribute] = value
        _check_declared(cls, declared)
        cls.declared = declared

    def __init__(self, storage: Storage, *, concurrency: int = CONCURRENCY, retries: RetryPolicy | None = None) -> None:
        if not isinstance(getattr(self, "item_manager", None), IManager):
            msg = f"{type(self).__qualname__} declares no instance of an item manager: item_manager = DictItems(pk=…)"
            raise TypeError(msg)
        check_storage(storage)
        check_holds_items(storage)
        if concurrency < 1:
            msg = f"concurrency must be at least 1, not {concurrency}"
            raise ValueError(msg)
        self.storage = storage
        self._concurrency = concurrency
        self._layout = Layout(self.item_manager.name)
        self._committer = Committer(storage, self._layout, retries or RetryPolicy(), concurrency)
        self._reader: Reader[T] = self._reader_type(self._committer, self.item_manager, concurrency)
        collections = {name: collection.bind(self._reader) for name, collection in self.declared.items()}
        self._catalog = self._catalog_type(self._reader, collections)
        vars(self).update(collections)

    async def add_item(self, item: T) -> Revision:
        """Create the item, or replace the one with its primary key, and return its revision.

        Of concurrent writers the last one wins, whole: item and listings always agree.

        Raises:
            CommitUnknownError: It may or may not have been written; adding again is safe.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            ConflictError: Others kept being faster.
            UnavailableError: The store does not answer; nothing was written.
            TypeError, ValueError: The item has no primary key, or cannot be serialized or listed; nothing was sent.

        Cost:
            1 get; a put for each new index entry and unique value, at once; 1 put; 1 deletion if entries were dropped,
            1 get and 1 deletion for each unique value given up. With transactions, 1 commit; if there was an item, 2
            and 1 get. On SQLite, 1 get and 1 commit.
        """
        key, draft = self._catalog.draft(item)
        # Of many at once, a wrong guess only makes a transaction larger that there is anyway.
        guesses = self._committer.has_transactions and (is_bulk() or not self.storage.capabilities.quick_reads)
        base = None if guesses else await self._committer.load(key)

        async def same(_: Stored | None) -> Draft:
            return draft

        return await self._write(key, same, base)

    async def insert_item(self, item: T) -> Revision:
        """Create the item and return its revision; of concurrent inserts exactly one succeeds.

        Raises:
            AlreadyExistsError: There is an item with its primary key; nothing was written.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            CommitUnknownError: It may or may not have been written.
            UnavailableError: The store does not answer; nothing was written.
            TypeError, ValueError: The item has no primary key, or cannot be serialized or listed; nothing was sent.

        Cost:
            A put for each index entry and unique value, at once; then 1 put. With transactions, 1 commit. More when an
            item with this primary key was removed before.
        """
        key, draft = self._catalog.draft(item)

        async def create(current: Stored | None) -> Draft:
            if current is not None and current.header.live:
                raise AlreadyExistsError(key, current.header.rev)
            return draft

        return await self._write(key, create, None)

    async def replace_item(self, item: T, *, expect: str) -> Revision:
        """Replace the item if it still has the revision ``expect``, and return its new one.

        Args:
            item: The new item.
            expect: What a write, or ``get_revision``, returned; its plain text serves too.

        Raises:
            ConflictError: It has another revision, or is gone; nothing was written.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            CommitUnknownError: It may or may not have been written.
            UnavailableError: The store does not answer; nothing was written.
            TypeError, ValueError: The item has no primary key, or cannot be serialized or listed; nothing was sent.

        Cost:
            That of ``add_item``, without the get when ``expect`` is the very object that a write returned.
        """
        if not isinstance(expect, str):
            msg = f"expect takes a revision, not {type(expect).__name__}; without one, use add_item"
            raise TypeError(msg)
        key, draft = self._catalog.draft(item)
        base = expect.stored if isinstance(expect, Revision) else None
        if base is None:
            base = await self._committer.load(key)
            if base is None or not base.header.live or base.header.rev != expect:
                raise ConflictError(key, expect, _rev(base))
        outcome = await self._committer.commit(key, base, draft)
        if isinstance(outcome, Lost):
            raise ConflictError(key, expect, _rev(outcome.current))
        return outcome

    async def update_item(self, pk: PrimaryKey, fn: Callable[[T], T | Awaitable[T | None] | None]) -> Revision:
        """Read the item, change it, write it; again from the start when somebody else was faster.

        Args:
            pk: The primary key.
            fn: Returns the changed item, or changes it in place and returns ``None``. It may be called several
                times, each time with a fresh item, and may be a coroutine function.

        Raises:
            NotFoundError: There is no such item.
            UniqueViolationError: Another item holds one of its unique values; nothing was written.
            ConflictError: Others kept being faster.
            CommitUnknownError: It may or may not have been written.
            UnavailableError: The store does not answer; nothing was written.
            ValueError: ``fn`` changed the primary key; nothing was written.

        Cost:
            1 get and 1 put when no index key changes; else that of ``add_item``.
        """
        key = self._layout.item(primary_key_text(pk))

        async def change(current: Stored | None) -> Draft:
            if current is None or not current.header.live:
                raise NotFoundError(key)
            item = self._reader.revive(key, current)
            changed = fn(item)
            if inspect.isawaitable(changed):
                changed = await changed
            new_key, draft = self._catalog.draft(item if changed is None else changed)
            if new_key != key:
                msg = f"an update may not change the primary key of {key}"
                raise ValueError(msg)
            return draft

        return await self._write(key, change, await self._committer.load(key))

    async def remove_item(self, item_or_pk: T | PrimaryKey) -> bool:
        """Remove an item from the shelf and all its collections.

        Args:
            item_or_pk: The item, of which only the primary key is used, or its primary key.

        Returns:
            Whether there was one.

        Raises:
            CommitUnknownError: It may or may not have been removed; removing again is safe.
            ConflictError: Others kept being faster.
            UnavailableError: The store does not answer; nothing was removed.

        Cost:
            1 get, 1 put, and 1 deletion of its index entries if it has any; 1 get and 1 deletion for each of its unique
            values. With transactions, 1 get, 1 more for each unique value, and 1 commit.
        """
        is_pk = isinstance(item_or_pk, PrimaryKey)
        pk = primary_key_text(item_or_pk) if is_pk else self.item_manager.pk_text(item_or_pk)  # type: ignore[arg-type]
        key = self._layout.item(pk)
        current = await self._committer.load(key)
        if current is None or not current.header.live:
            return False
        try:
            await self._write(key, partial(_tombstone, key), current)
        except NotFoundError:  # somebody else was faster
            return False
        return True

    async def get_item(self, pk: PrimaryKey) -> T:
        """Return the item with this primary key.

        Raises:
            NotFoundError: There is none.
            CorruptionError: It cannot be read.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get.
        """
        key, stored = await self._find(pk, self._committer.look)
        if stored is None:
            raise NotFoundError(key)
        return self._reader.revive(key, stored)

    async def find_item(self, pk: PrimaryKey) -> T | None:
        """Return the item with this primary key, or ``None``; otherwise like ``get_item``."""
        key, stored = await self._find(pk, self._committer.look)
        return None if stored is None else self._reader.revive(key, stored)

    async def get_revision(self, pk: PrimaryKey) -> tuple[T, Revision]:
        """Return the item with this primary key and its revision, for a later ``replace_item``; like ``get_item``."""
        key, stored = await self._find(pk, self._committer.load)
        if stored is None:
            raise NotFoundError(key)
        return self._reader.revive(key, stored), Revision.of(stored)

    async def was_committed(self, pk: PrimaryKey, rev: str) -> bool:
        """Return whether the write that was to give an item the revision ``rev`` was done.

        It answers what a ``CommitUnknownError`` left open. ``False`` is for good: the write will not be done later
        either. Ask within the hour, before a sweep forgets removed items.

        Args:
            pk: The primary key.
            rev: ``CommitUnknownError.rev``, or what a write returned.

        Raises:
            CommitUnknownError: It may still be done, since nobody has written the item in the meantime; or so many
                have that nobody can tell. Writing the item again settles it.
            UnavailableError: The store did not answer; safe to repeat.
            ValueError: ``rev`` is no revision.

        Cost:
            1 get.
        """
        return await self._committer.was_committed(self._layout.item(primary_key_text(pk)), rev)

    async def get_items(self, pks: Iterable[PrimaryKey]) -> list[T]:
        """Return the items with these primary keys, in their order.

        Raises:
            NotFoundError: There is none with one of them.
            CorruptionError: One cannot be read.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get for each, as many at a time as ``concurrency``.
        """
        return await map_bounded(self.get_item, list(many(pks)), self._concurrency)

    async def add_items(self, items: Iterable[T]) -> int:
        """Add items as ``add_item`` does, many at a time; of several with one primary key the last one stays.

        After the first failure no further item is begun. Each item is written whole or not at all; adding them all
        again is safe.

        Args:
            items: As many as you like, also of a generator: memory does not grow with their number.

        Returns:
            How many items were written.
        """
        in_order = PerKey()

        async def add(item: T) -> None:
            await in_order.run(self.item_manager.pk_text(item), lambda: self.add_item(item))

        return await each_bounded(add, many(items), self._concurrency)

    async def remove_items(self, items_or_pks: Iterable[T | PrimaryKey]) -> int:
        """Remove items as ``remove_item`` does, many at a time, and return how many there were."""
        removed = 0

        async def remove(item_or_pk: T | PrimaryKey) -> None:
            nonlocal removed
            if await self.remove_item(item_or_pk):
                removed += 1

        await each_bounded(remove, many(items_or_pks), self._concurrency)
        return removed

    async def _find(self, pk: PrimaryKey, read: Callable[[Key], Awaitable[Stored | None]]) -> tuple[Key, Stored | None]:
        key = self._layout.item(primary_key_text(pk))
        stored = await read(key)
        return key, stored if stored is not None and stored.header.live else None

    async def _write(
        self,
        key: Key,
        draft: Callable[[Stored | None], Awaitable[Draft | None]],
        base: Stored | None,
    ) -> Revision:
        """Commit what ``draft`` makes of what is stored, starting from ``base``, until nobody else was faster."""
        for attempt, pause in enumerate(self._committer.policy.conflict_pauses(_ATTEMPTS_ALONE)):
            if attempt > 1:  # the first time, what won is known and was just read
                await asyncio.sleep(pause)
                base = await self._committer.load(key)
            new = await draft(base)
            outcome = await self._committer.commit(key, base, new)
            if isinstance(outcome, Revision):
                return outcome
            base = outcome.current
        raise ConflictError(key, None, _rev(base))


def _rev(stored: Stored | None) -> str | None:
    return None if stored is None else stored.header.rev


async def _tombstone(key: Key, stored: Stored | None) -> None:
    if stored is None or not stored.header.live:
        raise NotFoundError(key)


def _check_declared(cls: type, declared: Mapping[str, Collection[Any]]) -> None:
    names: dict[str, str] = {}
    for attribute, collection in declared.items():
        if hasattr(CManager, attribute):
            msg = f"{cls.__qualname__}.{attribute}: a collection cannot have the name of a method of CManager"
            raise TypeError(msg)
        if type(collection).key is Collection.key and collection._key is None:
            msg = f"{cls.__qualname__}.{attribute} has no key: override key(), or give a function"
            raise TypeError(msg)
        if other := names.get(collection.name):
            msg = (
                f"{cls.__qualname__}: the collections {other} and {attribute} would both be stored as "
                f"{collection.name!r}; give one of them another name="
            )
            raise TypeError(msg)
        names[collection.name] = attribute
