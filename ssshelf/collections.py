"""Collections: sorted secondary indexes over the items of a manager, read page by page."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import decimal
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from ssshelf._concurrency import map_bounded, read_ahead
from ssshelf.commit import Committer
from ssshelf.envelope import Stored
from ssshelf.errors import CorruptionError, IncompleteError
from ssshelf.items import IManager, PrimaryKey, primary_key_text, stored_name
from ssshelf.keys import Desc, Key, Part, decode, encode
from ssshelf.layout import EntryName, position_of
from ssshelf.pages import KeyPage, Page, Window, parts_of
from ssshelf.schema import indexed_versions
from ssshelf.storages.base import MAX_SCAN_ROWS, check_limit

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Collection", "Keys", "Prefix", "Reader"]

T = TypeVar("T")

Keys: TypeAlias = "Part | tuple[Part, ...] | Iterable[Part | tuple[Part, ...] | list[Part]]"
"""What ``Collection.key`` may return."""

Prefix: TypeAlias = "Part | tuple[Part, ...] | list[Part]"
"""Leading parts of a key; a single part may stand for itself, but None, which is ``(None,)``."""

PAGE_LIMIT: Final = 200
_PARTS = (str, int, float, decimal.Decimal, bytes, uuid.UUID, dt.date, Desc)


@dataclass(frozen=True, slots=True)
class Reader(Generic[T]):
    """What the collections of one manager read with.

    Attributes:
        committer: Reads items.
        items: Makes them of bytes.
        concurrency: How many items of a page are read at a time.
    """

    committer: Committer
    items: IManager[T]
    concurrency: int

    def revive(self, key: Key, stored: Stored) -> T:
        """Return the item that is stored under ``key``.

        Raises:
            CorruptionError: ``deserialize_item`` cannot make one of the document.
        """
        try:
            return self.items.deserialize_item(stored.body)
        except Exception as error:
            reason = f"deserialize_item of {self.items.name} raised {type(error).__name__}"
            raise CorruptionError(key, reason) from error


class Collection(Generic[T]):
    """A sorted listing of a manager's items by a key that each item gives; declared as a class attribute.

    Override ``key``, or give a function. A listing believes only what the items confirm, so it never shows an
    item under a key it no longer has, whatever crashed.

    Args:
        key: Returns the key of an item; see the method ``key``.
        name: The name that the listing is stored under. By default it derives from the subclass's name,
            ``AllBookmarks`` to ``all-bookmarks``, or else from the attribute's; to rename the class or the attribute
            of a shelf that is in use, give the old name.
        unique: Let no two items have the same key here: a write that would is refused with ``UniqueViolationError``.
            Items that were written without it hold their values only once they are reindexed.
        version: 1 for a collection that is as old as its shelf. When one is added to a shelf in use, or its key
            changes, or it becomes unique, give the next number and reindex: until that is done, listings raise
            ``IncompleteError``.
    """

    _key: Callable[[T], Keys] | None = None
    _name: str | None = None
    unique: bool = False
    """Whether no two items may have the same key; a subclass may say so in its body."""
    version: int = 1
    """The version of the key; likewise."""
    _attribute: str = ""
    _reader: Reader[T] | None = None
    _below: str = ""
    _is_complete: bool = False

    def __init__(
        self,
        key: Callable[[T], Keys] | None = None,
        *,
        name: str | None = None,
        unique: bool | None = None,
        version: int | None = None,
    ) -> None:
        if key is not None and not callable(key):
            msg = f"a collection takes a function of the item, such as lambda item: item[{key!r}], not {key!r}"
            raise TypeError(msg)
        self._key = key
        self._name = name
        if unique is not None:
            self.unique = unique
        if version is not None:
            self.version = version
        if type(self.version) is not int or self.version < 1:
            msg = f"the version of a collection is a number, 1 or later, not {self.version!r}"
            raise ValueError(msg)

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._attribute = self._attribute or attribute

    @property
    def name(self) -> str:
        """The name that the listing is stored under."""
        if self._name:
            return self._name
        return stored_name(type(self).__name__) if type(self) is not Collection else self._attribute.replace("_", "-")

    def key(self, item: T) -> Keys:
        """Return where ``item`` is listed.

        One key: a part (str, number, bool, datetime, date, bytes, UUID, ``Desc`` of one) or a tuple of parts, which
        sorts by the first, then the second, and so on. Several keys: a list, set or generator of such, one entry
        each; a list among them counts as a tuple. ``None``, or an iterable without a key: the item is not listed.
        Values of different types never compare by value: 5 and "5" are far apart.
        """
        if self._key is None:
            msg = f"collection {self.name!r} has no key: override key(), or give a function: Collection(lambda item: …)"
            raise NotImplementedError(msg)
        return self._key(item)

    def get_pk(self, item: T) -> PrimaryKey:
        """Return the primary key of ``item``, as the item manager has it; an override has to agree with it."""
        return self._bound.items.get_pk(item)

    def bind(self, reader: Reader[T]) -> Self:
        """Return a copy of this declaration that reads with ``reader``."""
        bound = copy.copy(self)
        bound._reader = reader
        bound._below = encode((self.name,))
        return bound

    def indexes(self, item: T, pk: str) -> Iterator[str]:
        """Yield the index keys of ``item``, as ``EntryName.index``.

        Raises:
            TypeError, ValueError: ``key`` returned something that is no key.
            ValueError: ``get_pk`` is overridden and has another primary key than ``pk``.
        """
        if type(self).get_pk is not Collection.get_pk and primary_key_text(self.get_pk(item)) != pk:
            msg = f"get_pk of collection {self.name!r} returned another primary key than the item manager's"
            raise ValueError(msg)
        for parts in _keys(self._attribute, self.key(item)):
            yield self._below + encode(parts)[:-1]

    async def get_items(
        self,
        limit: int = PAGE_LIMIT,
        after: str | None = None,
        *,
        prefix: Prefix | None = None,
        start: Prefix | None = None,
        stop: Prefix | None = None,
        skip_corrupt: bool = False,
    ) -> Page[T]:
        """Return one page of items, in the order of their keys.

        Every row was true at some instant during the call, and an item that was there all the time with its key in
        the window of the page is on it, once for each of its keys. Pages are not a snapshot of each other.

        Args:
            limit: Most rows, 1 to 1000. There may be fewer although more follow; only ``after`` tells.
            after: The ``after`` of the page before; ``None`` reads the first.
            prefix: Leading parts of the keys, each matched whole; one part may stand for itself.
            start: The first key to list, of the parts that follow the prefix.
            stop: The first key not to list any more, likewise.
            skip_corrupt: Leave out what cannot be read, and name it in ``Page.corrupt``.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            InvalidCursorError: ``after`` is of another listing.
            ValueError: ``limit`` is not 1 to 1000.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan, then 1 get for each item, as many at a time as the manager's ``concurrency``. An item with several
            rows is read once and deserialized for each, so that no two rows share an object.
        """
        window = self._window(prefix, start, stop)
        return await self._read_page(window, after, limit, skip_corrupt=skip_corrupt)

    async def get_keys(
        self,
        limit: int = PAGE_LIMIT,
        after: str | None = None,
        *,
        prefix: Prefix | None = None,
        start: Prefix | None = None,
        stop: Prefix | None = None,
    ) -> KeyPage:
        """Return one page of primary keys without reading the items.

        The listing is not confirmed by the items. Where the store has no transactions it may name an item under a
        key that a write in progress, or one that crashed, was about to add or to drop.

        Args:
            limit: Most rows, 1 to 1000; there may be fewer although more follow.
            after: The ``after`` of the page before; ``None`` reads the first.
            prefix: Leading parts of the keys, each matched whole; one part may stand for itself.
            start: The first key to list, of the parts that follow the prefix.
            stop: The first key not to list any more, likewise.

        Raises:
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            InvalidCursorError: ``after`` is of another listing.
            ValueError: ``limit`` is not 1 to 1000.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan.
        """
        window = self._window(prefix, start, stop)
        names, last = await self._scan(window, after, limit)
        found = dict.fromkeys((name.index, name.pk) for name in names)
        pks = tuple(pk for _, text in found if (pk := _decoded(text)) is not None)
        return KeyPage(pks, None if last is None else window.cursor(last))

    async def prefix(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[T, None]:
        """Iterate over the items whose keys begin with ``parts``, in order; without parts, over all.

        The next page is read while this one is consumed; memory holds two pages at the most.

        Args:
            parts: Leading parts of the keys, each matched whole.
            start: The first key to list, of the parts that follow.
            stop: The first key not to list any more, likewise.
            skip_corrupt: Leave out what cannot be read.

        Raises:
            CorruptionError: An item cannot be read, and ``skip_corrupt`` is false.
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer.

        Cost:
            That of the pages, of 200 items each.
        """
        async with contextlib.aclosing(self._pages(*parts, start=start, stop=stop, skip_corrupt=skip_corrupt)) as pages:
            async for page in pages:
                for item in page:
                    yield item

    def _pages(
        self, *parts: Prefix, start: Prefix | None = None, stop: Prefix | None = None, skip_corrupt: bool = False
    ) -> AsyncGenerator[Page[T], None]:
        given_as_tuple = len(parts) == 1 and isinstance(parts[0], tuple | list)
        window = self._window(parts[0] if given_as_tuple else tuple(parts), start, stop)  # type: ignore[arg-type]

        async def pages() -> AsyncGenerator[Page[T], None]:
            after: str | None = ""
            while after is not None:
                yield (page := await self._read_page(window, after or None, PAGE_LIMIT, skip_corrupt=skip_corrupt))
                after = page.after

        return read_ahead(pages())

    async def count(
        self, prefix: Prefix | None = None, *, start: Prefix | None = None, stop: Prefix | None = None
    ) -> int:
        """Return how many entries have keys that begin with ``prefix``; an item counts once for each of its keys.

        Like ``get_keys`` it counts without asking the items.

        Raises:
            IncompleteError: The collection has a ``version`` that not all items are listed by yet.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan for each 1,000 entries.
        """
        window = self._window(prefix, start, stop)
        found, after = 0, None
        while True:
            names, last = await self._scan(window, after, MAX_SCAN_ROWS)
            found += len({name.position for name in names})
            if last is None:
                return found
            after = window.cursor(last)

    @property
    def _bound(self) -> Reader[T]:
        if self._reader is None:
            msg = f"collection {self.name!r} is only declared: read it through an instance of its manager"
            raise TypeError(msg)
        return self._reader

    def _window(self, prefix: Prefix | None, start: Prefix | None, stop: Prefix | None) -> Window:
        """Return what a listing is about; ``None`` bounds nothing, the part None is ``(None,)``."""
        first, last = () if start is None else parts_of(start), None if stop is None else parts_of(stop)
        leading = () if prefix is None else parts_of(prefix)
        return Window(self._bound.committer.layout, self._below, leading, first, last)

    async def _scan(self, window: Window, cursor: str | None, limit: int) -> tuple[list[EntryName], str | None]:
        """Return the entries of a page, and the position that it ends at if more follow."""
        check_limit(limit)
        committer = self._bound.committer
        if self.version > 1 and not self._is_complete:
            await self._check_complete()
        after: str | None = window.begin(cursor)[1]
        names: list[EntryName] = []
        while after is not None and not names:  # rows that something else wrote may fill a page
            scan = await committer.storage.scan(window.prefix, after=after, before=window.before, limit=limit)
            names = [name for row in scan.rows if (name := committer.layout.parse(row.key)) is not None]
            after = scan.after
        return names, None if after is None else names[-1].position

    async def _check_complete(self) -> None:
        committer = self._bound.committer
        indexed = (await indexed_versions(committer.storage, committer.layout)).get(self.name, 1)
        if indexed < self.version:
            raise IncompleteError(self.name, self.version, indexed)
        self._is_complete = True

    async def _read_page(self, window: Window, cursor: str | None, limit: int, *, skip_corrupt: bool) -> Page[T]:
        reader, layout = self._bound, self._bound.committer.layout
        behind, _ = window.begin(cursor)
        names, last = await self._scan(window, cursor, limit)
        items = [layout.item_of(pk) for pk in dict.fromkeys(name.pk for name in names)]
        rows: list[tuple[str, T]] = []
        corrupt: list[CorruptionError] = []

        async def read(item: Key) -> None:
            try:
                stored = await reader.committer.load(item)
                if stored is None or not stored.header.live:
                    return
                # Not the entries that were listed but those that the item names: it may have moved within the
                # page since, and then the entry listed is gone and the new one was not there yet.
                positions = [position_of(index, layout.pk_of(item)) for index in stored.header.entries]
                held = [position for position in positions if window.holds(position, behind, last)]
                rows.extend((position, reader.revive(item, stored)) for position in held)
            except CorruptionError as error:
                if not skip_corrupt:
                    raise
                corrupt.append(error)

        await map_bounded(read, items, reader.concurrency)
        rows.sort(key=lambda row: row[0])
        if len(rows) > limit:  # items have gained keys since the scan
            del rows[limit:]
            last = rows[-1][0]
        after = None if last is None else window.cursor(last)
        return Page(tuple(item for _, item in rows), after, tuple(corrupt))


def _decoded(pk_text: str) -> str | None:
    """Return a primary key, or ``None`` when something else wrote the entry."""
    try:
        return str(decode(f"{pk_text}/")[0])
    except ValueError:
        return None


def _keys(name: str, value: Any) -> Iterator[tuple[Part, ...]]:
    """Yield the keys in what a ``key`` method returned."""
    if isinstance(value, _PARTS):
        yield (value,)
    elif isinstance(value, tuple) and not any(isinstance(part, tuple | list) for part in value):
        yield from [value] if value else []
    elif value is not None:
        for key in _several(name, value):
            parts = () if key is None else parts_of(key)
            if parts:
                yield parts


def _several(name: str, value: Any) -> Iterable[Any]:
    """Return ``value`` if it is an iterable of keys."""
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        msg = f"key() of collection {name!r} returned {type(value).__name__}, which is no key and no list of keys"
        raise TypeError(msg)
    if isinstance(value, tuple) and not all(isinstance(key, tuple | list) for key in value):
        msg = (
            f"key() of collection {name!r} returned a tuple that holds parts and lists; "
            "for one entry for each tag return [(author, tag) for tag in tags]"
        )
        raise TypeError(msg)
    return value
