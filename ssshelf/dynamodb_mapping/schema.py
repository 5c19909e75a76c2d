"""The keys of a table: how they are given, stored, and returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ssshelf.dynamodb_mapping.values import DynamoDBItemType, Image, Values
from ssshelf.keys import Key

__all__ = ["DynamoDBKeyPart", "DynamoDBKeySimplified", "Schema", "address", "hashable", "identity", "letters"]

DynamoDBKeyPart = str | bytes | bytearray | int | float | Decimal
DynamoDBKeySimplified = DynamoDBKeyPart | tuple[DynamoDBKeyPart, DynamoDBKeyPart]
"""The key of an item: a value, or two if the table has a sort key."""

_LETTERS: dict[type, str] = {str: "S", bytes: "B", int: "N", float: "N", Decimal: "N"}
_WORDS = {"S": "a str", "N": "a number", "B": "bytes"}
_MOST_BYTES = (2048, 1024)


@dataclass(frozen=True)
class Schema:
    """The keys of one table.

    Attributes:
        table: What it is called.
        types: The letters of its keys' types by their names, the partition key first.
        values: How values are stored.
    """

    table: str
    types: dict[str, str]
    values: Values

    @property
    def names(self) -> tuple[str, ...]:
        """What the keys are called."""
        return tuple(self.types)

    def image(self, key: Any) -> dict[str, Image]:
        """Return a key as it is stored.

        Raises:
            TypeError: It is of another type than the table's keys.
            ValueError: It has too many parts, or too few, or DynamoDB has no such key: an empty or a long one.
        """
        return self._image(self._parts(key))

    def lookup(self, key: Any) -> dict[str, Image]:
        """Return a key as it would be stored.

        Raises:
            KeyError: No item can have it.
            ValueError: It has too many parts, or too few.
        """
        parts = self._parts(key)
        try:
            return self._image(parts)
        except (TypeError, ValueError) as error:
            raise KeyError(str(error)) from error

    def key(self, item: DynamoDBItemType) -> Any:
        """Return the key of an item: a value, or a tuple of two."""
        parts = tuple(item[name] for name in self.types)
        return parts if len(parts) > 1 else parts[0]

    def of(self, images: Mapping[str, Image]) -> dict[str, Image]:
        """Return the key of a stored item."""
        return {name: images[name] for name in self.types}

    def item(self, images: Mapping[str, Image]) -> dict[str, Any]:
        """Return a stored item, its key attributes first."""
        first = {name: images[name] for name in self.types if name in images}
        return self.values.item(first | dict(images))

    def _parts(self, key: Any) -> tuple[Any, ...]:
        several = isinstance(key, Iterable) and not isinstance(key, (str, bytes, bytearray))
        parts = tuple(key) if several else (key,)
        if len(parts) != len(self.types):
            msg = f"a key of table {self.table!r} has a value for each of {self.names}, not {len(parts)}"
            raise ValueError(msg)
        return parts

    def _image(self, parts: tuple[Any, ...]) -> dict[str, Image]:
        images = {name: self.values.image(part) for name, part in zip(self.types, parts, strict=True)}
        for (name, image), part, most in zip(images.items(), parts, _MOST_BYTES, strict=False):
            ((letter, stored),) = image.items()
            if letter != self.types[name]:
                msg = f"key {name!r} of table {self.table!r} is {_WORDS[self.types[name]]}, not {type(part).__name__}"
                raise TypeError(msg)
            if letter != "N" and not 0 < len(stored.encode() if letter == "S" else stored) <= most:
                msg = f"key {name!r} of table {self.table!r} has 1 to {most} bytes"
                raise ValueError(msg)
        return images


def identity(key: Mapping[str, Image]) -> tuple[Any, ...]:
    """Return what is equal for equal keys, however their numbers are written."""
    return tuple(_plain(image) for image in key.values())


def hashable(key: Any) -> Any:
    """Return a key that is equal to one in any form, and that a dictionary can have."""
    if isinstance(key, list | tuple):
        return tuple(map(hashable, key))
    return bytes(key) if isinstance(key, bytearray) else key


def address(table: str, key: Mapping[str, Image]) -> Key:
    """Return what errors call an item."""
    return Key(table, *identity(key))


def letters(keys: Mapping[str, type]) -> dict[str, str]:
    """Return the letters of the types of keys, which are given as Python's types.

    Raises:
        TypeError: These are no types by names.
        ValueError: These can be no keys.
    """
    if not isinstance(keys, Mapping):
        msg = f'keys are types by their names, such as {{"id": str}}, not one {type(keys).__name__}'
        raise TypeError(msg)
    known = [_LETTERS[kind] for kind in keys.values() if isinstance(kind, type) and kind in _LETTERS]
    if not 1 <= len(known) == len(keys) <= len(_MOST_BYTES):
        msg = "a table has a partition key and perhaps a sort key, of the types str, int, float, Decimal or bytes"
        raise ValueError(msg)
    return dict(zip(keys, known, strict=True))


def _plain(image: Image) -> Any:
    ((letter, stored),) = image.items()
    return Decimal(stored) if letter == "N" else stored
