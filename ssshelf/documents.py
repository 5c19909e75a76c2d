"""Documents: the items of any manager as they are stored, without the program that made them.

The header of a stored item names its revision, its index entries and its unique values. That is enough to read,
replace, remove, list, check and clean what a program has stored; where a new item is to be listed, only that knows.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

from ssshelf._concurrency import map_bounded
from ssshelf.catalog import Catalog
from ssshelf.collections import PAGE_LIMIT, Collection, Reader
from ssshelf.commit import Committer
from ssshelf.drafts import Draft
from ssshelf.envelope import Stored
from ssshelf.errors import CorruptionError, InvalidCursorError
from ssshelf.items import IManager
from ssshelf.keys import Key, Leaf, Part, decode
from ssshelf.maintenance.survey import FoundItem, find_item
from ssshelf.managers import CManager
from ssshelf.pages import Page
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import CONCURRENCY, Storage, check_limit

__all__ = ["Document", "Documents", "collection_names", "manager_names", "shards_of", "text_part"]

_LEAST_INDEX_PARTS = 2


@dataclass(frozen=True, slots=True)
class Document:
    """An item as it is stored.

    Attributes:
        pk: The primary key.
        body: The bytes, as its program serialized them.
        content_type: Their media type.
        indexes: Where it is listed: collection and index key, as k1 text, ``by-tag!/python!``.
        unique: Those of them that no other item may have.
    """

    pk: str
    body: bytes
    content_type: str = "application/json"
    indexes: frozenset[str] = frozenset()
    unique: frozenset[str] = frozenset()


class _DocumentItems(IManager[Document]):
    def serialize_item(self, item: Document) -> bytes:
        return item.body

    def deserialize_item(self, data: bytes) -> Document:
        raise NotImplementedError  # _DocumentReader has more than the data: the header


class _DocumentReader(Reader[Document]):
    def revive(self, key: Key, stored: Stored) -> Document:
        header = stored.header
        pk = text_part(self.committer.layout.pk_of(key))
        if pk is None:
            raise CorruptionError(key, "its name is not that of an item")
        return Document(pk, stored.body, header.content_type, frozenset(header.entries), frozenset(header.claims))


class _DocumentCatalog(Catalog[Document]):
    def draft(self, item: Document) -> tuple[Key, Draft]:
        key, draft = super().draft(item)
        return key, draft._replace(content_type=item.content_type)

    def redraft(self, key: Key, stored: Stored) -> Draft:
        # The document is as it was, so its entries cover what they did; those of another one cover nothing.
        return super().redraft(key, stored)._replace(indexes=Draft.of(stored).indexes)

    def _indexes(self, item: Document, pk: str) -> tuple[Mapping[str, str], frozenset[str]]:  # noqa: ARG002  any pk
        for index in item.indexes:
            if len(decode(f"{index}/")) < _LEAST_INDEX_PARTS:
                msg = f"{index!r:.200} is no collection and index key"
                raise ValueError(msg)
        if not item.unique <= item.indexes:
            msg = "the unique values of a document are among its indexes"
            raise ValueError(msg)
        return dict.fromkeys(item.indexes, ""), item.unique


class Documents(CManager[Document]):
    """What one manager has stored, whatever its class; every call of ``CManager`` works.

    A document is listed where its ``indexes`` say, which nobody computes: one that is replaced by
    ``dataclasses.replace(document, body=…)`` stays listed where it was, although its program might list it elsewhere
    now; ``reindex(force=True)`` of the program's own manager mends that. Here, ``reindex(force=True)`` makes anew the
    index entries and claims that items name.

    Args:
        storage: Where the items are; it stays the caller's to close.
        manager: The name that they are stored under.
        concurrency: Most requests that one page or one bulk call makes at a time.
        retries: How long and how often writes are tried.

    Raises:
        UnsupportedError: The store ignores conditions of writes, or lists out of order.
    """

    _reader_type = _DocumentReader
    _catalog_type = _DocumentCatalog

    def __init__(
        self, storage: Storage, manager: str, *, concurrency: int = CONCURRENCY, retries: RetryPolicy | None = None
    ) -> None:
        self.item_manager = _DocumentItems(manager)
        super().__init__(storage, concurrency=concurrency, retries=retries)

    @property
    def committer(self) -> Committer:
        """Reads and writes the items as they are stored."""
        return self._committer

    def collection(self, name: str) -> Collection[Document]:
        """Return the listing that is stored under ``name``; an empty one if there is none."""
        collection: Collection[Document] = Collection(name=name)
        return collection.bind(self._reader)

    async def look(self, limit: int = PAGE_LIMIT, after: str | None = None) -> Page[FoundItem]:
        """Return one page of what is stored, in the order of primary keys: items, tombstones, and what is unreadable.

        Args:
            limit: Most rows, 1 to 1000.
            after: The ``after`` of the page before; ``None`` reads the first.

        Raises:
            InvalidCursorError: ``after`` is of another manager.
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 scan and 1 get for each row.
        """
        check_limit(limit)
        if after is not None and not after.startswith(self._layout.items.below):
            msg = f"`after` is not of the items of {self.item_manager.name!r}"
            raise InvalidCursorError(msg)
        scan = await self.storage.scan(self._layout.items, after=after, limit=limit)
        found = await map_bounded(lambda row: find_item(self._committer, row), scan.rows, self._concurrency)
        return Page(tuple(one for one in found if one.stored is not None), scan.after)


async def manager_names(storage: Storage) -> list[str]:
    """Return the names of the managers that have stored items, in order.

    Cost:
        1 scan of a single row for each, and 1.
    """
    return [name async for name in _names_below(storage, Key("items"))]


async def collection_names(storage: Storage, manager: str) -> list[str]:
    """Return the names of the collections in which a manager's items are listed, in order.

    Cost:
        1 scan of a single row for each, and 1.
    """
    return [name async for name in _names_below(storage, Key("collections", manager))]


async def shards_of(storage: Storage, manager: str, collection: str) -> list[Leaf]:
    """Return the shards of a collection in which there are entries, in order; none of one without shards.

    Cost:
        1 scan of a single row for each, and 1.
    """
    async with contextlib.aclosing(_parts_below(storage, Key("collections", manager, collection))) as parts:
        shards: list[Leaf] = []
        async for part in parts:
            if not isinstance(part, Leaf):  # which sort before all others
                break
            shards.append(part)
        return shards


async def _names_below(storage: Storage, prefix: Key) -> AsyncIterator[str]:
    """Yield the texts that are the next part of the keys under ``prefix``."""
    async for part in _parts_below(storage, prefix):
        if isinstance(part, str):
            yield part


async def _parts_below(storage: Storage, prefix: Key) -> AsyncGenerator[Part, None]:
    """Yield the next part of the keys under ``prefix``, each once and in order, by skipping what is below it."""
    after: str | None = ""
    while after is not None:
        scan = await storage.scan(prefix, after=after or None, limit=1)
        after = scan.after
        for row in scan.rows:
            text, end, _ = row.key.text[len(prefix.below) :].partition("!/")
            if not end:  # something else wrote it
                continue
            after = after and f"{prefix.below}{text}!0"  # "0" follows "/", so this is behind everything below
            with contextlib.suppress(ValueError):
                yield decode(f"{text}!/")[0]


def text_part(text: str) -> str | None:
    """Return the only part of a k1 text without its last slash, if it is a text; else something else has written it."""
    try:
        (part,) = decode(f"{text}/")
    except ValueError:
        return None
    return part if isinstance(part, str) else None
