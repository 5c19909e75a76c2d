"""The shelf that the simulated clients write to and read from."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, cast

from ssshelf import CManager, Collection, DictItems
from ssshelf.collections import Reader
from ssshelf.layout import Layout, position_of
from ssshelf.retries import RetryPolicy

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

__all__ = ["LAYOUT", "LISTINGS", "Thing", "Things", "claims", "pk_text", "places", "positions", "retry_policy"]

Thing = dict[str, Any]


class Things(CManager[Thing]):
    item_manager = DictItems(pk="pk")
    by_rank = Collection[Thing](lambda thing: thing["rank"], covers=("tags",))
    by_slot = Collection[Thing](lambda thing: thing["slots"], unique=True)
    by_tag = Collection[Thing](lambda thing: [(tag, thing["rank"]) for tag in thing["tags"]], shards=2)


_SHARD = re.compile(r"\A([^/]*/)!-[0-9a-f]{2}!/")
LAYOUT = Layout(Things.item_manager.name)
LISTINGS = tuple(Things.declared)
_READER = Reader(cast("Any", None), Things.item_manager, 1)  # no items are read with it, only keys made
_BOUND = {name: declared.bind(_READER) for name, declared in Things.declared.items()}


def retry_policy(dice: random.Random, clock: Callable[[], float]) -> RetryPolicy:
    """Return a policy for one process, with its dice and its clock."""
    return RetryPolicy(attempts=dice.choice((1, 2, 3, 8)), conflicts=dice.choice((2, 8, 32)), dice=dice, clock=clock)


@functools.cache
def pk_text(pk: str) -> str:
    """Return a primary key as k1 text."""
    return LAYOUT.pk_of(LAYOUT.item(pk))


def positions(listing: str, thing: Thing) -> frozenset[str]:
    """Return the positions that the entries of a thing are stored at."""
    indexes = _indexes(listing, thing["pk"], thing["rank"], tuple(thing["tags"]), tuple(thing["slots"]))
    return frozenset(position_of(index, pk_text(thing["pk"])) for index in indexes)


def places(listing: str, thing: Thing) -> frozenset[str]:
    """Return the positions that a thing is listed at: the same, without their shards."""
    return frozenset(_SHARD.sub(r"\1", position) for position in positions(listing, thing))


def claims(thing: Thing) -> frozenset[str]:
    """Return the unique values of a thing."""
    return _indexes("by_slot", thing["pk"], 0, (), tuple(thing["slots"]))


@functools.cache
def _indexes(listing: str, pk: str, rank: int, tags: tuple[str, ...], slots: tuple[str, ...]) -> frozenset[str]:
    thing = {"pk": pk, "rank": rank, "tags": list(tags), "slots": list(slots)}
    return frozenset(_BOUND[listing].indexes(thing, pk))
