"""Covers: some values of an item, as text for the names of its index entries.

The text is ``1``, then the values as JSON, with the tags of ``JSONSerializer``, deflated and in base64; each ``_`` is
two, as k1 has it. Names of the values are in it, so that it can be read without the program that wrote it.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ssshelf.serializers import DictSerializer

__all__ = ["is_same_cover", "pack_cover", "unpack_cover", "values_of"]

_FORMAT: Final = "1"
_SERIALIZER: Final = DictSerializer()
_WINDOW_BITS: Final = -15  # without header and checksum: the item is checked, and a name is never half there
_MEMORY_LEVEL: Final = 3  # a cover has some hundred bytes
# What covers are made of, the most frequent last; a text of some hundred bytes shrinks by a third more. It may never
# change: another one is another format.
_DICTIONARY: Final = (
    b'{"$datetime":"20 -01T00:00:00+00:00"}false,null,true,"id":"name":"email":"status":"date":"author":"description":'
    b'"text":".html","url":"http://www.example.com/https://www.","title":"the '
)


def values_of(item: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return values of an item by their names: of a mapping its values, or ``None``, of anything else its attributes.

    Raises:
        AttributeError: It has no such attribute.
    """
    if isinstance(item, Mapping):
        return {name: item.get(name) for name in names}
    return {name: getattr(item, name) for name in names}


def pack_cover(values: Mapping[str, Any]) -> str:
    """Return the text of ``values``; empty if there are none.

    Raises:
        TypeError, ValueError: JSON has no form for one of them, not even with a tag.
    """
    if not values:
        return ""
    line = _SERIALIZER.dump({name: values[name] for name in sorted(values)})
    deflate = zlib.compressobj(9, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, _DICTIONARY)
    data = deflate.compress(line) + deflate.flush()
    return _FORMAT + base64.urlsafe_b64encode(data).decode().rstrip("=").replace("_", "__")


def unpack_cover(text: str) -> dict[str, Any]:
    """Return the values in ``text``; none if there are none, or another format or something else wrote it."""
    try:
        return _SERIALIZER.load(_inflated(text)) if text else {}
    except ValueError:
        return {}


def is_same_cover(one: str, other: str) -> bool:
    """Whether two texts hold the same values: libraries that deflate need not agree on the bytes."""
    if one == other or not (one and other):
        return one == other
    try:
        return _inflated(one) == _inflated(other)
    except ValueError:
        return False


def _inflated(text: str) -> bytes:
    if not text.startswith(_FORMAT):
        msg = "a cover of another format"
        raise ValueError(msg)
    packed = text[len(_FORMAT) :].replace("__", "/").replace("-", "+")
    data = binascii.a2b_base64(packed + "=" * (-len(packed) % 4), strict_mode=True)  # base64 has it slower
    try:
        return zlib.decompressobj(_WINDOW_BITS, _DICTIONARY).decompress(data)
    except zlib.error as error:
        msg = "no cover"
        raise ValueError(msg) from error
