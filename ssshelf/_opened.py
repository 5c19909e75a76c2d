"""Storages of those who block: closed when nobody uses them any more, and one for all that use a bucket alike."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from ssshelf._background import background
from ssshelf.storages.base import Storage

if TYPE_CHECKING:
    from typing import Unpack

    from ssshelf.storages.s3 import S3Options

__all__ = ["Opened"]


class Opened:
    """A storage, closed when this is forgotten by all, or when the process ends.

    Args:
        storage: The storage.
        is_mine: Whether it is to be closed at all.
    """

    def __init__(self, storage: Storage, *, is_mine: bool = True) -> None:
        self.storage = storage
        if is_mine:
            background().adopt(self, storage.aclose)

    @classmethod
    def bucket(cls, name: str, session: Any = None, **options: Unpack[S3Options]) -> Opened:
        """Return the storage of a whole bucket, the same to all that ask alike: a client takes a tenth of a second."""
        from ssshelf.storages.s3 import S3Storage  # noqa: PLC0415  importing ssshelf stays light

        settings = tuple((variable, value) for variable, value in os.environ.items() if variable.startswith("AWS_"))
        asked = (name, session, tuple(sorted(options.items())), settings)
        with _lock:
            opened = _buckets.get(asked)
            if opened is None:
                opened = _buckets[asked] = cls(S3Storage(name, session=session, **options))
            return opened


_buckets: WeakValueDictionary[Hashable, Opened] = WeakValueDictionary()
_lock = threading.Lock()


def _after_fork() -> None:
    """Share nothing with the parent: neither its connections, nor a lock that a thread may have held there."""
    global _buckets, _lock
    _buckets, _lock = WeakValueDictionary(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
