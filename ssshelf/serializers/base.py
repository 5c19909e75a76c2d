"""What a serializer is."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol, TypeVar

__all__ = ["Serializer"]

T = TypeVar("T")


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
