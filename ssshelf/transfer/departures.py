"""The sending end: items are read as they are stored, many at a time, in memory that does not grow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ssshelf._concurrency import map_bounded
from ssshelf.errors import CorruptionError, NotFoundError
from ssshelf.storages.base import Row, Storage
from ssshelf.transfer.parcels import Parcel
from ssshelf.transfer.tally import Fate, Tally

__all__ = ["Departures", "batches"]

_BATCH = 128
_BATCH_BYTES = 2**23


class Departures:
    """Reads items of a storage.

    Args:
        storage: Where they are.
        tally: Counts those that cannot be read.
        concurrency: Most requests at a time.
    """

    def __init__(self, storage: Storage, tally: Tally, concurrency: int) -> None:
        self._storage = storage
        self._tally = tally
        self._concurrency = concurrency

    async def read(self, row: Row) -> Parcel | None:
        """Return an item as it is now; ``None`` if it was swept since it was listed, or cannot be read.

        Cost:
            1 get.
        """
        try:
            return Parcel.unpack(row.key, (await self._storage.get(row.key)).data)
        except NotFoundError:
            return None
        except CorruptionError as error:
            self._tally.note(row.key, Fate.UNREADABLE, error)
            return None

    async def read_all(self, rows: list[Row]) -> list[Parcel]:
        """Return those items that can be read, in order; like ``read``."""
        parcels = await map_bounded(self.read, rows, self._concurrency)
        return [parcel for parcel in parcels if parcel is not None]


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield rows in lots whose entries one transaction, and some memory, can take."""
    batch: list[Row] = []
    size_bytes = 0
    for row in rows:
        batch.append(row)
        size_bytes += row.size_bytes or 0
        if len(batch) == _BATCH or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
