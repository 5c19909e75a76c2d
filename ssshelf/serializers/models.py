"""Items of one class as JSON, by the types of its fields."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import functools
import uuid
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ssshelf.serializers._msgspec import load_msgspec
from ssshelf.serializers.base import Serializer

__all__ = ["ModelSerializer"]

T = TypeVar("T")
# Compared as what they are, not as the text that JSON has for them.
_COMPARABLE = (bytes, dt.datetime, dt.date, dt.time, dt.timedelta, decimal.Decimal, uuid.UUID)


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
        msgspec = load_msgspec("items of a class")
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
