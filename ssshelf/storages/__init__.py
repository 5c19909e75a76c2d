"""Storages: where entries are kept, behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssshelf.storages.urls import StorageURL, environment_url

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

__all__ = ["open_storage"]


def open_storage(url: str | None = None, *, create: bool = True) -> Storage:
    """Return the storage that ``url`` names; nothing is sent or opened before its first use.

    * ``memory://``: a new, empty ``MemoryStorage``
    * ``sqlite:///shelf.db`` (relative), ``sqlite:////var/lib/shelf.db`` (absolute): a ``SQLiteStorage``
    * ``s3://bucket/prefix?region=…&endpoint_url=…&addressing_style=path``: a ``S3Storage``; needs ``ssshelf[s3]``
    * ``dynamodb://table?region=…&endpoint_url=…&prefix=…``: a ``DynamoDBStorage``; needs ``ssshelf[dynamodb]``

    Args:
        url: Where the data is; ``None`` reads the environment variable ``SSSHELF_URL``.
        create: Whether an SQLite file that is not there may be made; else its first use raises ``StoreNotFoundError``.
            Buckets and tables are never made here.

    Raises:
        ValueError: The URL is missing or names no known storage; credentials in it are refused too.
        ModuleNotFoundError: The storage needs an extra that is not installed.
    """
    url = environment_url() if url is None else url
    parsed = StorageURL.parse(url)
    if parsed.scheme == "memory":
        from ssshelf.storages.memory import MemoryStorage  # noqa: PLC0415  importing ssshelf stays light

        parsed.check_options(())
        if parsed.host or parsed.path:
            msg = "memory:// has neither a host nor a path: each such storage is new and empty"
            raise ValueError(msg)
        return MemoryStorage()
    if parsed.scheme == "sqlite":
        from ssshelf.storages.sqlite import SQLiteStorage  # noqa: PLC0415

        parsed.check_options(())
        return SQLiteStorage(_sqlite_path(parsed), create=create)
    if parsed.scheme == "s3":
        from ssshelf.storages.s3 import S3Storage  # noqa: PLC0415

        return S3Storage.from_url(url)
    if parsed.scheme == "dynamodb":
        from ssshelf.storages.dynamodb import DynamoDBStorage  # noqa: PLC0415

        return DynamoDBStorage.from_url(url)
    msg = f"no storage for {parsed.scheme}:// URLs; there are memory, sqlite, s3 and dynamodb"
    raise ValueError(msg)


def _sqlite_path(parsed: StorageURL) -> str:
    path = parsed.path.removeprefix("/")
    if parsed.host or not path:
        msg = "an SQLite URL has three slashes before a relative path, four before an absolute one: sqlite:///shelf.db"
        raise ValueError(msg)
    return path
