"""Values that are bytes or text, and any objects, as pickles."""

from __future__ import annotations

import pickle
from typing import Any

from ssshelf.serializers.base import Serializer

__all__ = ["BytesSerializer", "PickleSerializer", "TextSerializer"]


class BytesSerializer(Serializer[bytes]):
    """Bytes, as they are."""

    content_type: str = "application/octet-stream"

    def dump(self, item: bytes) -> bytes:
        if not isinstance(item, bytes):
            msg = f"expected bytes, not {type(item).__qualname__}"
            raise TypeError(msg)
        return item

    def load(self, data: bytes) -> bytes:
        return data


class TextSerializer(Serializer[str]):
    """Text, as UTF-8."""

    content_type: str = "text/plain; charset=utf-8"

    def dump(self, item: str) -> bytes:
        if not isinstance(item, str):
            msg = f"expected a str, not {type(item).__qualname__}"
            raise TypeError(msg)
        return item.encode()

    def load(self, data: bytes) -> str:
        return data.decode()


class PickleSerializer(Serializer[Any]):
    """Any Python object, as a pickle.

    Warning:
        Who can write to the storage can run code in every process that reads it. Use it only where nobody else can
        write, and never for what has to be read by later versions of your classes.
    """

    content_type: str = "application/x-python-pickle"

    def dump(self, item: Any) -> bytes:
        try:
            return pickle.dumps(item, protocol=5)
        except (pickle.PicklingError, AttributeError) as error:
            msg = f"{type(item).__qualname__} cannot be pickled ({type(error).__name__})"
            raise TypeError(msg) from error

    def load(self, data: bytes) -> Any:
        return pickle.loads(data)  # noqa: S301  what the class warns of
