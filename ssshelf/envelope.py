"""The stored form of an item: one line of JSON about it, then the bytes of the document as they were serialized.

::

    {"ssshelf":1,"rev":"3-9a…","n":3,"prev":["2-…","1-…"],"state":"live","type":"application/json","size":27,
     "entries":{"1-…":["every!/2024!"],"3-9a…":["by-tag!/python!"]}, "claims":{"1-…":["by-email!/ada!"]}}
    {"link":"http://google.com"}
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from ssshelf.errors import CorruptionError
from ssshelf.keys import Key

__all__ = ["FORMAT_VERSION", "LINEAGE", "UNWRITTEN", "Header", "Stored", "pack", "unpack"]

FORMAT_VERSION = 1
LINEAGE = 16
"""How many earlier revisions a header remembers: the last ones, and the very first."""

_IS_LIVE = {"live": True, "tombstone": False}
_FIELDS = itemgetter("rev", "n", "prev", "state", "type", "size", "entries")
_KINDS = (str, int, list, str, str, int, dict)
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Header(NamedTuple):
    """What the commit protocol knows of an item.

    Attributes:
        rev: The revision; no other commit of this item ever has the same.
        n: How many commits the item has had.
        lineage: The revisions before, the newest first. The last of them is always the item's first, so that an insert
            finds itself however many commits have gone by.
        live: Whether there is an item; a removed one leaves a tombstone.
        entries: The live index entries: index key as k1 text, and what its name ends in, as ``EntryName.ending``.
        claims: The unique values that the item holds: index key as k1 text, and the revision that claimed it.
        content_type: The media type of the document.
    """

    rev: str
    n: int
    lineage: tuple[str, ...] = ()
    live: bool = True
    entries: Mapping[str, str] = _NOTHING
    claims: Mapping[str, str] = _NOTHING
    content_type: str = ""

    def descends_from(self, rev: str) -> bool:
        """Whether the commit ``rev`` is this one, or one of the last before it."""
        return self.rev == rev or rev in self.lineage

    def remembered(self) -> tuple[str, ...]:
        """Return the lineage of the next commit."""
        revs = (self.rev, *self.lineage)
        return revs if len(revs) <= LINEAGE else (*revs[: LINEAGE - 1], revs[-1])

    def has_forgotten(self, n: int) -> bool:
        """Whether the lineage does not tell any more if it has the ``n``-th commit of a writer."""
        return n > 1 and self.n - n >= LINEAGE


class Stored(NamedTuple):
    """What is stored under a primary key: a live item or a tombstone."""

    etag: str
    header: Header
    body: bytes = b""


UNWRITTEN = Header("", 0)
"""What a key has under which nothing was ever stored."""


def pack(header: Header, body: bytes) -> bytes:
    """Return the bytes to store."""
    line: dict[str, Any] = {
        "ssshelf": FORMAT_VERSION,
        "rev": header.rev,
        "n": header.n,
        "prev": header.lineage,
        "state": "live" if header.live else "tombstone",
        "type": header.content_type,
        "size": len(body),
        "entries": _by_ending(header.entries),
    }
    if header.claims:
        line["claims"] = _by_ending(header.claims)
    return orjson.dumps(line) + b"\n" + body


def unpack(key: Key, data: bytes) -> tuple[Header, bytes]:
    """Return the header and the document in ``data``, which was stored under ``key``.

    Raises:
        CorruptionError: It is no envelope, one cut short, or of a format that this version does not know.
    """
    head, newline, body = data.partition(b"\n")
    try:
        line = orjson.loads(head if newline else b"")
        version = line["ssshelf"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        raise CorruptionError(key, "not the stored form of an item") from None
    if version != FORMAT_VERSION or type(version) is not int:
        reason = f"stored in format {version!r:.20}; this version of ssshelf reads format {FORMAT_VERSION} only"
        raise CorruptionError(key, reason)
    try:
        header, size = _header(line)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise CorruptionError(key, "the header of the stored item is damaged") from None
    if size != len(body):
        raise CorruptionError(key, f"the document should have {size} bytes and has {len(body)}")
    return header, body


def _header(line: Mapping[str, Any]) -> tuple[Header, int]:
    """Return the header, and the size of the document behind it."""
    fields = _FIELDS(line)
    if tuple(map(type, fields)) != _KINDS:
        raise TypeError
    rev, n, lineage, state, content_type, size, entries = fields
    claims = _by_index(line["claims"]) if "claims" in line else _NOTHING
    return Header(rev, n, _texts(lineage), _IS_LIVE[state], _by_index(entries), claims, content_type), size


def _by_ending(endings: Mapping[str, str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for index in sorted(endings):
        grouped.setdefault(endings[index], []).append(index)
    return grouped


def _by_index(grouped: Mapping[str, Any]) -> dict[str, str]:
    endings: dict[str, str] = {}
    for ending, indexes in grouped.items():
        for index in _texts(indexes):
            endings[index] = ending
    return endings


def _texts(values: Any) -> tuple[str, ...]:
    if type(values) is not list:
        raise TypeError
    for value in values:
        if type(value) is not str:
            raise TypeError
    return tuple(values)
