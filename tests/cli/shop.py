"""A program whose shelf the command line looks into; a command can import it as ``shop:Orders``."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from ssshelf import CManager, Collection, Desc, DictItems, RetryPolicy
from ssshelf.storages.base import Storage
from ssshelf.storages.sqlite import SQLiteStorage

__all__ = ["NOON", "ODD", "Broken", "Orders", "OrdersByCity", "People", "fill", "fill_storage", "order", "shelf_at"]

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
ODD = "-two\nlines \x1b[31m"


class Orders(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="no", name="orders")
    by_day = Collection[dict[str, Any]](lambda order: Desc(order["at"]))
    by_tag = Collection[dict[str, Any]](lambda order: [(tag, order["price"]) for tag in order["tags"]])


class OrdersByCity(Orders):
    by_city = Collection[dict[str, Any]](lambda order: order["city"], version=2)


class People(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="name", name="people")
    by_email = Collection[dict[str, Any]](lambda person: person["email"], unique=True)


class Broken(Orders):
    def __init__(self, _storage: object) -> None:
        msg = "no such setting"
        raise KeyError(msg)


def order(no: str, price: float, *tags: str) -> dict[str, Any]:
    return {"no": no, "at": NOON + dt.timedelta(days=int(price)), "price": price, "tags": list(tags), "city": "Bern"}


def shelf_at(path: object) -> SQLiteStorage:
    """Return a storage on which it is always noon."""
    return SQLiteStorage(str(path), clock=lambda: NOON)


async def fill(path: object) -> None:
    """Make a small shelf in a file, the same each time."""
    async with shelf_at(path) as storage:
        await fill_storage(storage)


async def fill_storage(storage: Storage) -> None:
    """Make the small shelf."""
    policy = RetryPolicy(dice=random.Random(5))
    orders, people = Orders(storage, retries=policy), People(storage, retries=policy)
    for item in (order("a1", 1, "new", "two words"), order("a2", 2.5, "new"), order(ODD, 3, "number:5", "é")):
        await orders.add_item(item)
    for name in ("Ada", "Eve"):
        await people.add_item({"name": name, "email": f"{name}@example.org"})
    await people.remove_item("Eve")
