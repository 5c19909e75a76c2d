"""ssshelf: a bucket as a document database, without a server.

What is not always needed is imported when it is first used, so that importing this package stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssshelf.collections import Collection
from ssshelf.covered import Covered
from ssshelf.drafts import Revision
from ssshelf.errors import (
    AlreadyExistsError,
    CommitUnknownError,
    ConflictError,
    CorruptionError,
    DeniedError,
    IncompleteError,
    InvalidCursorError,
    KeyTooLongError,
    NotFoundError,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
    UniqueViolationError,
    UnsupportedError,
)
from ssshelf.items import DictItems, IManager, ModelItems, PickleItems
from ssshelf.keys import Desc, Key
from ssshelf.managers import CManager
from ssshelf.pages import KeyPage, Page
from ssshelf.retries import RetryBudget, RetryPolicy
from ssshelf.storages import open_storage

if TYPE_CHECKING:
    from ssshelf.blocking import open  # noqa: A004  as of shelve and dbm
    from ssshelf.dynamodb_mapping import AsyncDynamoDBMapping, DynamoDBMapping
    from ssshelf.s3dict import S3Dict
    from ssshelf.shelf import Shelf
    from ssshelf.storages.dynamodb import DynamoDBStorage
    from ssshelf.storages.memory import MemoryStorage
    from ssshelf.storages.s3 import S3Storage
    from ssshelf.storages.sqlite import SQLiteStorage

__all__ = [
    "AlreadyExistsError",
    "AsyncDynamoDBMapping",
    "CManager",
    "Collection",
    "CommitUnknownError",
    "ConflictError",
    "CorruptionError",
    "Covered",
    "DeniedError",
    "Desc",
    "DictItems",
    "DynamoDBMapping",
    "DynamoDBStorage",
    "IManager",
    "IncompleteError",
    "InvalidCursorError",
    "Key",
    "KeyPage",
    "KeyTooLongError",
    "MemoryStorage",
    "ModelItems",
    "NotFoundError",
    "Page",
    "PickleItems",
    "RetryBudget",
    "RetryPolicy",
    "Revision",
    "S3Dict",
    "S3Storage",
    "SQLiteStorage",
    "Shelf",
    "ShelfError",
    "StoreNotFoundError",
    "UnavailableError",
    "UniqueViolationError",
    "UnsupportedError",
    "open",
    "open_storage",
]

__version__ = "0.2.0"

_LAZY = {
    "AsyncDynamoDBMapping": "dynamodb_mapping",
    "DynamoDBMapping": "dynamodb_mapping",
    "DynamoDBStorage": "storages.dynamodb",
    "MemoryStorage": "storages.memory",
    "S3Dict": "s3dict",
    "S3Storage": "storages.s3",
    "SQLiteStorage": "storages.sqlite",
    "Shelf": "shelf",
    "open": "blocking",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        import importlib  # noqa: PLC0415

        return getattr(importlib.import_module(f"ssshelf.{_LAZY[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
