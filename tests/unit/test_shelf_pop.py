"""``pop`` has one winner, on stores that do not say who has deleted an entry, too; what it leaves there is no value."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

import ssshelf
from ssshelf import (
    CommitUnknownError,
    ConflictError,
    Key,
    MemoryStorage,
    NotFoundError,
    Shelf,
    UnavailableError,
    UnsupportedError,
)
from ssshelf._taken import TAKEN
from ssshelf.blocking import run
from ssshelf.retries import RetryPolicy
from ssshelf.storages.counting import CountingStorage
from ssshelf.storages.faulty import CrashError, Fault, FaultyStorage, Request, fail_at
from ssshelf.storages.wrapper import WrapperStorage
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.base import Condition, IfMatch, Storage

QUICK = RetryPolicy(base_s=0.001, attempts=3)
AT = Key("shelves", "main", "a")


def store(kind: str) -> LimitedStorage:
    return LimitedStorage(MemoryStorage(transactions=False), **{kind: False})


@pytest.fixture(params=["exclusive_delete", "conditional_delete"])
def marking(request: pytest.FixtureRequest) -> LimitedStorage:
    """A store that does as Ceph does: version 20, then version 16."""
    return store(request.param)


async def listed(shelf: Shelf[Any]) -> list[Any]:
    return [key async for key in shelf]


async def test_of_many_who_pop_one_gets_the_value(marking: Storage) -> None:
    shelf = Shelf(FaultyStorage(marking, lambda _: 0.0), retries=QUICK)
    await shelf.update({n: n for n in range(4)})

    popped = await asyncio.gather(*(shelf.pop(n % 4, None) for n in range(32)))
    assert sorted(value for value in popped if value is not None) == [0, 1, 2, 3]
    assert await shelf.is_empty()


async def test_many_who_pop_items_get_each_one_once(marking: Storage) -> None:
    shelf = Shelf(FaultyStorage(marking, lambda _: 0.0), retries=QUICK)
    await shelf.update({n: str(n) for n in range(20)})

    got = await asyncio.gather(*(shelf.popitem() for _ in range(20)))
    assert sorted(got) == [(n, str(n)) for n in range(20)]


@pytest.mark.parametrize(
    ("kind", "left", "costs"),
    [
        ("persistent", [], "1 delete, 1 get in 2 steps"),
        ("exclusive_delete", [], "1 delete, 1 get, 1 put in 3 steps"),
        ("conditional_delete", [AT], "1 get, 1 put in 2 steps"),
    ],
)
async def test_a_mark_is_only_where_it_is_needed(kind: str, left: list[Key], costs: str) -> None:
    counting = CountingStorage(store(kind))
    shelf = Shelf(counting)
    await shelf.set("a", 1)
    counting.reset()

    assert await shelf.pop("a") == 1
    assert str(counting) == costs
    assert [row.key for row in (await counting.scan(Key())).rows] == left


async def test_a_mark_is_no_value() -> None:
    storage = MemoryStorage()
    await storage.put(AT, TAKEN)
    shelf = Shelf(storage)

    assert await shelf.get("a", "nothing") == "nothing"
    assert await shelf.pop("a", "nothing") == "nothing"
    assert await shelf.get_many(["a"]) == {}
    assert not await shelf.has("a")
    assert await shelf.is_empty()
    assert await shelf.count() == 0
    assert await listed(shelf) == [key async for key, _ in shelf.items()] == []
    for read in (shelf.get_entry("a"), shelf.pop("a"), shelf.popitem()):
        with pytest.raises(NotFoundError):
            await read


def test_a_mark_is_no_value_to_who_blocks() -> None:
    storage = MemoryStorage()
    run(storage.put, AT, TAKEN)

    with ssshelf.open(storage) as shelf:
        with pytest.raises(KeyError):
            del shelf["a"]
        assert dict(shelf) == {}
        assert "a" not in shelf


WRITES: list[Callable[[Shelf[Any]], Awaitable[object]]] = [
    lambda shelf: shelf.set("a", 1),
    lambda shelf: shelf.replace("a", 1, expect=None),
    lambda shelf: shelf.setdefault("a", 1),
    lambda shelf: shelf.update(a=1),
]


@pytest.mark.parametrize("write", WRITES)
async def test_what_is_stored_over_a_mark_stays(write: Callable[[Shelf[Any]], Awaitable[object]]) -> None:
    storage = MemoryStorage()
    await storage.put(AT, TAKEN)
    shelf = Shelf(storage)

    await write(shelf)
    assert await shelf.get("a") == 1
    assert await listed(shelf) == ["a"]
    with pytest.raises(ConflictError):
        await shelf.replace("a", 2, expect=None)


@pytest.mark.parametrize("remove", [lambda s: s.clear(), lambda s: s.delete("a"), lambda s: s.delete_many(["a", "b"])])
async def test_a_mark_can_be_removed(remove: Callable[[Shelf[Any]], Awaitable[object]]) -> None:
    storage = MemoryStorage()
    await storage.put(AT, TAKEN)

    await remove(Shelf(storage))
    assert (await storage.scan(Key())).rows == ()


class Meanwhile(WrapperStorage):
    """Lets somebody else do something before a request of one kind, once."""

    def __init__(self, inner: Storage, kind: str, use: Callable[[], Awaitable[object]]) -> None:
        super().__init__(inner)
        self._uses = {kind: use}

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if use := self._uses.pop("put", None):
            await use()
        return await super().put(key, data, condition=condition)

    async def get(self, key: Key) -> Any:
        if use := self._uses.pop("get", None):
            await use()
        return await super().get(key)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if use := self._uses.pop("delete", None):
            await use()
        await super().delete(key, condition=condition)


@pytest.mark.parametrize("write", WRITES)
async def test_what_is_stored_while_it_is_popped_stays(write: Callable[[Shelf[Any]], Awaitable[object]]) -> None:
    storage = store("exclusive_delete")
    others: Shelf[Any] = Shelf(storage)
    await others.set("a", 0)

    assert await Shelf(Meanwhile(storage, "delete", lambda: write(others))).pop("a") == 0
    assert await others.get("a") == 1


async def test_who_finds_a_mark_that_is_removed_meanwhile_stores() -> None:
    storage = MemoryStorage()
    await storage.put(AT, TAKEN)
    etag = await Shelf(Meanwhile(storage, "get", lambda: storage.delete(AT)), retries=QUICK).replace(
        "a", 1, expect=None
    )

    assert await Shelf(storage).get_entry("a") == (1, etag)


async def test_who_finds_a_mark_over_which_somebody_stores_has_lost() -> None:
    storage = MemoryStorage()
    await storage.put(AT, TAKEN)
    other: Shelf[Any] = Shelf(storage)

    shelf = Shelf(Meanwhile(storage, "get", lambda: other.set("a", 5)), retries=QUICK)
    with pytest.raises(ConflictError):
        await shelf.replace("a", 1, expect=None)
    assert await other.get("a") == 5


@pytest.mark.parametrize("kind", ["persistent", "exclusive_delete", "conditional_delete"])
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.HANG], ids=str)
@pytest.mark.parametrize("step", range(3))
async def test_a_pop_that_fails_anywhere_gives_nothing_out_twice(kind: str, fault: Fault, step: int) -> None:
    storage = store(kind)
    await Shelf(storage).set("a", "value")
    shelf = Shelf(FaultyStorage(storage, fail_at(step, fault)), retries=RetryPolicy(attempts=2, base_s=0.0))
    got = []
    with contextlib.suppress(CrashError, CommitUnknownError, UnavailableError):
        got.append(await shelf.pop("a"))
    has_failed = not got

    others = await asyncio.gather(*(Shelf(storage).pop("a", None) for _ in range(3)))
    got += [value for value in others if value is not None]
    assert got == ["value"] or (has_failed and got == [])
    assert await Shelf(storage).is_empty()


async def test_a_value_that_could_not_be_cleared_away_is_got_all_the_same() -> None:
    storage = store("exclusive_delete")
    await Shelf(storage).set("a", 1)

    def down(request: Request) -> Fault | None:
        return Fault.UNSENT if request.kind == "delete" else None

    assert await Shelf(FaultyStorage(storage, down), retries=QUICK).pop("a") == 1
    assert (await storage.get(AT)).data == TAKEN
    assert await Shelf(storage).is_empty()


async def test_many_marks_cost_few_scans() -> None:
    counting = CountingStorage(MemoryStorage())
    for number in range(2500):
        await counting.put(Key("shelves", "main", number), TAKEN)
    shelf = Shelf(counting)
    await shelf.set("a", 1)
    counting.reset()

    assert await shelf.popitem() == ("a", 1)
    assert counting.counts["scan"] == 1 + 3
    assert await shelf.is_empty()
    assert not await shelf.has(7)


async def test_a_value_of_the_bytes_of_a_mark_is_refused() -> None:
    shelf = Shelf(MemoryStorage(), serializer="bytes")

    with pytest.raises(ValueError, match="the value of 'a' was not stored: by these bytes a shelf knows"):
        await shelf.set("a", TAKEN)


async def test_where_all_conditions_are_ignored_nothing_is_popped() -> None:
    class Careless(LimitedStorage):
        async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
            if condition is not None:
                msg = "no conditions here"
                raise UnsupportedError(msg)
            return await super().put(key, data)

    shelf = Shelf(Careless(MemoryStorage(), conditional_put=False, conditional_delete=False))
    await shelf.set("a", 1)

    for pop in (shelf.pop("a"), shelf.popitem()):
        with pytest.raises(UnsupportedError):
            await pop
    assert await shelf.pop("x", None) is None
    assert await shelf.get("a") == 1
    await shelf.delete("a")
    assert await shelf.is_empty()
