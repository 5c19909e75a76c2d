"""What is listed: the items of a manager, and the entries of a collection, page by page in constant memory."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.commit import Committer
from ssshelf.covers import unpack_cover
from ssshelf.documents import shards_of, text_part
from ssshelf.envelope import Header, Stored
from ssshelf.errors import InvalidCursorError
from ssshelf.keys import Key, Leaf, Part, decode, encode
from ssshelf.layout import EntryName, Layout
from ssshelf.maintenance.survey import find_item
from ssshelf.pages import Page, Window
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import CONCURRENCY, MAX_SCAN_ROWS, Row, Scan, Storage

__all__ = ["ListedEntry", "ListedItem", "count_entries", "entries", "items", "scans"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item as a listing has it, without its document.

    Attributes:
        key: Under which it is stored.
        pk: The primary key; ``None`` when something else wrote the entry.
        modified: When it was written, by the store's clock.
        header: What the commit protocol knows of it; ``None`` if it cannot be read.
        size_bytes: Of the document.
        reason: Why it cannot be read.
    """

    key: Key
    pk: str | None
    modified: dt.datetime | None
    header: Header | None
    size_bytes: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An index entry.

    Attributes:
        parts: The key, without the collection.
        pk: The primary key of the item that it points to.
        modified: When it was written.
        covers: The values of the item that it carries.
        position: Where it is in its listing.
        window: The listing.
    """

    parts: tuple[Part, ...]
    pk: str
    modified: dt.datetime | None
    covers: dict[str, Any]
    position: str
    window: Window

    @property
    def cursor(self) -> str:
        """What continues behind it."""
        return self.window.cursor(self.position)


async def scans(
    storage: Storage, prefix: Key, after: str | None = None, limit: int = MAX_SCAN_ROWS
) -> AsyncIterator[Scan]:
    """Yield scan after scan of everything under ``prefix``, each of up to ``limit`` rows."""
    behind: str | None = after or ""
    while behind is not None:
        scan = await storage.scan(prefix, after=behind or None, limit=limit)
        yield scan
        behind = scan.after


async def items(
    storage: Storage, manager: str, after: str | None = None, limit: int = MAX_SCAN_ROWS
) -> AsyncIterator[Page[ListedItem]]:
    """Yield the items of a manager in the order of their primary keys, what is unreadable included.

    Args:
        storage: Where they are.
        manager: The name that they are stored under.
        after: A primary key to begin behind, which need not be there.
        limit: Most items of a page, 1 to 1000.

    Cost:
        1 scan for each page, and 1 get for each item.
    """
    layout = Layout(manager)
    committer = Committer(storage, layout, RetryPolicy(), CONCURRENCY)

    async def look(row: Row) -> ListedItem | None:
        stored = (await find_item(committer, row)).stored
        if stored is None or (isinstance(stored, Stored) and not stored.header.live):
            return None
        pk = text_part(layout.pk_of(row.key))
        if isinstance(stored, Stored):
            return ListedItem(row.key, pk, row.modified, stored.header, len(stored.body))
        return ListedItem(row.key, pk, row.modified, None, reason=stored.reason)

    begin = None if after is None else layout.item(after).text
    async for scan in scans(storage, layout.items, begin, limit):
        found = await map_bounded(look, scan.rows, CONCURRENCY)
        yield Page(tuple(item for item in found if item is not None), scan.after)


async def entries(
    storage: Storage,
    path: tuple[str, str],
    prefix: tuple[Part, ...],
    after: str | None = None,
    limit: int = MAX_SCAN_ROWS,
) -> AsyncIterator[Page[ListedEntry]]:
    """Yield the entries of a collection in the order of their keys, without asking the items; shard after shard.

    Args:
        storage: Where they are.
        path: The names of the manager and of the collection.
        prefix: Leading parts that their keys have.
        after: The ``cursor`` of an entry of the same listing.
        limit: Most entries of a page, 1 to 1000.

    Raises:
        InvalidCursorError: ``after`` is of another listing.

    Cost:
        1 scan for each page; with a prefix, 1 more to find out about shards, and 2 for each that there is.
    """
    layout, windows = await _windows(storage, path, prefix)
    pages = _pages(storage, layout, _going_on(windows, after), after, limit)
    async for page in pages if len(windows) == 1 else _joined(pages):
        yield page


async def count_entries(storage: Storage, path: tuple[str, str], prefix: tuple[Part, ...]) -> AsyncIterator[int]:
    """Yield how many more entries there are, 1,000 at a time, without looking at their keys."""
    layout, windows = await _windows(storage, path, prefix)
    for window in windows:
        async for found, _ in _named(storage, layout, window, None, MAX_SCAN_ROWS):
            yield len(found)


async def _windows(storage: Storage, path: tuple[str, str], prefix: tuple[Part, ...]) -> tuple[Layout, list[Window]]:
    """Return what to list: of a collection with shards one after the other, unless the prefix begins with one."""
    manager, collection = path
    shards = await shards_of(storage, manager, collection) if prefix and not isinstance(prefix[0], Leaf) else []
    prefixes = [(shard, *prefix) for shard in shards] or [prefix]
    layout = Layout(manager)
    return layout, [Window(layout, encode((collection,)), leading, (), None) for leading in prefixes]


def _going_on(windows: Sequence[Window], after: str | None) -> Sequence[Window]:
    """Return the window that a cursor is of, and those behind it; the last one refuses what is of none."""
    for number, window in enumerate(windows[:-1]):
        with contextlib.suppress(InvalidCursorError):
            window.begin(after)
            return windows[number:]
    return windows[-1:]


async def _pages(
    storage: Storage, layout: Layout, windows: Sequence[Window], after: str | None, limit: int
) -> AsyncIterator[Page[ListedEntry]]:
    for window in windows:
        async for found, behind in _named(storage, layout, window, after, limit):
            yield Page(tuple(entry for name, row in found for entry in _entry(name, row, window)), behind)
        after = None


async def _joined(pages: AsyncIterator[Page[T]]) -> AsyncIterator[Page[T]]:
    """Yield pages of several listings as those of one: of each but the last one, ``after`` tells that more follow."""
    held: Page[T] = Page((), None)
    async for page in pages:
        if page.items:
            yield replace(held, after="")
            held = page
    yield replace(held, after=None)


async def _named(
    storage: Storage, layout: Layout, window: Window, after: str | None, limit: int
) -> AsyncIterator[tuple[list[tuple[EntryName, Row]], str | None]]:
    """Yield the entries of one scan after the other, and where it goes on."""
    last, begin = window.begin(after)
    async for scan in scans(storage, window.prefix, begin, limit):
        found: list[tuple[EntryName, Row]] = []
        for row in scan.rows:
            name = layout.parse(row.key)
            if name is not None and name.position != last:  # twice, when a crash left one of another revision
                last = name.position
                found.append((name, row))
        yield found, scan.after


def _entry(name: EntryName, row: Row, window: Window) -> list[ListedEntry]:
    """Return the entry with this name; nothing, if something else wrote it."""
    try:
        _, *parts = decode(f"{name.index}/")
        (pk,) = decode(f"{name.pk}/")
    except ValueError:
        return []
    return [ListedEntry(tuple(parts), str(pk), row.modified, unpack_cover(name.cover), name.position, window)]
