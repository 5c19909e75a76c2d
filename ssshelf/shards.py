"""Shards: the parts of a collection whose items would all be listed at one end, such as one by time.

The shard of an item is a hash of its primary key. In the names of its entries it stands between the collection and the
index key, as a ``Leaf``, which no key of an item begins with. Who takes names as text takes it for a part of the key.
"""

from __future__ import annotations

import hashlib
import math
from typing import Final

from ssshelf.keys import Leaf, encode
from ssshelf.layout import position_of
from ssshelf.storages.base import MAX_SCAN_ROWS

__all__ = ["MAX_SHARDS", "Shards"]

MAX_SHARDS: Final = 256
_MARK: Final = "!-"
_MARGIN: Final = 4
"""In standard deviations: how many more than their share of the entries on a page a shard may have by chance."""


def _part(number: int) -> str:
    return encode((Leaf(f"{number:02x}"),))


class Shards:
    """Where the entries of a collection are stored, and their order, whichever shard they are in.

    Args:
        below: What the positions of all entries of the collection start with.
        count: How many shards there are. A single one is no part of names.

    Attributes:
        below: That.
        parts: What stands behind that in the names of each shard.
        most: How many entries one scan of each shard can find.
    """

    __slots__ = ("below", "most", "parts")

    def __init__(self, below: str, count: int) -> None:
        self.below = below
        self.parts = tuple(map(_part, range(count))) if count > 1 else ("",)
        self.most = MAX_SCAN_ROWS * count

    def of(self, pk: str) -> str:
        """Return what the index keys of an item start with, given its primary key; the same for good."""
        if len(self.parts) == 1:
            return self.below
        number = int.from_bytes(hashlib.blake2s(pk.encode(), digest_size=8).digest())
        return self.below + self.parts[number % len(self.parts)]

    def position(self, index: str, pk: str) -> str:
        """Return what an entry of the collection is ordered and paged by: its position, without the shard."""
        start = len(self.below)
        if index.startswith(_MARK, start):
            index = self.below + index[start + len(self.parts[0]) :]
        return position_of(index, pk)

    def share(self, limit: int) -> int:
        """Return how many entries to ask each shard for, so that all together have ``limit`` of the first ones."""
        mean = limit / len(self.parts)
        with_margin = math.ceil(mean + _MARGIN * math.sqrt(mean)) + 1
        return min(limit, MAX_SCAN_ROWS, with_margin)
