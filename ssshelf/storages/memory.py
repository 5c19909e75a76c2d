"""A storage in memory: for tests, and the reference for all others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice

from sortedcontainers import SortedDict

from ssshelf.errors import ConflictError, NotFoundError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import (
    MAX_SCAN_ROWS,
    Capabilities,
    Condition,
    Delete,
    Entry,
    IfAbsent,
    IfMatch,
    Operation,
    Put,
    Row,
    Scan,
    Storage,
    check_limit,
    content_etag,
    prefix_range,
    utc_now,
)

__all__ = ["MemoryStorage"]


class MemoryStorage(Storage):
    """Entries in a sorted dictionary of this process.

    Args:
        transactions: Whether to offer ``AtomicBatch`` and ``DescendingScan``; without, it does what a bucket does, and
            no more.
        clock: Tells when an entry is written.

    Cost:
        No input or output; each operation takes time logarithmic in the number of entries.
    """

    def __init__(self, *, transactions: bool = True, clock: Callable[[], datetime] = utc_now) -> None:
        self._capabilities = Capabilities(
            atomic_batch=2**31 if transactions else 1, descending_scan=transactions, persistent=False
        )
        self._clock = clock
        self._entries: SortedDict[str, tuple[Entry, datetime]] = SortedDict()
        self._closed = False

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def get(self, key: Key) -> Entry:
        self._check_open()
        try:
            return self._entries[key.text][0]
        except KeyError:
            raise NotFoundError(key) from None

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        (etag,) = self._apply([Put(key, data, condition)])
        return etag or ""

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        self._apply([Delete(key, condition)])

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        if self._capabilities.atomic_batch == 1:
            msg = "this MemoryStorage was made without transactions"
            raise UnsupportedError(msg)
        return self._apply(operations)

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return self._list(*prefix_range(prefix, after, before), limit)

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return self._list(*prefix_range(prefix, after, before), limit, descending=True)

    def _list(self, low: str, high: str, limit: int, *, descending: bool = False) -> Scan:
        self._check_open()
        check_limit(limit)
        texts = self._entries.irange(low, high, inclusive=(False, False), reverse=descending)
        found = list(islice(texts, limit + 1))
        rows = tuple(self._row(text) for text in found[:limit])
        return Scan(rows, rows[-1].key.text if len(found) > limit else None)

    async def aclose(self) -> None:
        self._closed = True

    def _row(self, text: str) -> Row:
        entry, modified = self._entries[text]
        return Row(Key.from_text(text), entry.etag, len(entry.data), modified)

    def _apply(self, operations: Sequence[Operation]) -> list[str | None]:
        self._check_open()
        for operation in operations:
            if isinstance(operation, Put):
                self._capabilities.check_entry(operation.key, operation.data)
            self._check_condition(operation)
        etags: list[str | None] = []
        for operation in operations:
            if isinstance(operation, Put):
                entry = Entry(operation.data, content_etag(operation.data))
                self._entries[operation.key.text] = entry, self._clock()
                etags.append(entry.etag)
            else:
                self._entries.pop(operation.key.text, None)
                etags.append(None)
        return etags

    def _check_condition(self, operation: Operation) -> None:
        condition = operation.condition
        if condition is None:
            return
        there = self._entries.get(operation.key.text)
        found = there[0].etag if there else None
        expected = None if isinstance(condition, IfAbsent) else condition.etag
        if found != expected:
            raise ConflictError(operation.key, expected, found)

    def _check_open(self) -> None:
        if self._closed:
            msg = "this MemoryStorage is closed"
            raise ValueError(msg)

    def __repr__(self) -> str:
        return f"MemoryStorage({len(self._entries)} entries)"
