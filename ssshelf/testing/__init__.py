"""What tests of shelves need: the contract of storages, storages that fail or count, and time that does not pass.

Needs pytest and pytest-asyncio.
"""

from __future__ import annotations

from ssshelf.storages.counting import CountingStorage
from ssshelf.storages.faulty import CrashError, Fault, FaultyStorage, Request, fail_at
from ssshelf.storages.memory import MemoryStorage
from ssshelf.testing.contract import StorageContract
from ssshelf.testing.virtual_time import VirtualTimeLoop, run_in_virtual_time

__all__ = [
    "CountingStorage",
    "CrashError",
    "Fault",
    "FaultyStorage",
    "MemoryStorage",
    "Request",
    "StorageContract",
    "VirtualTimeLoop",
    "fail_at",
    "run_in_virtual_time",
]
