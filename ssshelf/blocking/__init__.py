"""The same for code that does not await: one event loop on a thread of its own does the work.

Everything here may be called from any thread, also from one that runs an event loop, such as a notebook's.
"""

from __future__ import annotations

from ssshelf.blocking.opening import open  # noqa: A004  as of shelve and dbm
from ssshelf.blocking.shelf import Shelf

__all__ = ["Shelf", "open"]
