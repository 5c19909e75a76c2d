"""What ssshelf does, for callers that block: scripts, notebooks, threads.

The classes are those of ``ssshelf``, driven from an event loop on a thread of its own.
"""

from __future__ import annotations

from ssshelf.blocking._collections import Collection
from ssshelf.blocking._managers import CManager
from ssshelf.blocking._running import iterate, open_storage, run
from ssshelf.blocking._twins import Twin, twin
from ssshelf.blocking.opening import open  # noqa: A004  as of shelve and dbm
from ssshelf.blocking.shelf import Shelf

__all__ = ["CManager", "Collection", "Shelf", "Twin", "iterate", "open", "open_storage", "run", "twin"]
