"""ssshelf: a bucket as a document database, without a server.

Everything is imported when it is first used, so that importing this package costs next to nothing, and a program pays
for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssshelf._late import late

if TYPE_CHECKING:
    from ssshelf.blocking import open  # noqa: A004  as of shelve and dbm
    from ssshelf.collections import Collection
    from ssshelf.covered import Covered
    from ssshelf.drafts import Revision
    from ssshelf.dynamodb_mapping import AsyncDynamoDBMapping as AsyncDynamoDBMapping
    from ssshelf.dynamodb_mapping import DynamoDBMapping as DynamoDBMapping
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
    from ssshelf.s3dict import S3Dict
    from ssshelf.shelf import Shelf
    from ssshelf.storages import open_storage
    from ssshelf.storages.dynamodb import DynamoDBStorage as DynamoDBStorage
    from ssshelf.storages.memory import MemoryStorage
    from ssshelf.storages.s3 import S3Storage as S3Storage
    from ssshelf.storages.sqlite import SQLiteStorage

# Without what needs an extra, so that ``from ssshelf import *`` works whatever is installed, and imports no AWS client.
__all__ = [
    "AlreadyExistsError",
    "CManager",
    "Collection",
    "CommitUnknownError",
    "ConflictError",
    "CorruptionError",
    "Covered",
    "DeniedError",
    "Desc",
    "DictItems",
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

_HOMES = {
    "AlreadyExistsError": "errors",
    "AsyncDynamoDBMapping": "dynamodb_mapping",
    "CManager": "managers",
    "Collection": "collections",
    "CommitUnknownError": "errors",
    "ConflictError": "errors",
    "CorruptionError": "errors",
    "Covered": "covered",
    "DeniedError": "errors",
    "Desc": "keys",
    "DictItems": "items",
    "DynamoDBMapping": "dynamodb_mapping",
    "DynamoDBStorage": "storages.dynamodb",
    "IManager": "items",
    "IncompleteError": "errors",
    "InvalidCursorError": "errors",
    "Key": "keys",
    "KeyPage": "pages",
    "KeyTooLongError": "errors",
    "MemoryStorage": "storages.memory",
    "ModelItems": "items",
    "NotFoundError": "errors",
    "Page": "pages",
    "PickleItems": "items",
    "RetryBudget": "retries",
    "RetryPolicy": "retries",
    "Revision": "drafts",
    "S3Dict": "s3dict",
    "S3Storage": "storages.s3",
    "SQLiteStorage": "storages.sqlite",
    "Shelf": "shelf",
    "ShelfError": "errors",
    "StoreNotFoundError": "errors",
    "UnavailableError": "errors",
    "UniqueViolationError": "errors",
    "UnsupportedError": "errors",
    "open": "blocking",
    "open_storage": "storages",
}

if not TYPE_CHECKING:  # a type checker would believe that every name is there
    __getattr__ = late(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
