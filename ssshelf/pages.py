"""Pages: slices of a collection, and the cursors that continue them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from ssshelf._concurrency import read_ahead
from ssshelf.errors import CorruptionError, InvalidCursorError
from ssshelf.keys import Key, Part, encode
from ssshelf.layout import Layout

__all__ = ["Cursors", "DescendingWindow", "KeyPage", "Page", "Scanned", "Window", "following", "parts_of"]

R = TypeVar("R")
T = TypeVar("T")
_DIGEST_BYTES = 8
_NAMES = ("after", "items", "keys")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One slice of a collection; also readable as the mapping that ssshelf 0.1 returned.

    Attributes:
        items: The items, in the order of their keys. There may be fewer than asked for although more follow.
        after: Continues behind this page; ``None`` after the last one.
        corrupt: What could not be read, where the caller asked to skip it.
    """

    items: tuple[T, ...]
    after: str | None
    corrupt: tuple[CorruptionError, ...] = ()

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __contains__(self, what: object) -> bool:
        if isinstance(what, str) and what in _NAMES:  # as users of 0.1 ask, and so never a primary key
            return what == self._name or (what == "after" and self.after is not None)
        return what in self.items

    def __getitem__(self, what: str | int | slice) -> Any:
        if isinstance(what, int | slice):
            return self.items[what]
        if what == self._name:
            return self.items
        if what == "after" and self.after is not None:
            return self.after
        raise KeyError(what)

    @property
    def _name(self) -> str:
        return "items"


@dataclass(frozen=True, slots=True)
class KeyPage(Page[str]):
    """One slice of the primary keys of a collection."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The primary keys, in the order of the collection's keys."""
        return self.items

    @property
    def _name(self) -> str:
        return "keys"


class Scanned(Protocol):
    """What a scan found, and where the next one begins."""

    @property
    def after(self) -> str | None:
        """What the next scan is given; ``None`` after the last one."""


S = TypeVar("S", bound=Scanned)


def following(scan: Callable[[str | None], Awaitable[S]], read: Callable[[S], Awaitable[R]]) -> AsyncGenerator[R, None]:
    """Yield page after page: what ``read`` makes of each scan, the next one while this one is used.

    While a page is read the next scan is under way: n pages, each of a scan and of gets at once, take n + 1 steps. Who
    stops has asked for one page and one scan more at the most. A failure is raised behind all pages before it.
    """

    async def scans() -> AsyncGenerator[S, None]:
        yield (scanned := await scan(None))
        while scanned.after is not None:
            yield (scanned := await scan(scanned.after))

    async def pages() -> AsyncGenerator[R, None]:
        async with contextlib.aclosing(read_ahead(scans())) as ahead:
            async for scanned in ahead:
                yield await read(scanned)

    return read_ahead(pages())


def parts_of(value: Part | tuple[Part, ...] | list[Part]) -> tuple[Part, ...]:
    """Return the parts that a caller gave: one part may stand for itself."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


class Cursors:
    """Opaque texts for the places where the pages of one listing end.

    Args:
        listing: Tells it from all others; its cursors are refused by those.
    """

    __slots__ = ("_listing",)

    def __init__(self, listing: str) -> None:
        self._listing = f"{listing} ".encode()

    def pack(self, place: str) -> str:
        """Return the cursor that continues behind ``place``."""
        data = place.encode()
        return base64.urlsafe_b64encode(self._digest(data) + data).decode().rstrip("=")

    def unpack(self, cursor: str) -> str:
        """Return the place that a cursor continues behind.

        Raises:
            InvalidCursorError: It is of another listing, or no cursor at all.
        """
        try:
            data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            place = data[_DIGEST_BYTES:].decode()
            if self.pack(place) == cursor:
                return place
        except (ValueError, TypeError):
            pass
        msg = "`after` is not of this listing: give that of a page with the same collection, prefix, start and stop"
        raise InvalidCursorError(msg)

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2s(self._listing + data, digest_size=_DIGEST_BYTES).digest()


class Window:
    """The part of a collection that one listing is about.

    A position in it is a text, ``EntryName.position``; entries are ordered and paged by their positions.

    Args:
        layout: Of the manager.
        below: What the positions of all entries of the collection start with.
        prefix: Leading parts that the keys must have.
        start: The first key, of the parts that follow the prefix, that belongs to the window.
        stop: The first key after it that no longer does; ``None`` when all do.

    Attributes:
        prefix: The key to scan under.
        before: Where a scan has to stop.
        is_descending: Whether it is listed from its end on.
    """

    is_descending = False
    __slots__ = ("_below", "_cursors", "_high", "_layout", "_low", "before", "prefix")

    def __init__(
        self,
        layout: Layout,
        below: str,
        prefix: tuple[Part, ...],
        start: tuple[Part, ...],
        stop: tuple[Part, ...] | None,
    ) -> None:
        self._layout = layout
        self._below = below + encode(prefix)
        self._low = self._below + encode(start)
        self._high = None if stop is None else self._below + encode(stop)
        self.prefix = Key.from_text(layout.text(self._below)[:-1])
        self.before = None if self._high is None else layout.text(self._high)
        direction = "descending " if self.is_descending else ""
        self._cursors = Cursors(f"{direction}{self.prefix.text} {self._low} {self._high}")

    def begin(self, cursor: str | None) -> tuple[str, str]:
        """Return the position that a page begins behind, and the text that its scan begins after.

        Raises:
            InvalidCursorError: The cursor is of another window, or none at all.
        """
        if cursor is None:
            return self._low, self._layout.text(self._low)
        position = self._below + self._cursors.unpack(cursor)
        return position, self._layout.text(position) + "~"  # greater than every revision

    def bounds(self, begin: str) -> tuple[str | None, str | None]:
        """Return the texts between which a scan has to list that begins at ``begin``: there, or behind a row."""
        return begin, self.before

    def cursor(self, position: str) -> str:
        """Return the cursor that continues behind ``position``."""
        return self._cursors.pack(position[len(self._below) :])

    def holds(self, position: str, behind: str, last: str | None) -> bool:
        """Whether ``position`` is on the page that begins behind ``behind`` and ends at ``last``, if there are more."""
        return self._contains(position) and behind < position and (last is None or position <= last)

    def _contains(self, position: str) -> bool:
        if not position.startswith(self._below) or position <= self._low:
            return False
        return self._high is None or position < self._high


class DescendingWindow(Window):
    """The same, listed from its end on; a cursor continues only the direction that it is of."""

    is_descending = True
    __slots__ = ()

    def begin(self, cursor: str | None) -> tuple[str, str]:
        """Return the position that a page begins before, and the text that its scan begins before."""
        if cursor is not None:
            position = self._below + self._cursors.unpack(cursor)
        else:
            position = f"{self._below}~~" if self._high is None else self._high  # no part begins with two tildes
        return position, self._layout.text(position)

    def bounds(self, begin: str) -> tuple[str | None, str | None]:
        """Return the texts between which a descending scan has to list that begins at ``begin``."""
        return self._layout.text(self._low), begin

    def holds(self, position: str, behind: str, last: str | None) -> bool:
        """Whether ``position`` is on the page that begins before ``behind`` and ends at ``last``, likewise."""
        return self._contains(position) and position < behind and (last is None or last <= position)
