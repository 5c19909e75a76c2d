"""Items: what a manager stores, how it finds their primary key, and how they become bytes."""

from __future__ import annotations

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from ssshelf.serializers import DictSerializer, ModelSerializer, PickleSerializer, Serializer

__all__ = ["DictItems", "IManager", "ModelItems", "PickleItems", "PrimaryKey", "primary_key_text", "stored_name"]

T = TypeVar("T")

PrimaryKey: TypeAlias = str | int | uuid.UUID
"""A primary key as callers may give it; it is stored, compared and sorted as its text."""


def stored_name(class_name: str) -> str:
    """Return the name under which the things of a class are stored.

    >>> stored_name("AllBookmarks"), stored_name("HTTPServer")
    ('all-bookmarks', 'http-server')
    """
    separated = re.sub(r"(.)([A-Z][a-z]+)", r"\1-\2", class_name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", separated).lower()


class IManager(ABC, Generic[T]):
    """What a ``CManager`` knows of its items: their primary key, and their form as bytes.

    Subclass it, or use ``DictItems``, ``ModelItems`` or ``PickleItems``.

    Args:
        name: The name that the items are stored under. By default it derives from the class name,
            ``BookmarkItems`` to ``bookmark-items``; to rename the class of a shelf that is in use, give the old name.
    """

    content_type: str = "application/octet-stream"
    """The media type of what ``serialize_item`` returns."""

    _name: str | None = None
    _named_by_manager: ClassVar[bool] = False

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The name that the items are stored under."""
        return self._name or stored_name(type(self).__name__)

    def get_pk(self, item: T) -> PrimaryKey:
        """Return the primary key of ``item``: its attribute ``pk``, unless overridden."""
        return item.pk  # type: ignore[attr-defined, no-any-return]  # an item that has none is answered for below

    @abstractmethod
    def serialize_item(self, item: T) -> bytes:
        """Return the bytes to store for ``item``."""

    @abstractmethod
    def deserialize_item(self, data: bytes) -> T:
        """Return the item in ``data``, which ``serialize_item`` wrote."""

    def pk_text(self, item: T) -> str:
        """Return the primary key of ``item`` as text.

        Raises:
            ValueError: The item has none.
        """
        try:
            pk = self.get_pk(item)
        except (LookupError, AttributeError) as error:
            msg = f"{self.name}: the item has no primary key ({type(error).__name__}: {error})"
            raise ValueError(msg) from error
        return primary_key_text(pk)

    def __set_name__(self, owner: type, attribute: str) -> None:
        # The first class that declares a ready-made manager names it, and its subclasses share the items.
        if self._named_by_manager and self._name is None:
            self._name = stored_name(owner.__name__)


def primary_key_text(pk: object) -> str:
    """Return a primary key as text.

    Raises:
        TypeError: It is no str, int or UUID.
        ValueError: It is empty.
    """
    if type(pk) is str and pk:  # nearly all are
        return pk
    if isinstance(pk, bool) or not isinstance(pk, str | int | uuid.UUID):
        msg = f"a primary key is a str, an int or a UUID, not {type(pk).__name__}"
        raise TypeError(msg)
    if pk == "":
        msg = "a primary key may not be empty"
        raise ValueError(msg)
    # Not str(pk), which for some enumerations is the name of the member.
    return str.__str__(pk) if isinstance(pk, str) else str(int(pk)) if isinstance(pk, int) else str(pk)


class _SerializedItems(IManager[T]):
    """Items of a serializer; the primary key is a field or is computed."""

    _named_by_manager = True

    def __init__(self, serializer: Serializer[T], pk: str | Callable[[T], PrimaryKey], name: str | None) -> None:
        super().__init__(name)
        self._serializer = serializer
        self._pk = pk
        self.content_type = serializer.content_type

    def get_pk(self, item: T) -> PrimaryKey:
        if callable(self._pk):
            return self._pk(item)
        is_mapping = type(item) is dict or isinstance(item, Mapping)
        return item[self._pk] if is_mapping else getattr(item, self._pk)  # type: ignore[index, no-any-return]

    def serialize_item(self, item: T) -> bytes:
        return self._serializer.dump(item)

    def deserialize_item(self, data: bytes) -> T:
        return self._serializer.load(data)


class DictItems(_SerializedItems[dict[str, Any]]):
    """Items that are plain dictionaries, stored as JSON; see ``DictSerializer`` for what their values may be.

    Args:
        pk: The key that holds the primary key, or a function that returns it.
        name: The name that the items are stored under; by default that of the manager's class.
    """

    def __init__(self, pk: str | Callable[[dict[str, Any]], PrimaryKey] = "pk", *, name: str | None = None) -> None:
        super().__init__(DictSerializer(), pk, name)


class ModelItems(_SerializedItems[T]):
    """Items of one class, stored as JSON: a dataclass, attrs class, msgspec struct or pydantic model.

    Needs ``ssshelf[models]``.

    Args:
        model: The class of the items.
        pk: The attribute that holds the primary key, or a function that returns it.
        name: The name that the items are stored under; by default that of the manager's class.
    """

    def __init__(self, model: type[T], pk: str | Callable[[T], PrimaryKey] = "pk", *, name: str | None = None) -> None:
        super().__init__(ModelSerializer(model), pk, name)


class PickleItems(_SerializedItems[Any]):
    """Items that are any Python objects, stored as pickles.

    Warning:
        Who can write to the storage can run code in every process that reads it; see ``PickleSerializer``.

    Args:
        pk: The attribute, or key of a mapping, that holds the primary key, or a function that returns it.
        name: The name that the items are stored under; by default that of the manager's class.
    """

    def __init__(self, pk: str | Callable[[Any], PrimaryKey] = "pk", *, name: str | None = None) -> None:
        super().__init__(PickleSerializer(), pk, name)
