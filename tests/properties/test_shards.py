"""A collection with shards lists what one without them does, also by each other's cursors, in both directions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ssshelf import CManager, Collection, DictItems, MemoryStorage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Item = dict[str, Any]


def shelf_with(shards: int) -> type[CManager[Item]]:
    class Shelf(CManager[Item]):
        item_manager = DictItems(name="shelf")
        by_key = Collection[Item](lambda item: [tuple(key) for key in item["keys"]], covers=("pk",), shards=shards)

    return Shelf


parts = st.sampled_from([None, False, -1, 0, 1, 10, b"a", "", "!", "-", "a", "ab", "b", "x" * 201])
keys = st.lists(parts, min_size=1, max_size=3).map(tuple)
ends = st.none() | st.lists(parts, max_size=2).map(tuple)
pks = st.sampled_from(["!", "-", "b", "x" * 199, "é"]) | st.integers(0, 40).map(str)
shelves = st.dictionaries(pks, st.lists(keys, max_size=8), max_size=14)
windows = st.fixed_dictionaries(
    {"prefix": st.none() | st.lists(parts, max_size=1).map(tuple), "start": ends, "stop": ends}
)


async def paged(listings: Sequence[Any], method: str, limit: int, window: Mapping[str, Any]) -> list[Any]:
    """Return the rows of all pages, each of another listing than the one before it."""
    rows: list[Any] = []
    after, turn = None, 0
    while True:
        page = await getattr(listings[turn % len(listings)], method)(limit, after, **window)
        assert len(page) <= limit
        rows += page.items
        after, turn = page.after, turn + 1
        if after is None:
            return rows


async def streamed(listing: Any, method: str, window: Mapping[str, Any]) -> list[Any]:
    bounds = {"start": window["start"], "stop": window["stop"]}
    return [row async for row in getattr(listing, method)(*(window["prefix"] or ()), **bounds)]


@settings(max_examples=100, deadline=None)
@given(shelves, windows, st.sampled_from([2, 3, 8, 256]), st.integers(1, 15), st.booleans())
def test_shards_change_no_listing(shelf: Any, window: Any, shards: int, limit: int, descending: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        plain, sharded = shelf_with(1)(MemoryStorage()), shelf_with(shards)(MemoryStorage())
        for manager in (plain, sharded):
            await manager.add_items({"pk": pk, "keys": of_item} for pk, of_item in shelf.items())
        pair = [vars(manager)["by_key"] for manager in (plain, sharded)]
        one, other = [listing.descending() for listing in pair] if descending else pair

        for method in ("get_items", "get_covered", "get_keys"):
            listed = await paged([one], method, 1000, window)
            assert await paged([other], method, 1000, window) == listed
            assert await paged([other], method, limit, window) == await paged([one], method, limit, window)
            assert await paged([other, one], method, limit, window) == await paged([one], method, limit, window)
        for method in ("prefix", "iter_covered"):
            assert await streamed(other, method, window) == await streamed(one, method, window)
        assert await other.count(**window) == await one.count(**window)

    asyncio.run(main())
