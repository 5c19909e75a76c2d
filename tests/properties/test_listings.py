"""A listing is the slice of the sorted keys that its prefix, start and stop name: checked against sorted tuples."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssshelf import CManager, Collection, DictItems, MemoryStorage

Key = tuple[Any, ...]
Entry = tuple[Key, str]


class Shelf(CManager[dict[str, Any]]):
    item_manager = DictItems()
    every = Collection[dict[str, Any]](lambda item: [tuple(key) for key in item["keys"]])


parts = st.sampled_from([None, False, -1, 0, 1, 10, b"", b"a", "", "!", "-", "a", "ab", "b", "x" * 201])
keys = st.lists(parts, min_size=1, max_size=3).map(tuple)
ends = st.lists(parts, max_size=2).map(tuple)
pks = st.sampled_from(["!", "-", "a", "ab", "b", "1-0", "x" * 199, "x" * 260, "é"])
shelves = st.dictionaries(pks, st.lists(keys, max_size=3), max_size=6)


def place(key: Key) -> list[tuple[int, Any]]:
    """Return what a key sorts by: the rank of the type of each part, then the part."""
    ranks = [type(None), bool, int, bytes, str]
    return [(ranks.index(type(part)), 0 if part is None else part) for part in key]


def expected(shelf: dict[str, list[Key]], prefix: Key, start: Key, stop: Key | None) -> list[str]:
    """Return the primary keys that a listing shows, in its order."""
    entries = {(tuple(map(tuple, place(key))), pk) for pk, of_item in shelf.items() for key in of_item}
    low = (*place(prefix), *place(start))
    high = None if stop is None else (*place(prefix), *place(stop))
    return [
        pk
        for key, pk in sorted(entries)
        if key[: len(prefix)] == tuple(place(prefix)) and key >= low and (high is None or key < high)
    ]


@pytest.mark.parametrize("transactions", [True, False])
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shelves, ends, ends, st.one_of(st.none(), ends), st.integers(1, 4))
def test_a_listing_is_a_slice_of_the_sorted_keys(
    transactions: bool,  # noqa: FBT001
    shelf: dict[str, list[Key]],
    prefix: Key,
    start: Key,
    stop: Key | None,
    limit: int,
) -> None:
    async def main() -> tuple[list[str], list[str], int]:
        manager = Shelf(MemoryStorage(transactions=transactions))
        await manager.add_items({"pk": pk, "keys": of_item} for pk, of_item in shelf.items())
        window: Any = {"prefix": prefix, "start": start, "stop": stop}
        items: list[str] = []
        named: list[str] = []
        more = True
        after = None
        while more:
            page = await manager.every.get_items(limit, after, **window)
            named += (await manager.every.get_keys(limit, after, **window)).keys
            items += [item["pk"] for item in page]
            after = page.after
            more = after is not None
        return items, named, await manager.every.count(prefix, start=start, stop=stop)

    listed = expected(shelf, prefix, start, stop)

    assert asyncio.run(main()) == (listed, listed, len(listed))
