"""Opening a shelf as ``shelve`` and ``dbm`` do."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, TypeVar, overload

from ssshelf._background import background
from ssshelf.blocking.shelf import Shelf
from ssshelf.serializers import Serializer, as_serializer
from ssshelf.shelf import Shelf as AsyncShelf
from ssshelf.storages import open_storage
from ssshelf.storages.base import CONCURRENCY, Storage, check_storage
from ssshelf.storages.readonly import ReadOnlyStorage

__all__ = ["Flag", "open"]

V = TypeVar("V")
Flag: TypeAlias = Literal["r", "w", "c", "n"]
Where: TypeAlias = Storage | str | os.PathLike[str]


@overload
def open(
    storage: Where,
    flag: Flag = ...,
    *,
    serializer: Serializer[V],
    writeback: bool = ...,
    name: str = ...,
    concurrency: int = ...,
) -> Shelf[V]: ...
@overload
def open(
    storage: Where,
    flag: Flag = ...,
    *,
    serializer: str = ...,
    writeback: bool = ...,
    name: str = ...,
    concurrency: int = ...,
) -> Shelf[Any]: ...
def open(
    storage: Where,
    flag: Flag = "c",
    *,
    writeback: bool = False,
    name: str = "main",
    serializer: Serializer[V] | str = "json",
    concurrency: int = CONCURRENCY,
) -> Shelf[V]:
    """Open a dictionary that persists; close it, or use it as ``with ssshelf.open(…) as shelf``.

    Args:
        storage: The URL of a storage, such as ``s3://bucket/prefix``; the path of an SQLite file; or a storage, which
            stays the caller's to close.
        flag: ``"r"`` only reads, and writing raises ``DeniedError``, an ``OSError``; ``"w"`` reads and writes; ``"c"``
            makes an SQLite file that is not there; ``"n"`` also removes all keys of this shelf. Buckets and tables
            have to be there, empty ones are an empty shelf. Whether a storage of the caller makes its file, it was told
            when it was made, as by ``SQLiteStorage(path, create=False)``.
        writeback: Whether to keep values that were read or stored, and write back at ``sync`` and ``close`` what has
            changed of them; not with ``"r"``.
        name: Keeps several shelves of one storage apart.
        serializer: Makes bytes of values, and back; or its name: json, pickle, msgpack, bytes, text.
        concurrency: Most requests of one call at a time.

    Raises:
        StoreNotFoundError: The file, bucket or table is not there; an ``OSError``, too.
        ValueError: The flag or the URL is none, or ``writeback`` is to write what only reads.
        TypeError: The storage or the serializer is none.
        ModuleNotFoundError: The storage or the serializer needs an extra that is not installed.

    Cost:
        1 scan of a single row; with ``"n"`` what ``clear`` costs.
    """
    if flag not in ("r", "w", "c", "n"):
        msg = f"flag must be 'r', 'w', 'c' or 'n', not {flag!r}"
        raise ValueError(msg)
    if flag == "r" and writeback:
        msg = "writeback=True with flag 'r': nothing could be written back; open it with 'w', or without writeback"
        raise ValueError(msg)
    inner, aclose = _opened(storage, create=flag in ("c", "n"))
    shelf = AsyncShelf(
        ReadOnlyStorage(inner) if flag == "r" else inner,
        name=name,
        serializer=as_serializer(serializer),
        concurrency=concurrency,
    )
    opened = Shelf(shelf, writeback=writeback, aclose=aclose)
    try:
        background().call(shelf.clear if flag == "n" else shelf.is_empty)
    except BaseException:
        opened.close()
        raise
    return opened


def _opened(storage: Where, *, create: bool) -> tuple[Storage, Callable[[], Awaitable[None]] | None]:
    """Return the storage, and what closes it if it is ours to close."""
    if not isinstance(storage, str | os.PathLike):
        check_storage(storage)
        return storage, None
    text = os.fspath(storage)
    if "://" in text:
        opened = open_storage(text, create=create)
    else:
        from ssshelf.storages.sqlite import SQLiteStorage  # noqa: PLC0415  importing ssshelf stays light

        opened = SQLiteStorage(text, create=create)
    return opened, opened.aclose
