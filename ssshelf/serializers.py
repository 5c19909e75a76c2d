"""Serializers: items to bytes and back, keeping the types of their values."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import math
import pickle
import uuid
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

import orjson

__all__ = ["DictSerializer", "ModelSerializer", "PickleSerializer", "Serializer"]

T = TypeVar("T")
# Compared as what they are, not as the text that JSON has for them.
_COMPARABLE = (bytes, dt.datetime, dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID)


class Serializer(Protocol[T]):
    """Turns an item into bytes and back."""

    content_type: str
    """The media type of the bytes."""

    @abstractmethod
    def dump(self, item: T) -> bytes:
        """Return the bytes of ``item``; ``TypeError`` or ``ValueError`` when it cannot be kept whole."""

    @abstractmethod
    def load(self, data: bytes) -> T:
        """Return the item in ``data``."""


class DictSerializer(Serializer[dict[str, Any]]):
    """Plain dictionaries as JSON, whose values may also be what JSON has no type for.

    A datetime, date, time, UUID, Decimal, bytes, set or frozenset is written as an object with one ``$`` name, in the
    manner of MongoDB's Extended JSON, and comes back as what it was; a key of yours that starts with ``$`` gets a
    second one. A tuple comes back as a list, an enumeration as its value, a dataclass as a dict, a time zone as its
    offset: to get the class back, use ``ModelSerializer``. Integers have at most 64 bits.
    """

    content_type: str = "application/json"

    def dump(self, item: dict[str, Any]) -> bytes:
        if not isinstance(item, Mapping):
            msg = f"expected a dict, not {type(item).__qualname__}"
            raise TypeError(msg)
        try:
            return orjson.dumps(_tagged(item))
        except RecursionError:
            msg = "the item contains itself, or is nested too deeply"
            raise ValueError(msg) from None

    def load(self, data: bytes) -> dict[str, Any]:
        item = orjson.loads(data)
        if b'"$' in data:
            item = _untagged(item)
        if not isinstance(item, dict):
            msg = "the document is not a JSON object"
            raise ValueError(msg)  # noqa: TRY004  the data is wrong, not the call
        return item


_LITERAL = (str, int, bool, type(None))
_TAGS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    dt.datetime: ("$datetime", dt.datetime.isoformat),
    dt.date: ("$date", dt.date.isoformat),
    dt.time: ("$time", dt.time.isoformat),
    uuid.UUID: ("$uuid", str),
    decimal.Decimal: ("$decimal", str),
    bytes: ("$bytes", lambda data: base64.b64encode(data).decode()),
    set: ("$set", lambda values: [_tagged_member(value) for value in values]),
    frozenset: ("$frozenset", lambda values: [_tagged_member(value) for value in values]),
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


def _tagged(value: Any) -> Any:
    """Return ``value`` in what JSON has."""
    if type(value) in _LITERAL:
        return value
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, float):
        return _finite(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_escaped(name): inner if type(inner) in _LITERAL else _tagged(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [inner if type(inner) in _LITERAL else _tagged(inner) for inner in value]
    tag, form = next((_TAGS[base] for base in type(value).__mro__ if base in _TAGS), ("", None))
    return {tag: form(value)} if form else value  # orjson knows it, or says that it does not


def _tagged_member(value: Any) -> Any:
    tagged = _tagged(value)
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
    return f"${name}" if isinstance(name, str) and name.startswith("$") else name


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag in _REVIVE:
            return _REVIVE[tag](inner)
    return {name.removeprefix("$") if name[:2] == "$$" else name: _untagged(inner) for name, inner in value.items()}


def _finite(number: float) -> float:
    if not math.isfinite(number):
        msg = f"JSON has no {number}: store None, a text, or use a PickleSerializer"
        raise ValueError(msg)
    return number


class ModelSerializer(Serializer[T], Generic[T]):
    """Items of one class as JSON: a dataclass, attrs class, msgspec struct or pydantic model.

    The types of the fields decide what a document is read back as; an item that would not come back as it is, is
    refused when it is written. Needs ``ssshelf[models]``.

    Args:
        model: The class of the items.
    """

    content_type: str = "application/json"

    def __init__(self, model: type[T]) -> None:
        self.model = model
        self._same: Callable[[T, T], bool]
        self._dump: Callable[[T], bytes]
        self._load: Callable[[bytes], T]
        if hasattr(model, "model_validate_json"):
            self._use_pydantic(model)
        else:
            self._use_msgspec(model)

    def dump(self, item: T) -> bytes:
        if type(item) is not self.model:
            msg = f"expected a {self.model.__qualname__}, not a {type(item).__qualname__}"
            raise TypeError(msg)
        data = self._dump(item)
        try:
            kept = self._same(self._load(data), item)
        except ValueError as error:
            raise self._lossy() from error
        if not kept:
            raise self._lossy()
        return data

    def load(self, data: bytes) -> T:
        return self._load(data)

    def _lossy(self) -> ValueError:
        return ValueError(
            f"this {self.model.__qualname__} would not come back from JSON as it is; look for a NaN, an infinity, "
            "a secret, or a value that is not of its field's type"
        )

    def _use_pydantic(self, model: Any) -> None:
        # Not by ==, which also compares private attributes.
        self._same = lambda one, two: _fields(one) == _fields(two)
        self._dump = lambda item: item.model_dump_json(by_alias=True, round_trip=True).encode()  # type: ignore[attr-defined]
        self._load = model.model_validate_json

    def _use_msgspec(self, model: type[T]) -> None:
        try:
            import msgspec  # noqa: PLC0415  an extra
        except ModuleNotFoundError as error:
            msg = f"items of a class need {error.name}: pip install 'ssshelf[models]'"
            raise ModuleNotFoundError(msg, name=error.name) from error
        attributes = [field.name for field in getattr(model, "__attrs_attrs__", ())]
        known = dataclasses.is_dataclass(model) or hasattr(model, "__attrs_attrs__")
        if not (known or issubclass(model, msgspec.Struct)):
            msg = f"{model.__qualname__} is no dataclass, attrs class, msgspec struct or pydantic model"
            raise TypeError(msg)
        if private := [name for name in attributes if name.startswith("_")]:
            msg = f"{model.__qualname__}: private attributes would not be stored: {', '.join(private)}"
            raise TypeError(msg)
        plain = functools.partial(msgspec.to_builtins, builtin_types=_COMPARABLE, order="deterministic")

        def same(loaded: T, item: T) -> bool:
            # == tells more, but may leave fields out, or hold for one object only.
            if plain(loaded) != plain(item):
                return False
            return loaded == item or loaded != self._load(self._dump(item))

        self._same = same
        self._dump = msgspec.json.Encoder().encode
        self._load = msgspec.json.Decoder(model).decode


def _fields(item: Any) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the values of a pydantic model's fields, and what it holds beyond them."""
    return {name: getattr(item, name) for name in type(item).model_fields}, item.model_extra


class PickleSerializer(Serializer[Any]):
    """Any Python object, as a pickle.

    Warning:
        Who can write to the storage can run code in every process that reads it. Use it only where nobody else can
        write, and never for what has to be read by later versions of your classes.
    """

    content_type: str = "application/x-python-pickle"

    def dump(self, item: Any) -> bytes:
        return pickle.dumps(item, protocol=5)

    def load(self, data: bytes) -> Any:
        return pickle.loads(data)  # noqa: S301  what the class warns of
