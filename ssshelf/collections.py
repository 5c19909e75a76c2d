"""Collections: sorted secondary indexes over the items of a manager, declared by a key that each item gives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from ssshelf.covers import pack_cover, values_of
from ssshelf.index_keys import Keys, keys_in
from ssshelf.items import PrimaryKey, primary_key_text, stored_name
from ssshelf.keys import encode
from ssshelf.listings import PAGE_LIMIT, Listing, Prefix
from ssshelf.reader import Reader
from ssshelf.shards import MAX_SHARDS, Shards

if TYPE_CHECKING:
    from typing import Self

__all__ = ["PAGE_LIMIT", "Collection", "Keys", "Prefix", "Reader"]

T = TypeVar("T")


class Collection(Listing[T]):
    """A sorted listing of a manager's items by a key that each item gives; declared as a class attribute.

    Override ``key``, or give a function. A listing believes only what the items confirm, so it never shows an
    item under a key it no longer has, whatever crashed.

    Args:
        key: Returns the key of an item; see the method ``key``.
        name: The name that the listing is stored under. By default it derives from the subclass's name,
            ``AllBookmarks`` to ``all-bookmarks``, or else from the attribute's; to rename the class or the attribute
            of a shelf that is in use, give the old name.
        unique: Let no two items have the same key here: a write that would is refused with ``UniqueViolationError``.
            Items that were written without it hold their values only once they are reindexed.
        version: 1 for a collection that is as old as its shelf. When one is added to a shelf in use, or its key
            or number of shards changes, or it becomes unique, give the next number and reindex: until that is done,
            listings raise ``IncompleteError``.
        covers: Names of values of an item, keys of a dict or attributes, that its entries here carry in their names, so
            that ``get_covered`` lists them without reading the items: a title, a price, not a text. An entry whose name
            would have more than 896 bytes goes without. After a change of what is covered, ``reindex(force=True)``;
            until then rows that lack a value cost a get each.
        shards: How many parts its entries are spread over, 1 to 256: for a collection that is always written at one
            end, such as one by time, more often than a store takes there, which is some 3,500 times a second on S3 and
            1,000 times on DynamoDB. Each page scans all of them, at once, so take as few as will do, such as 8. A
            unique collection has none.
    """

    _key: Callable[[T], Keys] | None = None
    _name: str | None = None
    unique: bool = False
    """Whether no two items may have the same key; a subclass may say so in its body."""
    version: int = 1
    """The version of the key; likewise."""
    covers: tuple[str, ...] = ()
    """The names of the values that entries carry; likewise."""
    shards: int = 1
    """How many parts its entries are spread over; likewise."""
    _attribute: str = ""

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
        if key is not None and not callable(key):
            msg = f"a collection takes a function of the item, such as lambda item: item[{key!r}], not {key!r}"
            raise TypeError(msg)
        self._key = key
        self._name = name
        if unique is not None:
            self.unique = unique
        if version is not None:
            self.version = version
        if type(self.version) is not int or self.version < 1:
            msg = f"the version of a collection is a number, 1 or later, not {self.version!r}"
            raise ValueError(msg)
        self.covers = _names(self.covers if covers is None else covers)
        if shards is not None:
            self.shards = shards
        _check_shards(self.shards, unique=self.unique)

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._attribute = self._attribute or attribute

    @property
    def name(self) -> str:
        """The name that the listing is stored under."""
        if self._name:
            return self._name
        return stored_name(type(self).__name__) if type(self) is not Collection else self._attribute.replace("_", "-")

    def key(self, item: T) -> Keys:
        """Return where ``item`` is listed.

        One key: a part (str, number, bool, datetime, date, bytes, UUID, ``Desc`` of one) or a tuple of parts, which
        sorts by the first, then the second, and so on. Several keys: a list, set or generator of such, one entry
        each; a list among them counts as a tuple. ``None``, or an iterable without a key: the item is not listed.
        Values of different types never compare by value: 5 and "5" are far apart.
        """
        if self._key is None:
            msg = f"collection {self.name!r} has no key: override key(), or give a function: Collection(lambda item: …)"
            raise NotImplementedError(msg)
        return self._key(item)

    def get_pk(self, item: T) -> PrimaryKey:
        """Return the primary key of ``item``, as the item manager has it; an override has to agree with it."""
        return self._bound.items.get_pk(item)

    def bind(self, reader: Reader[T]) -> Self:
        """Return a copy of this declaration that reads with ``reader``."""
        bound = copy.copy(self)
        bound._reader = reader
        bound._shards = Shards(encode((self.name,)), self.shards)
        return bound

    def indexes(self, item: T, pk: str) -> Iterator[str]:
        """Yield the index keys of ``item``, as ``EntryName.index``.

        Raises:
            TypeError, ValueError: ``key`` returned something that is no key.
            ValueError: ``get_pk`` is overridden and has another primary key than ``pk``.
        """
        if type(self).get_pk is not Collection.get_pk and primary_key_text(self.get_pk(item)) != pk:
            msg = f"get_pk of collection {self.name!r} returned another primary key than the item manager's"
            raise ValueError(msg)
        below = self._shards.of(pk)
        for parts in keys_in(self._attribute, self.key(item)):
            yield below + encode(parts)[:-1]

    def cover(self, item: T) -> str:
        """Return what the entries of ``item`` are to cover, as ``EntryName.cover``.

        Raises:
            AttributeError: It lacks an attribute that is covered.
            TypeError, ValueError: A covered value has no form as JSON.
        """
        return pack_cover(values_of(item, self.covers)) if self.covers else ""


def _names(covers: Iterable[str]) -> tuple[str, ...]:
    """Return the names of covered values.

    Raises:
        TypeError: These are no names.
    """
    names = () if isinstance(covers, str) else tuple(covers)
    if isinstance(covers, str) or not all(isinstance(name, str) for name in names):
        msg = f'covers takes names of values, such as ("title", "url"), not {covers!r:.100}'
        raise TypeError(msg)
    return names


def _check_shards(shards: int, *, unique: bool) -> None:
    """Refuse numbers of shards that a collection cannot have.

    Raises:
        ValueError: It is no such number, or the collection is unique.
    """
    if type(shards) is not int or not 1 <= shards <= MAX_SHARDS:
        msg = f"a collection has 1 to {MAX_SHARDS} shards, not {shards!r}"
        raise ValueError(msg)
    if unique and shards > 1:
        msg = (
            "a unique collection has no shards, since a value is claimed under one name, whichever item wants it; "
            "declare another collection with the same key and shards"
        )
        raise ValueError(msg)
