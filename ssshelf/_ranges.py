"""The names of a shelf's entries, and ranges of them."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeAlias

from ssshelf._taken import is_taken
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key, Part, decode, encode
from ssshelf.pages import parts_of
from ssshelf.storages.base import MAX_SCAN_ROWS, Storage, scan_pages

__all__ = ["Names", "Range", "ShelfKey"]

ShelfKey: TypeAlias = "Part | tuple[Part, ...]"
"""A key of a shelf: a part, or a tuple of parts; a tuple of one part is that part."""


@dataclass(frozen=True, slots=True)
class _Span:
    """What one listing shows: the rows under ``prefix`` between two positions."""

    prefix: Key
    after: str | None = None
    before: str | None = None
    limit: int = MAX_SCAN_ROWS


@dataclass(frozen=True, slots=True)
class Range:
    """Some neighbouring keys of a shelf.

    Attributes:
        low: The k1 text of the first key that may be in it.
        high: A text behind those of all its keys, and before any other one's.
        spans: The listings that show it.
    """

    low: str
    high: str
    spans: tuple[_Span, ...]

    def holds(self, at: Key) -> bool:
        """Whether ``at``, of the same shelf, is in the range."""
        return self.low <= at.below < self.high

    async def pages(
        self, storage: Storage, limit: int = MAX_SCAN_ROWS, *, with_taken: bool = False
    ) -> AsyncIterator[list[Key]]:
        """Yield the keys of the range, in order; what something else has put there is left out.

        Args:
            storage: Where the shelf is.
            limit: Most keys of a page.
            with_taken: Whether to yield also those where only the mark of a pop is.

        Cost:
            1 scan for each 1,000, and 1 more with a prefix and no start.
        """
        for span in self.spans:
            most = min(limit, span.limit)
            async for rows in scan_pages(storage, span.prefix, span.after, span.before, most):
                keys = (row for row in rows if row.key.text.endswith("!"))
                yield [row.key for row in keys if with_taken or not is_taken(row)]


class Names:
    """The names of one shelf: ``shelves!/{name}!/{part}!/…``.

    Attributes:
        root: What all entries are stored under.
    """

    __slots__ = ("_below", "root")

    def __init__(self, name: str) -> None:
        self.root = Key("shelves", name)
        self._below = self.root.below

    def key(self, key: ShelfKey) -> Key:
        """Return under which key the value of ``key`` is stored.

        Raises:
            TypeError: It is no key.
            ValueError: It is an empty tuple, or a part has no place in the order of keys.
        """
        if type(key) is str:
            return _key_of_text(self._below, key)
        parts = key if isinstance(key, tuple) else (key,)
        if not parts:
            msg = "an empty tuple is no key: a key has one part at least"
            raise ValueError(msg)
        return Key.from_text(self._below + encode(parts)[:-1])

    def parts(self, key: Key) -> ShelfKey:
        """Return the inverse of ``key``, in canonical form.

        Raises:
            CorruptionError: Something else has made the name.
        """
        try:
            parts = decode(key.below[len(self._below) :])
        except ValueError as error:
            raise CorruptionError(key, "its name is not that of a value") from error
        return parts[0] if len(parts) == 1 else parts

    def range(self, prefix: ShelfKey | None, start: ShelfKey | None, stop: ShelfKey | None) -> Range:
        """Return a range of the shelf; ``None`` bounds nothing, the part None is ``(None,)``.

        Args:
            prefix: Leading parts of the keys.
            start: The first key, of the parts that follow the prefix; ``()`` is the prefix itself.
            stop: The first key, likewise, that is not in the range any more.
        """
        leading, first = (() if given is None else parts_of(given) for given in (prefix, start))
        base = Key.from_text((self._below + encode(leading))[:-1])
        low = base.below + encode(first)
        high = f"{base.below[:-1]}0" if stop is None else base.below + encode(parts_of(stop))
        # Names end in "!" where texts end in "!/": without its end, a text sorts right before the name.
        under = _Span(base, low[:-2] if first else None, None if stop is None else high[:-1])
        itself = [self._alone(base)] if leading and not first and stop != () else []
        return Range(low, high, (*itself, under))

    def only(self, at: Key) -> Range:
        """Return the range that holds one key."""
        return Range(at.below, f"{at.below} ", (self._alone(at),))

    def _alone(self, at: Key) -> _Span:
        return _Span(self.root, at.text[:-1], at.below, limit=1)


@functools.lru_cache(maxsize=8192)
def _key_of_text(below: str, text: str) -> Key:
    return Key.from_text(below + encode((text,))[:-1])
