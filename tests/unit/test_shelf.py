"""Shelf, awaited: a mapping on any storage."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import math
import pickle
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    CommitUnknownError,
    ConflictError,
    CorruptionError,
    Desc,
    Key,
    KeyTooLongError,
    MemoryStorage,
    NotFoundError,
    Shelf,
    ShelfError,
    UnavailableError,
)
from ssshelf.retries import RetryPolicy
from ssshelf.serializers import BytesSerializer, Compressed, TextSerializer
from ssshelf.storages.faulty import Fault, FaultyStorage, fail_at
from ssshelf.storages.readonly import ReadOnlyStorage
from ssshelf.storages.wrapper import WrapperStorage
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ssshelf.storages.base import Storage

MANY = {f"k{n:04}": n for n in range(2500)}
QUICK = RetryPolicy(base_s=0.001)


async def listed(shelf: Shelf[Any], **bounds: Any) -> list[Any]:
    return [key async for key in shelf.keys(**bounds)]


async def test_a_shelf_keeps_values(storage: Storage) -> None:
    shelf = Shelf(storage)

    assert await shelf.get("a") is None
    assert await shelf.get("a", 5) == 5
    assert not await shelf.has("a")
    assert await shelf.is_empty()
    etag = await shelf.set("a", {"at": dt.date(2024, 2, 29)})
    assert await shelf.get_entry("a") == ({"at": dt.date(2024, 2, 29)}, etag)
    assert await shelf.has("a")
    assert not await shelf.is_empty()
    await shelf.delete("a")
    await shelf.delete("a")
    with pytest.raises(NotFoundError):
        await shelf.get_entry("a")


async def test_it_changes_many_at_once(storage: Storage) -> None:
    shelf = Shelf(storage)

    await shelf.update({"a": 1, "b": 2})
    await shelf.update([("b", 3), ("c", 4), ("c", 5)], d=6)
    assert [pair async for pair in shelf.items()] == [("a", 1), ("b", 3), ("c", 5), ("d", 6)]
    assert await shelf.get_many(["c", "x", "a"]) == {"c": 5, "a": 1}
    await shelf.delete_many(["a", "x", "d"])
    assert [value async for value in shelf.values()] == [3, 5]
    assert await shelf.count() == 2
    await shelf.clear()
    assert await listed(shelf) == []


async def test_what_is_popped_is_gone(storage: Storage) -> None:
    shelf = Shelf(storage, retries=QUICK)
    await shelf.update(a=1, b=2, c=3)

    assert await shelf.pop("b") == 2
    assert await shelf.pop("b", None) is None
    with pytest.raises(KeyError):
        await shelf.pop("b")
    assert [await shelf.popitem(), await shelf.popitem()] == [("a", 1), ("c", 3)]
    with pytest.raises(KeyError):
        await shelf.popitem()


async def test_a_value_is_replaced_only_as_it_was_read(storage: Storage) -> None:
    shelf = Shelf(storage)
    first = await shelf.replace("a", 1, expect=None)

    second = await shelf.replace("a", 2, expect=first)
    for expect in (first, None):
        with pytest.raises(ConflictError):
            await shelf.replace("a", 3, expect=expect)
    with pytest.raises(ConflictError):
        await shelf.replace("b", 3, expect=second)
    assert await shelf.get_entry("a") == (2, second)
    assert not await shelf.has("b")


def in_turns(storage: Storage) -> FaultyStorage:
    """Let calls that are made together take turns, on memory, too."""
    return FaultyStorage(storage, lambda _: 0.0)


async def test_of_many_who_pop_one_gets_the_value(storage: Storage) -> None:
    shelf = Shelf(in_turns(storage), retries=QUICK)
    await shelf.update({n: n for n in range(4)})

    popped = await asyncio.gather(*(shelf.pop(n % 4, None) for n in range(16)))
    assert sorted(value for value in popped if value is not None) == [0, 1, 2, 3]


async def test_of_many_who_set_a_default_one_does(storage: Storage) -> None:
    shelf = Shelf(in_turns(storage), retries=QUICK)

    got = await asyncio.gather(*(shelf.setdefault("a", n) for n in range(8)))
    assert got == [await shelf.get("a")] * 8


async def test_many_who_pop_items_get_each_one_once() -> None:
    shelf = Shelf(in_turns(MemoryStorage()), retries=QUICK)
    await shelf.update({n: str(n) for n in range(20)})

    got = await asyncio.gather(*(shelf.popitem() for _ in range(20)))
    assert sorted(got) == [(n, str(n)) for n in range(20)]


KEYS: list[Any] = [
    None,
    False,
    True,
    -math.inf,
    -1.5,
    7,
    decimal.Decimal("1e300"),
    dt.date(2024, 2, 29),
    dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
    b"",
    b"\xff",
    uuid.UUID(int=5),
    "",
    ("", "x"),
    "!",
    "A",
    "a",
    ("a", None),
    ("a", 1, "deep"),
    ("a", 2),
    ("a", "b"),
    "a/b",
    "ab",
    "long" * 100,
    ("q", Desc(2)),
    ("q", Desc(1)),
    "é",
]


async def test_keys_of_all_types_come_back_in_order() -> None:
    shelf = Shelf(MemoryStorage())
    await shelf.update((key, n) for n, key in reversed(list(enumerate(KEYS))))

    assert [pair async for pair in shelf.items()] == [(key, n) for n, key in enumerate(KEYS)]
    assert [await shelf.get(key) for key in KEYS] == list(range(len(KEYS)))


async def test_equal_keys_are_one_key() -> None:
    shelf = Shelf(MemoryStorage())
    await shelf.set(("a",), 1)
    await shelf.set("a", 2)
    await shelf.set(1.0, 3)
    await shelf.set(decimal.Decimal(1), 4)
    await shelf.set(True, 5)  # noqa: FBT003  a key

    assert [pair async for pair in shelf.items()] == [(True, 5), (1, 4), ("a", 2)]


RANGES: list[Any] = [
    ({}, lambda _: True),
    ({"prefix": "a"}, lambda key: key[0] == "a"),
    ({"prefix": ("a",)}, lambda key: key[0] == "a"),
    ({"prefix": ()}, lambda _: True),
    ({"prefix": ("a", 1)}, lambda key: key[:2] == ("a", 1)),
    ({"prefix": (None,)}, lambda key: key[0] is None),
    ({"prefix": "x"}, lambda _: False),
    ({"start": "a"}, lambda key: key >= ("a",)),
    ({"stop": "a"}, lambda key: key < ("a",)),
    ({"start": ("a", 2), "stop": ("a", 4)}, lambda key: ("a", 2) <= key < ("a", 4)),
    ({"start": "b", "stop": "a"}, lambda _: False),
    ({"prefix": "a", "start": 2}, lambda key: key[0] == "a" and key[1:] >= (2,)),
    ({"prefix": "a", "stop": 2}, lambda key: key[0] == "a" and key[1:] < (2,)),
    ({"prefix": "a", "start": 1, "stop": (2, 1)}, lambda key: key[0] == "a" and (1,) <= key[1:] < (2, 1)),
    ({"prefix": "a", "stop": ()}, lambda _: False),
    ({"prefix": "a", "start": ()}, lambda key: key[0] == "a"),
]
PARTS: list[tuple[Any, ...]] = [
    (None,),
    ("",),
    ("a",),
    *(("a", n) for n in range(3)),
    ("a", 2, 1),
    ("a", 3),
    ("a", 4),
    ("a0",),
    ("ab", 1),
    ("b",),
]


def is_in(within: Any, key: tuple[Any, ...]) -> bool:
    try:
        return bool(within(key))
    except TypeError:  # None is less than each text
        return bool(within(("", *key[1:])))


async def test_a_range_has_what_a_comparison_has(storage: Storage) -> None:
    shelf = Shelf(storage)
    await shelf.update((key, None) for key in PARTS)

    for bounds, within in RANGES:
        expected = [key[0] if len(key) == 1 else key for key in PARTS if is_in(within, key)]
        assert await listed(shelf, **bounds) == expected, bounds
        assert await shelf.count(**bounds) == len(expected), bounds


async def test_more_than_a_page_is_listed_and_read() -> None:
    shelf = Shelf(MemoryStorage())
    await shelf.update(MANY)

    assert [pair async for pair in shelf.items()] == list(MANY.items())
    assert await shelf.count() == 2500
    assert await listed(shelf, start="k0999", stop="k2002") == [f"k{n:04}" for n in range(999, 2002)]
    assert await shelf.get_many(MANY) == MANY
    await shelf.clear()
    assert await shelf.is_empty()


async def test_shelves_of_one_storage_are_apart() -> None:
    storage = MemoryStorage()
    one, other = Shelf(storage), Shelf(storage, name="other")
    await one.set("a", 1)
    await other.set("a", 2)
    await storage.put(Key("shelves"), b"not a shelf's")

    await one.clear()
    assert await one.is_empty()
    assert await other.get("a") == 2
    assert (await storage.get(Key("shelves"))).data == b"not a shelf's"


async def test_the_stored_form_is_what_the_serializer_made() -> None:
    storage = MemoryStorage()
    await Shelf(storage, name="notes").set(("a", 3), {"b": [1]})

    assert (await storage.get(Key("shelves", "notes", "a", 3))).data == b'{"b":[1]}'


async def test_a_value_that_is_removed_meanwhile_is_left_out() -> None:
    storage = MemoryStorage()
    shelf = Shelf(storage, concurrency=1)
    await shelf.update({n: n for n in range(100)})

    seen = []
    async for key, value in shelf.items():
        assert key == value
        seen.append(key)
        if key == 0:
            await shelf.delete_many(range(50, 60))
    assert seen == [*range(50), *range(60, 100)]


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        ([1], TypeError, "list cannot be part of a key: use str"),
        ({}, TypeError, "dict cannot be part of a key"),
        (("a", ("b",)), TypeError, "tuple cannot be part of a key"),
        (object(), TypeError, "object cannot be part of a key"),
        ((), ValueError, "an empty tuple is no key"),
        (math.nan, ValueError, "NaN has no place in an order"),
        (dt.datetime(2024, 1, 1), ValueError, "a naive datetime names no instant"),  # noqa: DTZ001
        ("\ud800", ValueError, "lone surrogate"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_is_no_key_is_refused_everywhere(key: Any, error: type[Exception], says: str) -> None:
    shelf = Shelf(MemoryStorage())

    for call in (shelf.get, shelf.has, shelf.pop, shelf.delete, shelf.get_entry):
        with pytest.raises(error, match=says):
            await call(key)
    with pytest.raises(error, match=says):
        await shelf.set(key, 1)


async def test_a_key_that_is_too_long_is_refused_and_none_has_it() -> None:
    shelf = Shelf(MemoryStorage())

    with pytest.raises(KeyTooLongError):
        await shelf.set("x" * 2000, 1)
    assert await shelf.get("x" * 2000) is None
    assert not await shelf.has("x" * 2000)


@pytest.mark.parametrize(
    ("stored", "serializer"),
    [
        (b"{", "json"),
        (b"\x80\x04", "pickle"),
        (b"[1]", "pickle"),
        (b"\xc1", "msgpack"),
        (b"\xff", "text"),
        (b"{}", Compressed("json")),
    ],
    ids=["json", "pickle", "not a pickle", "msgpack", "text", "compressed"],
)
async def test_what_cannot_be_read_is_named(stored: bytes, serializer: Any) -> None:
    storage = MemoryStorage()
    shelf = Shelf(storage, serializer=serializer)
    await storage.put(Key("shelves", "main", "a"), stored)

    for read in (shelf.get("a"), shelf.get_many(["a"]), shelf.pop("a"), anext(shelf.items()), shelf.setdefault("a", 1)):
        with pytest.raises(CorruptionError, match=r"^'a': \w+ raised \w+: the value is") as caught:
            await read
        assert caught.value.key == caught.value.args[0] == "a"
    assert await shelf.has("a")
    await shelf.delete("a")


async def test_foreign_names_are_not_keys() -> None:
    storage = MemoryStorage()
    shelf = Shelf(storage)
    for text in ("shelves!/main!/.DS_Store", "shelves!/main!/", "shelves!/main!/a!/folder/"):
        await storage.put(Key.from_text(text), b"")
    assert await shelf.is_empty()
    await shelf.set("b", 1)

    assert await listed(shelf) == ["b"]
    assert await shelf.count() == 1
    await storage.put(Key.from_text("shelves!/main!/!!"), b"")
    with pytest.raises(CorruptionError, match="its name is not that of a value"):
        await listed(shelf)


@pytest.mark.parametrize(
    ("serializer", "value"),
    [("json", math.nan), ("json", object()), ("bytes", "text"), ("text", b"bytes"), ("pickle", lambda: 1)],
    ids=["json-nan", "json-object", "bytes", "text", "pickle"],
)
async def test_what_cannot_be_kept_changes_nothing(serializer: str, value: Any) -> None:
    shelf = Shelf(MemoryStorage(), serializer=serializer)
    before = b"before" if serializer == "bytes" else "before"
    etag = await shelf.set("a", before)

    writes = [
        lambda: shelf.set("a", value),
        lambda: shelf.update([("b", before), ("a", value)]),
        lambda: shelf.replace("a", value, expect=etag),
        lambda: shelf.setdefault("c", value),
    ]
    for write in writes:
        with pytest.raises((TypeError, ValueError), match=r"^the value of '[ac]' was not stored: "):
            await write()  # type: ignore[no-untyped-call]
    assert await listed(shelf) == ["a"]
    assert await shelf.get("a") == before


async def test_a_value_that_is_too_large_changes_nothing() -> None:
    shelf = Shelf(LimitedStorage(MemoryStorage(), max_value_bytes=10), serializer=BytesSerializer())

    for write in (
        shelf.update({"a": b"x", "b": bytes(11)}),
        shelf.set("b", bytes(11)),
        shelf.setdefault("b", bytes(11)),
    ):
        with pytest.raises(ValueError, match=r"^the value of 'b': 11 bytes are more than the 10"):
            await write
    assert await shelf.is_empty()


class Beaten(WrapperStorage):
    """Loses the first conditional request, before which somebody else does the same."""

    def __init__(self, inner: Storage, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(inner)
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def put(self, key: Key, data: bytes, *, condition: Any = None) -> str:
        await self._lose()
        return await super().put(key, data, condition=condition)

    async def delete(self, key: Key, *, condition: Any = None) -> None:
        await self._lose()
        await super().delete(key, condition=condition)

    async def _lose(self) -> None:
        if meanwhile := self._meanwhile:
            self._meanwhile = None
            await meanwhile()
            msg = "no answer"
            raise UnavailableError(msg)


async def test_errors_tell_of_the_key_as_it_was_asked_for() -> None:
    shelf: Shelf[Any] = Shelf(MemoryStorage(), retries=QUICK)
    await shelf.set(("there", 1), 1)
    calls: list[Any] = [
        (shelf.get_entry(("a", 1.0)), "nothing is stored under ('a', 1.0)"),
        (shelf.pop(("a", 1.0)), "nothing is stored under ('a', 1.0)"),
        (shelf.replace(("a", 1.0), 2, expect="e"), "('a', 1.0): expected e, found something else; nothing was written"),
    ]

    for call, says in calls:
        with pytest.raises(ShelfError) as caught:
            await call
        error: Any = pickle.loads(pickle.dumps(caught.value))
        assert error.key == error.args[0] == ("a", 1.0)
        assert type(error.args[0][1]) is float
        assert str(error) == str(caught.value) == says
    with pytest.raises(ConflictError, match=r"^\('there', 1\): expected nothing, found "):
        await shelf.replace(("there", 1), 2, expect=None)
    lost: Shelf[Any] = Shelf(Beaten(MemoryStorage(), lambda: lost.set("a", 5)), retries=QUICK)
    with pytest.raises(CommitUnknownError, match=r"^'a': the store did not say"):
        await lost.replace("a", 6, expect=None)


async def test_who_may_have_lost_is_not_told_to_have_won() -> None:
    memory = MemoryStorage()
    other = Shelf(memory)
    five = await other.set("n", 5)

    with pytest.raises(CommitUnknownError):
        await Shelf(Beaten(memory, lambda: other.replace("n", 6, expect=five)), retries=QUICK).replace(
            "n", 6, expect=five
        )
    with pytest.raises(CommitUnknownError):
        await Shelf(Beaten(memory, lambda: other.pop("n")), retries=QUICK).pop("n")
    beaten = Shelf(Beaten(memory, lambda: other.setdefault("n", 7)), retries=QUICK)
    assert await beaten.setdefault("n", 8) == 7


async def test_a_request_that_was_lost_is_done_again() -> None:
    memory = MemoryStorage()
    shelf = Shelf(FaultyStorage(memory, fail_at(0, Fault.LOST)), retries=QUICK)

    etag = await shelf.replace("a", 2, expect=None)
    assert await shelf.get_entry("a") == (2, etag)
    popping = Shelf(FaultyStorage(memory, fail_at(1, Fault.LOST)), retries=QUICK)
    assert await popping.pop("a") == 2
    assert await Shelf(memory).is_empty()


async def test_keys_that_are_one_in_a_dict_are_not_read_together() -> None:
    shelf = Shelf(MemoryStorage())
    await shelf.update([(1, "one"), (True, "yes")])

    assert await shelf.get_many([1, 1.0, "x"]) == {1: "one"}
    with pytest.raises(ValueError, match=r"^1 and True are two keys here"):
        await shelf.get_many([1, True])
    with pytest.raises(ValueError, match=r"True.* and .*1.* are two keys here"):
        await shelf.get_many([("a", True), ("a", 1)])


async def test_values_before_one_that_cannot_be_read_are_yielded() -> None:
    storage = MemoryStorage()
    shelf = Shelf(storage)
    await shelf.update({n: n for n in range(10)})
    await storage.put(Key("shelves", "main", 7), b"{")

    values = shelf.values()
    assert [await anext(values) for _ in range(7)] == [0, 1, 2, 3, 4, 5, 6]
    with pytest.raises(CorruptionError):
        await anext(values)


async def test_an_update_that_fails_tells_how_far_it_came() -> None:
    shelf = Shelf(FaultyStorage(MemoryStorage(transactions=False), fail_at(4, Fault.UNSENT)), concurrency=1)

    with pytest.raises(UnavailableError) as caught:
        await shelf.update({n: n for n in range(10)})
    assert "4 of this call's operations were done" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.ANSWER_LOST])
async def test_with_transactions_each_thousand_of_an_update_is_stored_whole_or_not_at_all(fault: Fault) -> None:
    shelf = Shelf(FaultyStorage(MemoryStorage(), fail_at(1, fault)))

    with pytest.raises(UnavailableError):
        await shelf.update(MANY)
    assert await shelf.count() == (1000 if fault is Fault.UNSENT else 2000)
    await shelf.update(MANY)
    assert await shelf.get_many(MANY) == MANY


async def test_a_url_is_the_shelfs_to_close_and_a_storage_is_not(tmp_path: Path) -> None:
    async with Shelf(f"sqlite:///{tmp_path}/a.db", serializer=TextSerializer()) as shelf:
        await shelf.set("a", "text")
    with pytest.raises(ValueError, match="closed"):
        await shelf.get("a")

    storage = MemoryStorage()
    async with Shelf(storage) as shelf_on_ours:
        await shelf_on_ours.set("a", 1)
    assert await Shelf(storage).get("a") == 1


async def test_who_stops_in_the_middle_leaves_no_task_behind() -> None:
    shelf = Shelf(FaultyStorage(MemoryStorage(), lambda _: 0.0))
    await shelf.update(MANY)
    items = shelf.items()

    assert await anext(items) == ("k0000", 0)
    await items.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_only_reads_refuses_to_write() -> None:
    memory = MemoryStorage()
    await Shelf(memory).set("a", 1)
    shelf = Shelf(ReadOnlyStorage(memory))

    writes = [
        shelf.set("a", 2),
        shelf.delete("a"),
        shelf.pop("a"),
        shelf.update(a=2),
        shelf.clear(),
        shelf.delete_many(["a", "b"]),
        shelf.setdefault("b", 2),
        shelf.replace("b", 2, expect=None),
    ]
    for write in writes:
        with pytest.raises(PermissionError, match="opened for reading only: nothing was written"):
            await write
    with pytest.raises(PermissionError):
        await ReadOnlyStorage(memory).commit([])
    assert await shelf.get("a") == 1
    assert await listed(shelf) == ["a"]


def test_a_shelf_without_any_request_at_a_time_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Shelf(MemoryStorage(), concurrency=0)


async def test_the_name_of_a_shelf_is_shown() -> None:
    shelf = Shelf(MemoryStorage(), name="notes")

    assert repr(shelf) == "Shelf(MemoryStorage(0 entries), name='notes')"
    assert [key async for key in shelf] == []
