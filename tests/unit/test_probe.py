"""A probe tells what a store does: each question is answered with no by a storage that is broken on purpose."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from ssshelf import CManager, DictItems, MemoryStorage, UnavailableError, UnsupportedError
from ssshelf.errors import ConflictError, NotFoundError, ShelfError
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import MAX_SCAN_ROWS, Capabilities, Condition, IfAbsent, IfMatch, Scan
from ssshelf.storages.probe import Probe, ask
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import CountingStorage, Fault, FaultyStorage, Request, fail_at
from tests import storages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssshelf.storages.base import Storage

QUICK = RetryPolicy(attempts=3, base_s=0.0)
GOOD = Probe(**dict.fromkeys((field.name for field in dataclasses.fields(Probe)), True))


class Broken(WrapperStorage):
    """A reference storage; each subclass breaks it in one way."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())

    async def holds(self, key: Key) -> bool:
        try:
            await self.inner.get(key)
        except NotFoundError:
            return False
        return True


class NeverCreates(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if isinstance(condition, IfAbsent):
            raise ConflictError(key, None, None)
        return await super().put(key, data, condition=condition)


class CreatesOver(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await super().put(key, data, condition=None if isinstance(condition, IfAbsent) else condition)


class CreatesOverAndDeniesIt(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        held = await self.holds(key)
        if isinstance(condition, IfAbsent) and held:
            await super().put(key, data)
            raise ConflictError(key, None, None)
        return await super().put(key, data, condition=condition)


class NeverReplaces(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if isinstance(condition, IfMatch):
            raise ConflictError(key, condition.etag, None)
        return await super().put(key, data, condition=condition)


class ForgetsReplacements(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if isinstance(condition, IfMatch):
            entry = await self.inner.get(key) if await self.holds(key) else None
            if entry is not None and entry.etag == condition.etag:
                return "etag"
        return await super().put(key, data, condition=condition)


class ReplacesAnything(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        ignored = isinstance(condition, IfMatch) and await self.holds(key)
        return await super().put(key, data, condition=None if ignored else condition)


class ReplacesNothing(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        ignored = isinstance(condition, IfMatch) and not await self.holds(key)
        return await super().put(key, data, condition=None if ignored else condition)


class ChecksThenActs(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if isinstance(condition, IfAbsent):
            if await self.holds(key):
                raise ConflictError(key, None, None)
            await asyncio.sleep(0)
            condition = None
        return await super().put(key, data, condition=condition)


class NobodyWins(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.creating: Counter[Key] = Counter()

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self.creating[key] += 1
        await asyncio.sleep(0)
        try:
            if self.creating[key] > 1:
                raise ConflictError(key, None, None)
            return await super().put(key, data, condition=condition)
        finally:
            await asyncio.sleep(0)
            self.creating[key] -= 1


class BrokenScan(Broken):
    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return self.cut(await self.inner.scan(prefix, before=before), after, limit)

    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        rows = tuple(row for row in everything.rows if row.key.text > (after or ""))
        return Scan(rows[:limit], rows[limit - 1].key.text if len(rows) > limit else None)


class Unordered(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        scan = super().cut(everything, after, limit)
        return Scan(scan.rows[::-1], scan.after)


class OrderedAsFolders(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        scan = super().cut(everything, after, limit)
        return Scan(tuple(sorted(scan.rows, key=lambda row: row.key.text.split("/"))), scan.after)


class Lagging(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        scan = super().cut(everything, after, limit)
        return Scan(scan.rows[:-1] if len(scan.rows) > 1 else scan.rows, scan.after)


class RepeatsTheCursor(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        rows = tuple(row for row in everything.rows if row.key.text >= (after or ""))
        return Scan(rows[:limit], rows[limit - 1].key.text if len(rows) > limit else None)


class IgnoresTheCursor(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        del after
        return super().cut(everything, None, limit)


class IgnoresTheLimit(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        del limit
        return super().cut(everything, after, MAX_SCAN_ROWS)


class SaysThatIsAll(BrokenScan):
    def cut(self, everything: Scan, after: str | None, limit: int) -> Scan:
        return Scan(super().cut(everything, after, limit).rows, None)


class NeverDeletes(Broken):
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is not None:
            raise ConflictError(key, condition.etag, None)
        await super().delete(key)


class DeletesAnything(Broken):
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        del condition
        await super().delete(key)


class DeletesNothing(Broken):
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is None or await self.holds(key):
            await super().delete(key, condition=condition)


class Folders(Broken):
    """Where a file cannot stand beside a folder of its name."""

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        for row in (await self.inner.scan(Key())).rows:
            if key.text.startswith(row.key.below):
                raise ShelfError
        return await super().put(key, data, condition=condition)


class HasNoConditions(Broken):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if condition is not None:
            raise UnsupportedError
        return await super().put(key, data)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is not None:
            raise UnsupportedError
        await super().delete(key)


class LosersAreNotTold(NobodyWins):
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self.creating[key] += 1
        await asyncio.sleep(0)
        racing = self.creating[key] > 1
        try:
            return await self.inner.put(key, data, condition=condition)
        except ConflictError:
            if racing:
                raise UnavailableError(str(key)) from None
            raise
        finally:
            self.creating[key] -= 1


def wrong(probe: Probe) -> set[str]:
    return {field.name for field in dataclasses.fields(Probe) if getattr(probe, field.name) is False}


@pytest.mark.parametrize(
    ("storage_class", "expected"),
    [
        (Broken, set()),
        (BrokenScan, set()),
        (NeverCreates, {"if_absent_creates", "one_winner"}),
        (CreatesOver, {"if_absent_refuses", "one_winner"}),
        (CreatesOverAndDeniesIt, {"if_absent_refuses", "one_winner"}),
        (NeverReplaces, {"if_match_writes"}),
        (ForgetsReplacements, {"if_match_writes"}),
        (ReplacesAnything, {"if_match_refuses"}),
        (ReplacesNothing, {"if_match_refuses_missing"}),
        (ChecksThenActs, {"one_winner"}),
        (NobodyWins, {"one_winner"}),
        (Unordered, {"lists_in_order"}),
        (OrderedAsFolders, {"lists_in_order"}),
        (Lagging, {"lists_in_order"}),
        (RepeatsTheCursor, {"after_exclusive"}),
        (IgnoresTheCursor, {"after_exclusive"}),
        (IgnoresTheLimit, {"limit_honoured"}),
        (SaysThatIsAll, {"limit_honoured"}),
        (NeverDeletes, {"delete_match_removes"}),
        (DeletesAnything, {"delete_match_refuses", "delete_match_refuses_missing"}),
        (DeletesNothing, {"delete_match_refuses_missing"}),
        (Folders, {"nested_keys"}),
        (LosersAreNotTold, set()),
        (
            HasNoConditions,
            {name for name in Probe.__dataclass_fields__ if name.startswith(("if_", "delete_", "one_"))},
        ),
    ],
)
async def test_each_question_tells_a_broken_store(storage_class: type[Broken], expected: set[str]) -> None:
    storage = storage_class()

    probe = await ask(storage)

    assert wrong(probe) == expected
    assert len(probe.problems) == len(expected)
    assert (await storage.inner.scan(Key())).rows == ()


@pytest.mark.parametrize("name", [name for name in storages.ALL if name not in [*storages.SERVERS, "moto-aiobotocore"]])
async def test_our_own_storages_do_all_they_should(request: pytest.FixtureRequest, name: str) -> None:
    async with storages.open_named(name, request) as storage:
        probe = await storage.probe()

        assert probe.problems == ()
        assert probe.advice == ""
        assert probe.old_signature_refused is probe.etag_quoted is None
        assert probe.applied_to(storage.capabilities) == storage.capabilities
        assert (await storage.scan(Key())).rows == ()


async def test_a_probe_costs_31_requests_most_of_them_at_once() -> None:
    class Batches(MemoryStorage):
        async def delete_many(self, keys: Sequence[Key]) -> None:
            for key in keys:
                await self.delete(key)

    storage = CountingStorage(Batches())

    await ask(storage)

    assert storage.total == 31
    assert storage.steps < 10
    assert storage.most_at_once > 8


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST], ids=str)
async def test_a_request_that_fails_is_no_answer(fault: Fault) -> None:
    inner = MemoryStorage()
    for step in range(31):
        storage = FaultyStorage(inner, fail_at(step, fault))

        assert wrong(await ask(storage, QUICK)) == set()
        assert len(storage.requests) >= 31


async def test_nothing_is_concluded_about_a_store_that_does_not_answer() -> None:
    storage = FaultyStorage(MemoryStorage(), lambda _: Fault.LOST)

    with pytest.raises(UnavailableError):
        await ask(storage, QUICK)


async def test_who_cancels_a_probe_does_not_wait_for_the_store() -> None:
    hangs = asyncio.Event()

    def hang(request: Request) -> Fault | None:
        if request.number < 10:
            return None
        hangs.set()
        return Fault.HANG

    storage = FaultyStorage(MemoryStorage(), hang)
    probing = asyncio.create_task(ask(storage))
    await hangs.wait()

    probing.cancel()
    await asyncio.wait([probing])

    assert probing.cancelled()
    assert "delete_many" not in [request.kind for request in storage.requests]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_probe_that_fails_cleans_up() -> None:
    inner = MemoryStorage()
    storage = FaultyStorage(inner, lambda request: Fault.UNSENT if request.kind == "get" else None)

    with pytest.raises(UnavailableError):
        await ask(storage, QUICK)

    assert (await inner.scan(Key())).rows == ()


async def test_probes_at_once_do_not_meet() -> None:
    storage = MemoryStorage()

    probes = await asyncio.gather(*(ask(storage) for _ in range(8)))

    assert {wrong_name for probe in probes for wrong_name in wrong(probe)} == set()
    assert (await storage.scan(Key())).rows == ()


def test_a_probe_survives_being_stored() -> None:
    for probe in (GOOD, dataclasses.replace(GOOD, one_winner=False, etag_quoted=None)):
        assert Probe.from_json(probe.to_json()) == probe


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        GOOD.to_json().replace(b'"ssshelf":1', b'"ssshelf":2'),
        GOOD.to_json().replace(b"one_winner", b"two_winners"),
        GOOD.to_json().replace(b'"nested_keys":true', b'"nested_keys":"yes"'),
        GOOD.to_json().replace(b'"nested_keys":true', b'"nested_keys":[]'),
        GOOD.to_json().replace(b'"nested_keys":true', b'"nested_keys":null'),
    ],
)
def test_what_is_no_probe_of_this_version_is_not_believed(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Probe.from_json(data)


@pytest.mark.parametrize(
    ("failed", "learnt"),
    [
        ("if_absent_refuses", {"conditional_put": False}),
        ("if_match_writes", {"conditional_put": False}),
        ("one_winner", {"conditional_put": False}),
        ("after_exclusive", {"ordered_scan": False}),
        ("limit_honoured", {"ordered_scan": False}),
        ("delete_match_refuses", {"conditional_delete": False, "exclusive_delete": False}),
        ("delete_match_removes", {"conditional_delete": False, "exclusive_delete": False}),
        ("delete_match_refuses_missing", {"exclusive_delete": False}),
        ("old_signature_refused", {"late_s": None}),
        ("nested_keys", {}),
        ("etag_quoted", {}),
    ],
)
def test_capabilities_follow(failed: str, learnt: dict[str, bool | None]) -> None:
    documented = Capabilities(late_s=1800.0)
    probe = dataclasses.replace(GOOD, **{failed: False})

    assert probe.applied_to(documented) == dataclasses.replace(documented, advice=probe.advice, **learnt)  # type: ignore[arg-type]


@pytest.mark.parametrize("failed", ["if_match_refuses", "lists_in_order"])
def test_a_manager_refuses_such_a_store_and_says_why(failed: str) -> None:
    class Shelf(CManager[dict[str, str]]):
        item_manager = DictItems(pk="slug")

    class Probed(Broken):
        @property
        def capabilities(self) -> Capabilities:
            return dataclasses.replace(GOOD, **{failed: False}).applied_to(self.inner.capabilities)

    storage: Storage = Probed()
    with pytest.raises(UnsupportedError) as caught:
        Shelf(storage)

    assert storage.capabilities.advice in str(caught.value)
    assert "`await storage.probe()` asks it again" in str(caught.value)


async def test_a_storage_that_remembers_nothing_is_believed_without_being_asked() -> None:
    storage = CountingStorage(MemoryStorage())

    assert (await storage.probe(fresh=False)).problems == ()
    assert storage.total == 0
    assert Probe.of(Capabilities(conditional_put=False)).applied_to(Capabilities()).conditional_put is False
    assert Probe.of(Capabilities(conditional_delete=False)).applied_to(Capabilities()).conditional_delete is False
    assert Probe.of(Capabilities(exclusive_delete=False)).applied_to(Capabilities()).exclusive_delete is False
    assert Probe.of(Capabilities(late_s=None)).applied_to(Capabilities()).late_s is None
