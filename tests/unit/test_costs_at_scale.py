"""What operations cost does not depend on how many items there are; and how many bytes they send and get."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ssshelf import CManager, Collection, DictItems, MemoryStorage
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import CountingStorage, run_in_virtual_time

if TYPE_CHECKING:
    from ssshelf import Key
    from ssshelf.storages.base import Entry

Item = dict[str, Any]


class Things(CManager[Item]):
    item_manager = DictItems(pk="id")
    by_size = Collection[Item](lambda item: item["size"])
    by_group = Collection[Item](lambda item: (item["group"], item["size"]))


class Weighing(WrapperStorage):
    """Counts the bytes of entries that are put and got."""

    def __init__(self, inner: MemoryStorage) -> None:
        super().__init__(inner)
        self.moved: Counter[str] = Counter()

    async def get(self, key: Key) -> Entry:
        entry = await super().get(key)
        self.moved["got"] += len(entry.data)
        return entry

    async def put(self, key: Key, data: bytes, **options: Any) -> str:
        self.moved["put"] += len(data)
        return await super().put(key, data, **options)


def thing(number: int) -> Item:
    return {"id": f"item-{number:05}", "size": number, "group": number % 7, "text": "x" * 200}


def mended(item: Item) -> None:
    item["text"] = "y"


OPERATIONS: list[Any] = [
    ("page of 100", lambda things: things.by_size.get_items(limit=100, start=300), "100 get, 1 scan in 2 steps"),
    ("page of keys", lambda things: things.by_size.get_keys(limit=100, start=300), "1 scan in 1 step"),
    ("get", lambda things: things.get_item("item-00300"), "1 get in 1 step"),
    ("insert", lambda things: things.insert_item(thing(99_999)), "3 put in 2 steps"),
    (
        "update",
        lambda things: things.update_item("item-00300", lambda i: i.update(text="y")),
        "1 get, 1 put in 2 steps",
    ),
    ("remove", lambda things: things.remove_item("item-00300"), "1 delete_many, 1 get, 1 put in 3 steps"),
]


@pytest.fixture(scope="module", params=[500, 3_000])
def filled(request: pytest.FixtureRequest) -> MemoryStorage:
    memory = MemoryStorage(transactions=False)
    run_in_virtual_time(Things(memory).add_items(map(thing, range(request.param))))
    return memory


@pytest.mark.parametrize(("operation", "cost"), [pytest.param(*case[1:], id=case[0]) for case in OPERATIONS])
def test_the_cost_does_not_depend_on_how_many_items_there_are(filled: MemoryStorage, operation: Any, cost: str) -> None:
    async def main() -> str:
        counting = CountingStorage(filled)
        await operation(Things(counting))
        return str(counting)

    assert run_in_virtual_time(main()) == cost


def test_a_stream_holds_no_more_than_two_pages(filled: MemoryStorage) -> None:
    async def main() -> list[int]:
        counting, most = CountingStorage(filled), [0]
        read = 0
        async for _ in Things(counting, concurrency=10).by_size.prefix():
            read += 1
            most.append(counting.counts["get"] - read)
        return most

    assert max(run_in_virtual_time(main())) <= 400  # the rest of a page of 200, and the one after it


def test_an_item_has_a_head_beside_its_json_and_an_entry_has_nothing() -> None:
    async def main() -> tuple[int, int]:
        weighing = Weighing(MemoryStorage(transactions=False))
        await Things(weighing).insert_item(thing(1))
        await Things(weighing).get_item("item-00001")
        return weighing.moved["put"], weighing.moved["got"]

    json_bytes = len(orjson.dumps(thing(1)))

    assert run_in_virtual_time(main()) == (json_bytes + 194, json_bytes + 194)


def test_a_page_gets_the_bytes_of_its_items_and_nothing_else(filled: MemoryStorage) -> None:
    async def main() -> tuple[int, int]:
        together, alone = Weighing(filled), Weighing(filled)
        page = await Things(together).by_size.get_items(limit=100, start=100)
        for item in page:
            await Things(alone).get_item(item["id"])
        return together.moved["got"], alone.moved["got"]

    together, alone = run_in_virtual_time(main())

    assert together == alone > 100 * 200
