"""What tests of moving shelves share: a shelf with everything in it, and all that a storage holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssshelf import CManager, Collection, DictItems, Key
from ssshelf.storages.base import scan_pages
from ssshelf.testing import CountingStorage
from ssshelf.transfer import copy

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage
    from ssshelf.transfer import Copied

__all__ = ["Guests", "Named", "assert_agrees", "copied", "everything", "guest", "seated", "stored"]

Guest = dict[str, Any]


class Named(CountingStorage):
    """A source that is known by one name, whatever is inside: copies and exports of it go on with each other."""

    def __repr__(self) -> str:
        return "Named"


class Guests(CManager[Guest]):
    item_manager = DictItems(pk="name")
    by_seat = Collection[Guest](lambda guest: guest["seat"], unique=True)
    by_tag = Collection[Guest](lambda guest: [(tag, guest["seat"]) for tag in guest["tags"]])


def guest(name: str, seat: int, *tags: str) -> Guest:
    return {"name": name, "seat": seat, "tags": list(tags)}


async def seated(storage: Storage, count: int = 5) -> Guests:
    """Return a shelf of so many guests, of whom the second one has another tag than before; one more has left."""
    guests = Guests(storage)
    await guests.add_items(guest(f"g{n:03}", n, "x", "y") for n in range(count + 1))
    await guests.update_item("g001", lambda item: item.update(tags=["x", "z"]))
    await guests.remove_item(f"g{count:03}")
    return guests


async def stored(storage: Storage, *prefixes: str) -> dict[str, bytes]:
    """Return all that is stored under some first parts of keys."""
    pages = [rows for prefix in prefixes async for rows in scan_pages(storage, Key(prefix))]
    return {row.key.text: (await storage.get(row.key)).data for rows in pages for row in rows}


async def everything(storage: Storage) -> dict[str, bytes]:
    """Return all items, index entries and claims."""
    return await stored(storage, "items", "collections", "unique")


async def copied(source: Storage, destination: Storage, **options: Any) -> Copied:
    """Copy the only manager there is."""
    (done,) = [one async for one in copy(source, destination, **options)]
    return done


async def assert_agrees(storage: Storage) -> None:
    """Check that whatever an item names is there, and that the collections list the items as they are."""
    guests = Guests(storage)
    seats = [item["seat"] async for item in guests.by_seat.prefix()]
    items = await guests.by_seat.get_items(1000)
    tagged = [item["name"] async for item in guests.by_tag.prefix()]

    assert [str(one) for one in (await guests.verify()).findings if not one.kind.is_garbage] == []
    assert seats == sorted(set(seats))
    assert sorted(tagged) == sorted(item["name"] for item in items for _ in item["tags"])
