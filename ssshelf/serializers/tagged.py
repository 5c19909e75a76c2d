"""JSON and MessagePack, with tags for the types that they lack."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ssshelf.serializers._msgspec import load_msgspec
from ssshelf.serializers.base import Serializer

__all__ = ["DictSerializer", "JSONSerializer", "MsgpackSerializer"]


class JSONSerializer(Serializer[Any]):
    """Any value that JSON can hold, and some that it has no type for.

    A datetime, date, time, UUID, Decimal, bytes, set or frozenset is written as an object with one ``$`` name, in the
    manner of MongoDB's Extended JSON, and comes back as what it was; a key of yours that starts with ``$`` gets a
    second one. A tuple comes back as a list, an enumeration as its value, a dataclass as a dict, a time zone as its
    offset: to get the class back, use ``ModelSerializer``. Integers have at most 64 bits.
    """

    content_type: str = "application/json"

    def dump(self, item: Any) -> bytes:
        if type(item) is dict and _PLAIN.issuperset(map(type, item.values())) and _TEXTS.issuperset(map(type, item)):
            data = orjson.dumps(item)  # many times as fast as to look at each value first
            if _DOLLAR not in data or b'"$' not in data:
                return data
        try:
            return orjson.dumps(_tagged(item, _LITERAL))
        except RecursionError:
            raise _too_deep() from None

    def load(self, data: bytes) -> Any:
        item = orjson.loads(data)
        return _untagged(item) if _DOLLAR in data and b'"$' in data else item


class DictSerializer(JSONSerializer):
    """Plain dictionaries as JSON, whose values may be all that ``JSONSerializer`` takes."""

    def dump(self, item: dict[str, Any]) -> bytes:
        if not isinstance(item, Mapping):
            msg = f"expected a dict, not {type(item).__qualname__}"
            raise TypeError(msg)
        return super().dump(item)

    def load(self, data: bytes) -> dict[str, Any]:
        item = super().load(data)
        if not isinstance(item, dict):
            msg = "the document is not a JSON object"
            raise ValueError(msg)  # noqa: TRY004  the data is wrong, not the call
        return item


class MsgpackSerializer(Serializer[Any]):
    """What ``JSONSerializer`` takes, as MessagePack: smaller, above all with bytes, and floats may be NaN or infinite.

    The keys of a dict may be numbers, bytes, booleans and None, too. Needs ``ssshelf[models]``.
    """

    content_type: str = "application/vnd.msgpack"

    def __init__(self) -> None:
        msgpack = load_msgspec("values as MessagePack").msgpack
        self._encode: Callable[[Any], bytes] = msgpack.Encoder().encode
        self._decode: Callable[[bytes], Any] = msgpack.Decoder().decode

    def dump(self, item: Any) -> bytes:
        try:
            return self._encode(_tagged(item, _MSGPACK_LITERAL))
        except RecursionError:
            raise _too_deep() from None
        except OverflowError:
            msg = "an integer has at most 64 bits"
            raise ValueError(msg) from None

    def load(self, data: bytes) -> Any:
        item = self._decode(data)
        return _untagged(item) if _DOLLAR in data else item


_DOLLAR = ord("$")  # a number is found in bytes many times as fast as other bytes are


def _too_deep() -> ValueError:
    return ValueError("the item contains itself, or is nested too deeply")


_LITERAL = (str, int, bool, type(None))
_PLAIN = set(_LITERAL)
_TEXTS = {str}
_MSGPACK_LITERAL = (*_LITERAL, float, bytes)
_TAGS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    dt.datetime: ("$datetime", dt.datetime.isoformat),
    dt.date: ("$date", dt.date.isoformat),
    dt.time: ("$time", dt.time.isoformat),
    uuid.UUID: ("$uuid", str),
    decimal.Decimal: ("$decimal", str),
    bytes: ("$bytes", lambda data: base64.b64encode(data).decode()),
    set: ("$set", list),
    frozenset: ("$frozenset", list),
}
_REVIVE: dict[str, Callable[[Any], Any]] = {
    "$datetime": dt.datetime.fromisoformat,
    "$date": dt.date.fromisoformat,
    "$time": dt.time.fromisoformat,
    "$uuid": uuid.UUID,
    "$decimal": decimal.Decimal,
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$set": lambda values: {_hashable(_untagged(value)) for value in values},
    "$frozenset": lambda values: frozenset(_hashable(_untagged(value)) for value in values),
}


def _tagged(value: Any, literal: tuple[type, ...]) -> Any:
    """Return ``value`` in what JSON has, and in what is ``literal`` in the format that it is meant for."""
    if type(value) in literal:
        return value
    if isinstance(value, enum.Enum):
        return _tagged(value.value, literal)
    if isinstance(value, float):
        return _finite(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_escaped(k): inner if type(inner) in literal else _tagged(inner, literal) for k, inner in value.items()}
    if isinstance(value, list | tuple):
        return [inner if type(inner) in literal else _tagged(inner, literal) for inner in value]
    return _special(value, literal)


def _special(value: Any, literal: tuple[type, ...]) -> Any:
    """Return what is no dict and no list in what JSON has."""
    if isinstance(value, str):
        return str.__str__(value)  # of a subclass, which MessagePack's encoder refuses
    if isinstance(value, int):
        return int.__int__(value)
    tag, form = next((_TAGS[base] for base in type(value).__mro__ if base in _TAGS), ("", None))
    if form is None:
        msg = f"{type(value).__qualname__} has no form here; convert it, or use a serializer for it"
        raise TypeError(msg)
    inner = form(value)
    if isinstance(inner, list):  # a set, whose order changes from process to process, and would make other bytes
        inner = sorted((_tagged_member(each, literal) for each in inner), key=repr)
    return {tag: inner}


def _tagged_member(value: Any, literal: tuple[type, ...]) -> Any:
    tagged = _tagged(value, literal)
    _check_hashable(tagged)
    return tagged


def _check_hashable(tagged: Any) -> None:
    """Refuse what would come back as a dict, which no set can hold."""
    if isinstance(tagged, list):
        for inner in tagged:
            _check_hashable(inner)
    elif isinstance(tagged, dict) and not (len(tagged) == 1 and tagged.keys() <= _REVIVE.keys()):
        msg = "a set may not hold a mapping or a dataclass, which would come back as a dict"
        raise TypeError(msg)


def _hashable(value: Any) -> Any:
    """Return a member of a set: what is a list in JSON can only have been a tuple there."""
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _escaped(name: Any) -> Any:
    """Return a key of a dict in what JSON and MessagePack have; JSON's encoder refuses all but text."""
    if isinstance(name, str):
        return f"${name}" if name.startswith("$") else name
    if type(name) not in _MSGPACK_LITERAL:
        msg = f"{type(name).__qualname__} cannot be the key of a dict here"
        raise TypeError(msg)
    return name


def _unescaped(name: Any) -> Any:
    return name[1:] if isinstance(name, str) and name.startswith("$$") else name


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag in _REVIVE:
            return _REVIVE[tag](inner)
    return {_unescaped(name): _untagged(inner) for name, inner in value.items()}


def _finite(number: float) -> float:
    if not math.isfinite(number):
        msg = f"JSON has no {number}: store None, a text, or use a PickleSerializer"
        raise ValueError(msg)
    return number
