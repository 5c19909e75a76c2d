"""How a sweep and a copy into the same shelf keep out of each other's way.

A sweep deletes index entries as they are, since the names of those that nobody names never come back. A copy brings
names from elsewhere, so they may: one that was killed, and is done again, puts the same ones. So each first saves its
checkpoint and then looks for that of the other. Whoever comes second sees it: a sweep leaves entries and claims alone,
a copy does not begin.
"""

from __future__ import annotations

import datetime as dt

from ssshelf.errors import UnavailableError
from ssshelf.layout import Layout
from ssshelf.maintenance.checkpoint import Checkpoint
from ssshelf.storages.base import Storage, scan_pages
from ssshelf.storages.offers import atomic_batch

__all__ = ["SWEEP", "check_no_sweep", "copy_name", "is_copied_into"]

SWEEP = "sweep"
_COPY = "copy-"
_LONGEST_SILENCE = dt.timedelta(days=1)
"""A copy saves its checkpoint at least so often, for each 1,000 items; one that is resumed saves it anew at once."""


def copy_name(digest: str) -> str:
    """Return the name of the checkpoint of a copy from the source with this digest."""
    return f"{_COPY}{digest}"


async def is_copied_into(storage: Storage, layout: Layout, now: dt.datetime) -> bool:
    """Whether a copy into a manager's items has not come to its end, and may go on.

    Cost:
        1 scan.
    """
    start = layout.meta(_COPY).text[:-1]
    async for rows in scan_pages(storage, layout.memory):
        for row in rows:
            if row.key.text.startswith(start) and (row.modified is None or now - row.modified < _LONGEST_SILENCE):
                return True
    return False


async def check_no_sweep(storage: Storage, layout: Layout) -> None:
    """Refuse to copy into what is being swept; where there are transactions, copies leave nothing to be swept.

    Raises:
        UnavailableError: A sweep has not come to its end.

    Cost:
        1 get; none with transactions.
    """
    if atomic_batch(storage) is None and await Checkpoint(storage, layout.meta(SWEEP)).is_unfinished():
        msg = f"a sweep of {layout.items} is under way, or was interrupted: let it come to its end, then copy"
        raise UnavailableError(msg, maybe_applied=False)
