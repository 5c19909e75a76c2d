"""A part of a storage that looks like a whole one."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from ssshelf.errors import ConflictError, NotFoundError
from ssshelf.keys import Key
from ssshelf.storages.base import (
    MAX_SCAN_ROWS,
    Capabilities,
    Condition,
    Entry,
    IfMatch,
    Operation,
    Scan,
    Storage,
)
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["PrefixedStorage"]


class PrefixedStorage(WrapperStorage):
    """Everything under one key of a storage: one tenant's data, one test's, a second shelf in one file.

    Args:
        inner: The storage inside, which ``aclose`` closes too.
        prefix: The key under which all is kept; never part of the keys that callers see.
    """

    def __init__(self, inner: Storage, prefix: Key) -> None:
        super().__init__(inner)
        self.prefix = prefix

    @property
    def capabilities(self) -> Capabilities:
        inner = self.inner.capabilities
        return dataclasses.replace(inner, max_key_bytes=inner.max_key_bytes - len(self.prefix.below))

    async def get(self, key: Key) -> Entry:
        with self._missing(key):
            return await super().get(self._inside(key))

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        with self._missing(key):
            return await super().get_changed(self._inside(key), etag)

    def recall(self, key: Key, etag: str | None = None) -> Entry | None:
        return super().recall(self._inside(key), etag)

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self.capabilities.check_key(key)
        try:
            return await self.inner.put(self._inside(key), data, condition=condition)
        except ConflictError as error:
            raise self._outside(error) from None

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        try:
            await self.inner.delete(self._inside(key), condition=condition)
        except ConflictError as error:
            raise self._outside(error) from None

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        bounds = {"after": self._position(after), "before": self._position(before)}
        return self._found(await self.inner.scan(self._inside(prefix), **bounds, limit=limit))

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        bounds = {"after": self._position(after), "before": self._position(before)}
        return self._found(await super().scan_descending(self._inside(prefix), **bounds, limit=limit))

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        capabilities = self.capabilities
        for operation in operations:
            capabilities.check_key(operation.key)
        inside = [dataclasses.replace(operation, key=self._inside(operation.key)) for operation in operations]
        try:
            return await super().commit(inside)
        except ConflictError as error:
            raise self._outside(error) from None

    async def delete_many(self, keys: Sequence[Key]) -> None:
        await super().delete_many([self._inside(key) for key in keys])

    def _position(self, position: str | None) -> str | None:
        return None if position is None else self.prefix.below + position

    def _found(self, scan: Scan) -> Scan:
        rows = tuple(row._replace(key=self._strip(row.key)) for row in scan.rows)
        return Scan(rows, None if scan.after is None else scan.after[len(self.prefix.below) :])

    def _inside(self, key: Key) -> Key:
        return Key.from_text(self.prefix.below + key.text if key.text else self.prefix.text)

    def _strip(self, key: Key) -> Key:
        return Key.from_text(key.text[len(self.prefix.below) :])

    @contextlib.contextmanager
    def _missing(self, key: Key) -> Iterator[None]:
        try:
            yield
        except NotFoundError:
            raise NotFoundError(key) from None

    def _outside(self, error: ConflictError) -> ConflictError:
        return ConflictError(self._strip(error.key), error.expected, error.found)

    def __repr__(self) -> str:
        return f"PrefixedStorage({self.inner!r}, {self.prefix.text!r})"
