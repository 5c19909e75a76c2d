"""Views of a shelf: its keys, items or values, or those of a range; read anew each time, page by page."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import TYPE_CHECKING, Any, TypeVar

from ssshelf._ranges import Range, ShelfKey

if TYPE_CHECKING:
    from ssshelf.blocking.shelf import Shelf

__all__ = ["Items", "Keys", "Values"]

V = TypeVar("V")


class _View:
    """What the views share: the part of a shelf that they show."""

    def __init__(self, shelf: Shelf[Any], within: Range) -> None:
        self._shelf = shelf
        self._within = within

    def __len__(self) -> int:
        return self._shelf._count(self._within)

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} of {self._shelf!r}>"


class Keys(_View, KeysView[ShelfKey]):
    """The keys, in order."""

    def __iter__(self) -> Iterator[ShelfKey]:
        return self._shelf._iter_keys(self._within)

    def __contains__(self, key: object) -> bool:
        return self._shelf._holds(self._within, key) and key in self._shelf


class Items(_View, ItemsView[ShelfKey, V]):
    """The keys and their values, in the order of keys."""

    def __iter__(self) -> Iterator[tuple[ShelfKey, V]]:
        return self._shelf._iter_items(self._within)

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:  # noqa: PLR2004  a key and a value
            return False
        key, value = item
        if not self._shelf._holds(self._within, key):
            return False
        try:
            found = self._shelf[key]
        except KeyError:
            return False
        return bool(found is value or found == value)


class Values(_View, ValuesView[V]):
    """The values, in the order of their keys."""

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._shelf._iter_items(self._within))

    def __contains__(self, value: object) -> bool:
        return any(found is value or found == value for found in self)
