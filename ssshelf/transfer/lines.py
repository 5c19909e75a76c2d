"""Items as lines of JSON, for files and pipes: readable, and exact to the byte.

::

    {"ssshelf-export":1,"collections":{"bookmarks":{"by-tag":2}}}
    {"manager":"bookmarks","pk":"a","ssshelf":1,"rev":"2-9f…","n":2,"prev":["1-…"],"state":"live",
     "type":"application/json","size":12,"entries":{"1-…":["by-tag!/python!"]},"document":{"slug":"a"}}
    {"end":1}

A line is the header of the item as it is stored, after its manager and primary key, before its document. That stands
there as JSON if this gives the same bytes back, else as ``data`` in base64; if the header would not come back as it is,
``stored`` has all bytes. The last line says how many items there were.

A line that somebody has made has no ``rev``, and may list ``keys`` and ``unique`` ones::

    {"manager":"bookmarks","pk":"a","document":{"slug":"a"},"keys":["by-tag!/python!"]}
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from ssshelf.documents import Document
from ssshelf.errors import CorruptionError
from ssshelf.keys import decode
from ssshelf.layout import Layout, number_of
from ssshelf.transfer.parcels import Parcel

__all__ = ["End", "Line", "Made", "Start", "Versions", "end_line", "item_line", "parse", "start_line"]

_FORMAT_VERSION = 1
_LEAST_INDEX_PARTS = 2

Versions: TypeAlias = Mapping[str, Mapping[str, int]]
"""By manager: which version of each collection lists all items."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first line of an export."""

    versions: Versions = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """An item that has no revision yet."""

    manager: str
    document: Document


@dataclass(frozen=True, slots=True)
class End:
    """The last line of an export: how many items there were."""

    items: int


Line: TypeAlias = Start | Parcel | Made | End


def start_line(versions: Versions) -> bytes:
    """Return the first line of an export."""
    return orjson.dumps({"ssshelf-export": _FORMAT_VERSION, "collections": versions}) + b"\n"


def end_line(items: int) -> bytes:
    """Return the last line of an export."""
    return orjson.dumps({"end": items}) + b"\n"


def item_line(parcel: Parcel) -> bytes:
    """Return the line of an item."""
    _, manager, pk = parcel.key.parts
    name = {"manager": manager, "pk": pk}
    head, _, _ = parcel.data.partition(b"\n")
    line = {**name, **orjson.loads(head), **_written(parcel.body)}
    if _stored(line) != parcel.data:
        line = {**name, "rev": parcel.header.rev, "stored": _base64(parcel.data)}
    return orjson.dumps(line) + b"\n"


def parse(text: bytes) -> Line:
    """Return what a line says.

    Raises:
        ValueError: It is none of those that there are; the message tells why, and names keys at most.
    """
    try:
        line = orjson.loads(text)
        return _kind(line)(line)
    except orjson.JSONDecodeError:
        msg = "it is no JSON"
    except CorruptionError as error:
        msg = error.reason
    except (LookupError, TypeError, AttributeError):
        msg = "it lacks something, or has a value of a wrong type"
    raise ValueError(msg)


def _kind(line: dict[str, Any]) -> Callable[[dict[str, Any]], Line]:
    if "ssshelf-export" in line:
        return _start
    if "end" in line:
        return lambda end: End(_a(int, end["end"]))
    return _parcel if "rev" in line else _made


def _start(line: dict[str, Any]) -> Start:
    if line["ssshelf-export"] != _FORMAT_VERSION:
        msg = f"it begins an export of another format than {_FORMAT_VERSION}, the only one that this version reads"
        raise ValueError(msg)
    by_manager = line["collections"].items()
    return Start({name: {of: _a(int, version) for of, version in known.items()} for name, known in by_manager})


def _parcel(line: dict[str, Any]) -> Parcel:
    key = Layout(_name(line, "manager")).item(_name(line, "pk"))
    parcel = Parcel.unpack(key, _stored(line))
    for rev in (parcel.header.rev, *parcel.header.lineage):
        number_of(rev)
    _check_indexes(parcel.header.entries, parcel.header.claims)
    return parcel


def _made(line: dict[str, Any]) -> Made:
    unique = frozenset(_a(str, index) for index in line.get("unique", ()))
    indexes = frozenset(_a(str, index) for index in line.get("keys", ())) | unique
    _check_indexes(indexes, unique)
    body = _body(line)
    content_type = line.get("type", "application/json" if "document" in line else "application/octet-stream")
    document = Document(_name(line, "pk"), body, _a(str, content_type), indexes, unique)
    return Made(_name(line, "manager"), document)


def _check_indexes(indexes: Iterable[str], unique: Iterable[str]) -> None:
    for index in indexes:
        if len(decode(f"{index}/")) < _LEAST_INDEX_PARTS:
            msg = "one of its keys has no collection or no part"
            raise ValueError(msg)
    if not set(unique) <= set(indexes):
        msg = "one of its unique values is not among its keys"
        raise ValueError(msg)


def _written(body: bytes) -> dict[str, Any]:
    """Return what a line says of a document: itself, if that gives the same bytes back."""
    try:
        document = orjson.loads(body)
        if orjson.dumps([document]) == b"[" + body + b"]":  # also where it is nested as deeply as orjson goes
            return {"document": document}
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return {"data": _base64(body)}


def _body(line: dict[str, Any]) -> bytes:
    return orjson.dumps(line["document"]) if "document" in line else base64.b64decode(line["data"], validate=True)


def _stored(line: dict[str, Any]) -> bytes:
    """Return what is stored of the item that a line is about."""
    if "stored" in line:
        return base64.b64decode(line["stored"], validate=True)
    head = {name: value for name, value in line.items() if name not in ("manager", "pk", "document", "data")}
    return orjson.dumps(head) + b"\n" + _body(line)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _name(line: dict[str, Any], of: str) -> str:
    if not _a(str, line[of]):
        msg = f"its {of} is empty"
        raise ValueError(msg)
    return str(line[of])


def _a(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(kind)
    return value
