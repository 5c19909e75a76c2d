"""What operations cost on AWS, in dollars for a million, from the requests that they make: counted, in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from ssshelf import CManager, Collection, DictItems, MemoryStorage
from ssshelf.storages.counting import CountingStorage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ssshelf.storages.base import Operation

PRICES = (
    "List prices of AWS in us-east-1 as of 1 December 2024: S3 Standard, $0.005 for 1,000 PUT, POST and LIST requests "
    "and $0.0004 for 1,000 GET requests, deletions are free (https://aws.amazon.com/s3/pricing/); DynamoDB on demand, "
    "$0.625 for a million write request units and $0.125 for a million read request units "
    "(https://aws.amazon.com/dynamodb/pricing/on-demand/)"
)
S3 = {"get": 0.0004 / 1000, "put": 0.005 / 1000, "scan": 0.005 / 1000, "delete_many": 0.0, "delete": 0.0}
WRITE_UNIT, READ_UNIT = 0.625e-6, 0.125e-6
# A row of up to 1 KB is a unit to write, and two within a transaction; one of up to 4 KB is a unit to read.
DYNAMODB = {
    "get": READ_UNIT,
    "put": WRITE_UNIT,
    "delete": WRITE_UNIT,
    "operation": 2 * WRITE_UNIT,
    "read_kb": READ_UNIT / 4,
}
ENTRY_KB = 0.3

Item = dict[str, Any]


class Things(CManager[Item]):
    item_manager = DictItems(pk="id", name="things")
    by_size = Collection[Item](lambda item: item["size"])
    by_group = Collection[Item](lambda item: (item["group"], item["size"]))


class _Counting(CountingStorage):
    """Counts also how many operations commits have, and how many rows listings read, which DynamoDB charges for."""

    def reset(self) -> None:
        super().reset()
        self.charged: Counter[str] = Counter()

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        self.charged["operation"] += len(operations)
        return await super().commit(operations)

    async def scan(self, *args: Any, **options: Any) -> Any:
        found = await super().scan(*args, **options)
        self.charged["rows"] += len(found.rows)
        return found


def _item(number: int) -> Item:
    return {"id": f"item-{number}", "size": number, "group": number % 7, "text": "x" * 200}


OPERATIONS: Mapping[str, Callable[[Things], Awaitable[object]]] = {
    "get_item": lambda things: things.get_item("item-1"),
    "insert_item": lambda things: things.insert_item(_item(1000)),
    "update_item, no key moved": lambda things: things.update_item("item-2", lambda item: item.update(text="y")),
    "remove_item": lambda things: things.remove_item("item-3"),
    "page of 100 items": lambda things: things.by_size.get_items(limit=100),
    "page of 100 keys": lambda things: things.by_size.get_keys(limit=100),
}


def dollars() -> dict[str, tuple[str, float, float]]:
    """Return, of each operation, its requests on S3, and what a million costs on S3 and on DynamoDB."""
    return asyncio.run(_dollars())


async def _dollars() -> dict[str, tuple[str, float, float]]:
    found = {}
    for name, operation in OPERATIONS.items():
        bucket, table = [await _counted(operation, transactions=native) for native in (False, True)]
        s3 = sum(S3[kind] * count for kind, count in bucket.counts.items())
        simple = sum(DYNAMODB.get(kind, 0) * count for kind, count in table.counts.items())
        rows = (
            table.charged["rows"] * ENTRY_KB * DYNAMODB["read_kb"] + table.charged["operation"] * DYNAMODB["operation"]
        )
        requests = ", ".join(f"{count} {KINDS[kind]}" for kind, count in sorted(bucket.counts.items()))
        found[name] = (requests, s3 * 1e6, (simple + rows) * 1e6)
    return found


KINDS = {"get": "GET", "put": "PUT", "scan": "LIST", "delete_many": "DeleteObjects", "delete": "DELETE"}


async def _counted(operation: Callable[[Things], Awaitable[object]], *, transactions: bool) -> _Counting:
    counting = _Counting(MemoryStorage(transactions=transactions))
    things = Things(counting)
    await things.add_items(map(_item, range(200)))
    counting.reset()
    await operation(things)
    return counting
