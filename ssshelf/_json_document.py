"""A dict as the bytes of one JSON document, in the form that S3Dictionary gave it."""

from __future__ import annotations

import json
from typing import Any

from ssshelf.errors import CorruptionError
from ssshelf.keys import Key

__all__ = ["STAMP_BITS", "packed", "parsed", "stamp"]

STAMP_BITS = 64
_WHITE = str.maketrans("01", " \t")
_LEAF = (str, int, float, bool, type(None))


def packed(value: dict[str, Any]) -> bytes:
    """Return ``value`` as JSON; by Python's own ``json``, as orjson has neither integers of any size nor all texts.

    Raises:
        TypeError: JSON has no such value, or a key is no text; as a text it would be another key, and perhaps one that
            is there already.
        ValueError: A number is NaN or infinite, a container is inside itself, or they are nested too deeply.
    """
    if not isinstance(value, dict):
        msg = f"expected a dict, not {type(value).__qualname__}"
        raise TypeError(msg)
    try:
        text = json.dumps(value, allow_nan=False)
        _check_keys(value)
    except RecursionError:
        msg = "the dict is nested too deeply"
        raise ValueError(msg) from None
    return text.encode()


def stamp(number: int) -> bytes:
    """Return ``number`` as white space, which a JSON document may end in.

    With one that was drawn by lot no two saves are the same bytes, and none has the etag of another: so a writer can
    tell its own, and a condition never holds again.
    """
    return f"\n{number:0{STAMP_BITS}b}".translate(_WHITE).encode()


def parsed(key: Key, document: bytes) -> dict[str, Any]:
    """Return the dict in what is stored under ``key``.

    Raises:
        CorruptionError: It is no JSON object.
    """
    try:
        value = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise CorruptionError(key, f"this is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise CorruptionError(key, f"this is JSON, but a {type(value).__name__} and no object")
    return value


def _check_keys(value: Any) -> None:
    """Refuse keys that JSON would turn into texts."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                msg = f"a key is of type {type(name).__name__}, and JSON has texts only: use str(key), or a Shelf"
                raise TypeError(msg)
        value = value.values()
    for inner in value:
        if not isinstance(inner, _LEAF):
            _check_keys(inner)
