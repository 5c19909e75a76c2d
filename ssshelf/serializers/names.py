"""Serializers by name, for those who need nothing special."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ssshelf.serializers.base import Serializer
from ssshelf.serializers.plain import BytesSerializer, PickleSerializer, TextSerializer
from ssshelf.serializers.tagged import JSONSerializer, MsgpackSerializer

__all__ = ["as_serializer"]

T = TypeVar("T")

_NAMED: dict[str, Callable[[], Serializer[Any]]] = {
    "bytes": BytesSerializer,
    "json": JSONSerializer,
    "msgpack": MsgpackSerializer,
    "pickle": PickleSerializer,
    "text": TextSerializer,
}


def as_serializer(serializer: Serializer[T] | str) -> Serializer[T]:
    """Return a serializer that was given as such, or by its name.

    Raises:
        ValueError: There is none of this name.
        TypeError: It is no serializer.
        ModuleNotFoundError: It needs an extra that is not installed.
    """
    if not isinstance(serializer, str):
        if isinstance(serializer, type) or not (hasattr(serializer, "dump") and hasattr(serializer, "load")):
            name = serializer.__name__ if isinstance(serializer, type) else type(serializer).__name__
            msg = f"a serializer is an object with dump and load, such as JSONSerializer(), not {name}"
            raise TypeError(msg)
        return serializer
    if serializer not in _NAMED:
        msg = f"there is no serializer {serializer!r}; there are {', '.join(_NAMED)}, or give one"
        raise ValueError(msg)
    return _NAMED[serializer]()
