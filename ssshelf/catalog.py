"""What a manager knows of its items: how they are stored, and which collections list them under which keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from ssshelf.collections import Collection, Reader
from ssshelf.drafts import Draft
from ssshelf.envelope import Stored
from ssshelf.keys import Key

__all__ = ["Catalog", "ListingError"]

T = TypeVar("T")


class ListingError(Exception):
    """The program cannot list an item that is stored; the cause is what its own code raised."""


@dataclass(frozen=True, slots=True)
class Catalog(Generic[T]):
    """The items of one manager and its collections.

    Attributes:
        reader: Reads items.
        collections: The bound collections, by attribute.
    """

    reader: Reader[T]
    collections: Mapping[str, Collection[T]]

    def draft(self, item: T) -> tuple[Key, Draft]:
        """Return the key of ``item`` and what to store; all that can be wrong with it is found here.

        Raises:
            TypeError, ValueError: The item has no primary key, or cannot be serialized, listed or stored.
        """
        items, committer = self.reader.items, self.reader.committer
        pk = items.pk_text(item)
        body = items.serialize_item(item)
        if not isinstance(body, bytes):
            msg = f"serialize_item of {items.name} has to return bytes, not {type(body).__name__}"
            raise TypeError(msg)
        key = committer.layout.item(pk)
        draft = Draft(body, *self._indexes(item, pk), items.content_type)
        committer.check(key, draft)
        return key, draft

    def redraft(self, key: Key, stored: Stored) -> Draft:
        """Return the same document, listed as the collections would list it now.

        Raises:
            CorruptionError: The item cannot be read.
            ListingError: It cannot be listed.
        """
        item, committer = self.reader.revive(key, stored), self.reader.committer
        try:
            pk = self.reader.items.pk_text(item)
            if committer.layout.item(pk) != key:
                msg = f"the item has the primary key {pk!r}"
                raise ValueError(msg)  # noqa: TRY301  the program's mistake, like all that follow
            draft = Draft(stored.body, *self._indexes(item, pk), stored.header.content_type)
            committer.check(key, draft)
        except Exception as error:
            msg = f"{key} cannot be listed: {type(error).__name__}"
            raise ListingError(msg) from error
        return draft

    def _indexes(self, item: T, pk: str) -> tuple[Mapping[str, str], frozenset[str]]:
        """Return the index keys of ``item`` with what their entries cover, and those that have to be unique."""
        indexes: dict[str, str] = {}
        unique: set[str] = set()
        for name, collection in self.collections.items():
            what = "the key"
            try:
                found = set(collection.indexes(item, pk))
                what = "the covers"
                cover = collection.cover(item) if found else ""
            except Exception as error:
                error.add_note(f"in {what} of collection {name!r}; nothing was written")
                raise
            indexes |= {index: cover if cover and self._has_room(index, pk, cover) else "" for index in found}
            unique.update(found if collection.unique else ())
        return indexes, frozenset(unique)

    def _has_room(self, index: str, pk: str, cover: str) -> bool:
        """Whether the name of an index entry has room for what it is to cover."""
        committer = self.reader.committer
        pk_text = committer.layout.pk_of(committer.layout.item(pk))
        return committer.layout.has_room(index, pk_text, cover, committer.storage.capabilities.max_key_bytes)
