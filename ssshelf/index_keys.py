"""Index keys: what a program returns as the keys of an item, one or several."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from ssshelf.keys import Desc, Part
from ssshelf.pages import parts_of

__all__ = ["Keys", "keys_in"]

Keys: TypeAlias = "Part | tuple[Part, ...] | Iterable[Part | tuple[Part, ...] | list[Part]]"
"""What ``Collection.key`` may return."""

_PARTS = (str, int, float, decimal.Decimal, bytes, uuid.UUID, dt.date, Desc)


def keys_in(name: str, value: Any) -> Iterator[tuple[Part, ...]]:
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
