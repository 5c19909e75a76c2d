"""Collections for callers that block: declared as the async ones are, which read for them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ssshelf import collections
from ssshelf._calls import Calls
from ssshelf.blocking._collection_methods import CollectionMethods
from ssshelf.collections import Keys

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Collection"]

T = TypeVar("T")


class Collection(CollectionMethods[T]):
    """A sorted listing of a manager's items by a key that each item gives; declared as a class attribute.

    All that is true of ``ssshelf.Collection`` is true of this one, whose methods block. Methods of a subclass may call
    them, but for ``key``, which runs in the event loop.

    Args:
        key: Returns the key of an item; see the method ``key``.
        name: The name that the listing is stored under; derived as that of the async class is.
        unique: Let no two items have the same key here.
        version: The next number when the collection is added to a shelf in use, or its key changes.
        covers: Names of values that its entries carry, for ``get_covered``.
        shards: How many parts its entries are spread over.
    """

    unique: bool = False
    """Whether no two items may have the same key; a subclass may say so in its body."""
    version: int = 1
    """The version of the key; likewise."""
    covers: tuple[str, ...] = ()
    """The names of the values that entries carry; likewise."""
    shards: int = 1
    """How many parts its entries are spread over; likewise."""
    _calls: Calls = Calls()
    _source_type: ClassVar[type[collections.Collection[Any]]] = collections.Collection

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._source_type = type(cls.__name__, (cls._source_type,), {"__module__": cls.__module__})

    def __init__(
        self,
        key: Callable[[T], Keys] | None = None,
        *,
        name: str | None = None,
        unique: bool | None = None,
        version: int | None = None,
        covers: Iterable[str] | None = None,
        shards: int | None = None,
    ) -> None:
        source = self._source_type(
            key if type(self).key is Collection.key else self.key,
            name=name,
            unique=self.unique if unique is None else unique,
            version=self.version if version is None else version,
            covers=self.covers if covers is None else covers,
            shards=self.shards if shards is None else shards,
        )
        self._stand_for(source)

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._source.__set_name__(owner, attribute)

    def descending(self) -> Self:
        """Return the same collection, listed from its end on: all its methods, but in the reverse order.

        ``start`` and ``stop`` stay what they are, the first key to list and the first one not to, in the order of keys.
        An ``after`` continues the direction that it is of.

        Raises:
            UnsupportedError: The store lists forwards only, as S3 does; it would have to list everything. Declare a
                collection whose key is ``Desc`` of this one's.
        """
        return self._bound(self._source.descending(), self._calls)

    def _bound(self, source: collections.Collection[T], calls: Calls) -> Self:
        """Return a copy of this declaration that reads with ``source``."""
        bound = copy.copy(self)
        bound._stand_for(source)
        bound._calls = calls
        return bound

    def _stand_for(self, source: collections.Collection[T]) -> None:
        self._source = source
        self.unique, self.version = source.unique, source.version
        self.covers, self.shards = source.covers, source.shards
