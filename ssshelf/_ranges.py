"""The names of a shelf's entries, and ranges of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeAlias

from ssshelf.errors import CorruptionError
from ssshelf.keys import Key, Part, decode, encode
from ssshelf.pages import parts_of
from ssshelf.storages.base import MAX_SCAN_ROWS, Row, Storage, scan_pages

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


class Range:
    """Keys that begin with a prefix, from one on and up to another one.

    Args:
        root: What all keys of the shelf are stored under.
        prefix: Leading parts of the keys.
        start: The first key, of the parts that follow the prefix; ``()`` is the prefix itself.
        stop: The first key, likewise, that is not in the range any more; ``None`` when all are.
    """

    __slots__ = ("_high", "_low", "_spans")

    def __init__(
        self, root: Key, prefix: tuple[Part, ...], start: tuple[Part, ...], stop: tuple[Part, ...] | None
    ) -> None:
        base = Key.from_text((root.below + encode(prefix))[:-1])
        self._low = base.below + encode(start)
        self._high = None if stop is None else base.below + encode(stop)
        # Names end in "!" where texts end in "!/": without its end, a text sorts right before the name.
        under = _Span(base, self._low[:-2] if start else None, None if self._high is None else self._high[:-1])
        alone = [_alone(root, base)] if prefix and not start and stop != () else []
        self._spans = [*alone, under]

    @classmethod
    def of(cls, root: Key, key: Key) -> Range:
        """Return the range that holds one key only."""
        only = cls.__new__(cls)
        only._low, only._high, only._spans = key.below, key.below + " ", [_alone(root, key)]
        return only

    def holds(self, key: Key) -> bool:
        """Whether ``key``, of the same shelf, is in the range."""
        return self._low <= key.below and (self._high is None or key.below < self._high)

    async def pages(self, storage: Storage, limit: int = MAX_SCAN_ROWS) -> AsyncIterator[list[Row]]:
        """Yield the rows of the range in the order of keys; what something else has put there is left out.

        Cost:
            1 scan for each 1,000, and 1 more with a prefix and no start.
        """
        for span in self._spans:
            most = min(limit, span.limit)
            async for rows in scan_pages(storage, span.prefix, span.after, span.before, most):
                yield [row for row in rows if row.key.text.endswith("!")]


def _alone(root: Key, key: Key) -> _Span:
    return _Span(root, key.text[:-1], key.below, limit=1)


class Names:
    """The names of one shelf: ``shelves!/{name}!/{part}!/…``.

    Attributes:
        root: What all entries are stored under.
    """

    __slots__ = ("root",)

    def __init__(self, name: str) -> None:
        self.root = Key("shelves", name)

    def key(self, key: ShelfKey) -> Key:
        """Return under which key the value of ``key`` is stored.

        Raises:
            TypeError: It is no key.
            ValueError: It is an empty tuple, or a part has no place in the order of keys.
        """
        parts = key if isinstance(key, tuple) else (key,)
        if not parts:
            msg = "an empty tuple is no key: a key has one part at least"
            raise ValueError(msg)
        return Key.from_text(self.root.below + encode(parts)[:-1])

    def parts(self, key: Key) -> ShelfKey:
        """Return the inverse of ``key``, in canonical form.

        Raises:
            CorruptionError: Something else has made the name.
        """
        try:
            parts = decode(key.below[len(self.root.below) :])
        except ValueError as error:
            raise CorruptionError(key, "its name is not that of a value") from error
        return parts[0] if len(parts) == 1 else parts

    def range(self, prefix: ShelfKey | None, start: ShelfKey | None, stop: ShelfKey | None) -> Range:
        """Return a range of the shelf; ``None`` bounds nothing, the part None is ``(None,)``."""
        leading, first = (() if given is None else parts_of(given) for given in (prefix, start))
        return Range(self.root, leading, first, None if stop is None else parts_of(stop))
