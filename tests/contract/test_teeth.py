"""The contract has teeth: storages broken on purpose are rejected, and each promise is broken by one of them."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

from ssshelf.errors import ConflictError, NotFoundError, ShelfError
from ssshelf.keys import Key
from ssshelf.storages.base import (
    MAX_SCAN_ROWS,
    Condition,
    Entry,
    IfAbsent,
    IfMatch,
    Operation,
    Put,
    Row,
    Scan,
    content_etag,
)
from ssshelf.storages.memory import MemoryStorage
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import StorageContract

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMISES = [name for name, _ in inspect.getmembers(StorageContract, inspect.isfunction) if name.startswith("test_")]
REJECTED = (AssertionError, ShelfError, ValueError, TypeError, LookupError, pytest.fail.Exception)


class Broken(WrapperStorage):
    """A reference storage; each subclass breaks it in one way."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())


class Forgetful(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        del condition
        return f"etag of {key} {data!r}"


class Truncating(Broken):
    async def get(self, key: Key) -> Entry:
        entry = await super().get(key)
        return Entry(entry.data[: 2**20].rstrip(b"\xff"), entry.etag)


class NeverChanges(Broken):
    async def get_changed(self, key: Key, etag: str) -> None:
        del key, etag


class OutdatedCache(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[Key, Entry] = {}

    async def get(self, key: Key) -> Entry:
        self.seen[key] = await super().get(key)
        return self.seen[key]

    def recall(self, key: Key, etag: str | None = None) -> Entry | None:
        del etag
        return self.seen.get(key)


class HasTheFirstAtHand(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[Key, Entry] = {}

    async def get(self, key: Key) -> Entry:
        return self.seen.setdefault(key, await super().get(key))

    def get_now(self, key: Key) -> Entry | None:
        return self.seen.get(key)

    def put_now(self, key: Key, data: bytes) -> str | None:
        del key, data
        return None


class OnlySaysThatItPuts(Broken):
    def get_now(self, key: Key) -> Entry | None:
        del key
        return None

    def put_now(self, key: Key, data: bytes) -> str | None:
        del key
        return content_etag(data)


class EmptyIsAbsent(Broken):
    async def get(self, key: Key) -> Entry:
        entry = await super().get(key)
        if not entry.data:
            raise NotFoundError(key)
        return entry


class NeverReplaces(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        try:
            old = await self.inner.get(key)
        except NotFoundError:
            return await super().put(key, data, condition=condition)
        await super().put(key, data, condition=condition)
        return await super().put(key, data + old.data[len(data) :])


class AbsentIsEmpty(Broken):
    async def get(self, key: Key) -> Entry:
        try:
            return await super().get(key)
        except NotFoundError:
            return Entry(b"", "")


class TakesText(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await super().put(key, data if isinstance(data, bytes) else b"", condition=condition)


class FileSystem(Broken):
    """Where a file cannot stand beside a folder of its name."""

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        for row in (await self.inner.scan(Key())).rows:
            if key.text.startswith(row.key.below):
                raise ShelfError
        return await super().put(key, data, condition=condition)


class EtagOfItsOwn(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        await super().put(key, data, condition=condition)
        return "etag"


class IgnoresConditions(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        del condition
        return await super().put(key, data)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        del condition
        await super().delete(key)

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        return [
            await self.put(operation.key, operation.data) if isinstance(operation, Put) else None
            for operation in operations
        ]


class ChecksThenActs(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        try:
            found = (await self.inner.get(key)).etag
        except NotFoundError:
            found = None
        expected = condition.etag if isinstance(condition, IfMatch) else None
        if condition is not None and found != expected:
            raise ConflictError(key, expected, found)
        await asyncio.sleep(0)
        return await super().put(key, data)


class RefusesAllConditions(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if condition is not None:
            raise ConflictError(key, None, None)
        return await super().put(key, data)


class Tombstones(Broken):
    """Deletes by emptying."""

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await self.inner.put(key, b"", condition=condition)

    async def delete_many(self, keys: Sequence[Key]) -> None:
        for key in keys:
            await self.delete(key)


class StrictDelete(Broken):
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await self.inner.get(key)
        await super().delete(key, condition=condition)


class DeletesWhatIsGone(Broken):
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        try:
            await self.inner.get(key)
        except NotFoundError:
            return
        await super().delete(key, condition=condition)


class DeletesByText(Broken):
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await super().delete(key, condition=condition)
        for row in (await self.inner.scan(Key())).rows:
            if row.key.text.startswith(key.text) or key.text.startswith(row.key.text):
                await self.inner.delete(row.key)


class LastIsLost(Broken):
    async def delete_many(self, keys: Sequence[Key]) -> None:
        await super().delete_many(keys[:-1])


class OneByOne(Broken):
    """Applies a batch until an operation fails, and forgets the etags."""

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        for operation in operations:
            await self.inner.commit([operation])  # type: ignore[attr-defined]
        return []


class NeverCloses(Broken):
    async def aclose(self) -> None:
        return


class LooseKeys(Broken):
    """Takes any key, but keeps only so much of it."""

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await super().put(Key.from_text(key.text[:1000]), data, condition=condition)


class AsciiOnly(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await super().put(Key.from_text(key.text.replace("~", "_")), data, condition=condition)


class BrokenScan(Broken):
    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        everything = await self.inner.scan(Key())
        return self.cut(everything.rows, prefix, after, before, limit)

    def cut(self, rows: tuple[Row, ...], prefix: Key, after: str | None, before: str | None, limit: int) -> Scan:
        rows = tuple(row for row in rows if self.keeps(row.key.text, prefix, after, before))
        return Scan(rows[:limit], rows[limit - 1].key.text if len(rows) > limit else None)

    def keeps(self, text: str, prefix: Key, after: str | None, before: str | None) -> bool:
        return text.startswith(prefix.below) and text > (after or "") and (before is None or text < before)


class Unordered(BrokenScan):
    def cut(self, rows: tuple[Row, ...], prefix: Key, after: str | None, before: str | None, limit: int) -> Scan:
        return super().cut(rows[::-1], prefix, after, before, limit)


class OpenPrefix(BrokenScan):
    def keeps(self, text: str, prefix: Key, after: str | None, before: str | None) -> bool:
        return text.startswith(prefix.text) and text > (after or "") and (before is None or text < before)


class RepeatsTheCursor(BrokenScan):
    def keeps(self, text: str, prefix: Key, after: str | None, before: str | None) -> bool:
        return text.startswith(prefix.below) and text >= (after or "") and (before is None or text < before)


class IncludesBefore(BrokenScan):
    def keeps(self, text: str, prefix: Key, after: str | None, before: str | None) -> bool:
        return text.startswith(prefix.below) and text > (after or "") and (before is None or text <= before)


class IgnoresBefore(BrokenScan):
    def cut(self, rows: tuple[Row, ...], prefix: Key, after: str | None, before: str | None, limit: int) -> Scan:
        return super().cut(rows, prefix, after, None if before else before, limit)


class LeavesThePrefix(BrokenScan):
    """A position takes the place of the prefix."""

    def keeps(self, text: str, prefix: Key, after: str | None, before: str | None) -> bool:
        return text > after if after else text.startswith(prefix.below) and (before is None or text < before)


class CursorMustExist(BrokenScan):
    def cut(self, rows: tuple[Row, ...], prefix: Key, after: str | None, before: str | None, limit: int) -> Scan:
        if after and after not in [row.key.text for row in rows]:
            return Scan((), None)
        return super().cut(rows, prefix, after, before, limit)


class IgnoresLimit(BrokenScan):
    def cut(self, rows: tuple[Row, ...], prefix: Key, after: str | None, before: str | None, limit: int) -> Scan:
        return super().cut(rows, prefix, after, before, max(limit, MAX_SCAN_ROWS))


class ClaimsThereIsMore(BrokenScan):
    def cut(self, rows: tuple[Row, ...], prefix: Key, after: str | None, before: str | None, limit: int) -> Scan:
        scan = super().cut(rows, prefix, after, before, limit)
        return Scan(scan.rows, scan.after or (scan.rows[-1].key.text if scan.rows else prefix.text))


class ForgetsRoot(BrokenScan):
    def keeps(self, text: str, prefix: Key, after: str | None, before: str | None) -> bool:
        return bool(prefix.text) and super().keeps(text, prefix, after, before)


class ListsForwardsAlways(Broken):
    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return await self.inner.scan(prefix, after=after, before=before, limit=limit)


class DescendsForEver(Broken):
    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        del after
        return await super().scan_descending(prefix, before=before, limit=limit)


class EndsEarlyDescending(Broken):
    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        scan = await super().scan_descending(prefix, after=after, before=before, limit=limit)
        return Scan(scan.rows, None)


class WrongSizes(Broken):
    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        scan = await super().scan(prefix, after=after, before=before, limit=limit)
        return Scan(tuple(Row(row.key, row.etag, 0) for row in scan.rows), scan.after)


class Lagging(Broken):
    """Lists what was there before the last write."""

    def __init__(self) -> None:
        super().__init__()
        self.latest = ""

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        etag = await super().put(key, data, condition=condition)
        self.latest = key.text
        return etag

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        scan = await super().scan(prefix, after=after, before=before, limit=limit)
        return Scan(tuple(row for row in scan.rows if row.key.text != self.latest), scan.after)


class OneAtATime(Broken):
    """Loses writes that overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if self.busy:
            return ""
        self.busy = True
        await asyncio.sleep(0)
        self.busy = False
        return await super().put(key, data, condition=condition)


class IfAbsentMeansNever(Broken):
    """Remembers keys that were deleted."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if isinstance(condition, IfAbsent) and key.text in self.seen:
            raise ConflictError(key, None, None)
        self.seen.add(key.text)
        return await super().put(key, data, condition=condition)


BROKEN = [
    value
    for value in list(vars().values())
    if isinstance(value, type) and issubclass(value, Broken) and value not in (Broken, BrokenScan)
]


async def broken_promises(storage_class: type[Broken]) -> set[str]:
    broken = set()
    for promise in PROMISES:
        try:
            await getattr(StorageContract(), promise)(storage_class())
        except REJECTED:
            broken.add(promise)
    return broken


async def test_the_reference_itself_is_accepted() -> None:
    assert await broken_promises(Broken) == set()
    assert await broken_promises(BrokenScan) - {"test_a_scan_refuses_an_impossible_limit"} == set()


@pytest.mark.parametrize("storage_class", BROKEN)
async def test_a_broken_storage_is_rejected(storage_class: type[Broken]) -> None:
    assert await broken_promises(storage_class) - {"test_a_scan_refuses_an_impossible_limit"}


async def test_every_promise_is_broken_by_a_storage() -> None:
    broken = [await broken_promises(storage_class) for storage_class in BROKEN]

    assert set(PROMISES) - set().union(*broken) == set()
