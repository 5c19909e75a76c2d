"""Errors: what the world does to a shelf; a caller's mistake stays ``TypeError`` or ``ValueError``.

::

    ShelfError
    ├── NotFoundError (KeyError)         nothing is stored there: create it, or answer 404
    ├── ConflictError                    someone was faster, nothing was written: read, redo
    │   ├── AlreadyExistsError           an insert found a live item
    │   └── UniqueViolationError         another item holds the value: choose another one
    ├── CommitUnknownError               the write may or may not have been applied: ask again later
    ├── UnavailableError                 the store did not answer: retry later, or answer 503
    ├── DeniedError (PermissionError)    credentials or policy: fix them, never retry
    ├── StoreNotFoundError (FileNotFoundError)  no such bucket, table or file: create it, or fix its name
    ├── IncompleteError                  a collection does not list all items yet: reindex
    ├── CorruptionError                  what is stored cannot be read: repair it, others are fine
    ├── UnsupportedError                 this store cannot do that
    ├── InvalidCursorError (ValueError)  start over, or answer 400
    └── KeyTooLongError (ValueError)     shorten the part it names

Messages name keys, never the content of an item and never a secret.
"""

from __future__ import annotations

import reprlib
from typing import Any, TypeAlias

from ssshelf.keys import Key, Part

__all__ = [
    "AlreadyExistsError",
    "CommitUnknownError",
    "ConflictError",
    "CorruptionError",
    "DeniedError",
    "IncompleteError",
    "InvalidCursorError",
    "KeyTooLongError",
    "NotFoundError",
    "ShelfError",
    "StoreNotFoundError",
    "UnavailableError",
    "UniqueViolationError",
    "UnsupportedError",
]


Named: TypeAlias = "Key | Part | tuple[Part, ...]"
"""The key of an entry; or, from a ``Shelf``, what its caller gave as one. Attributes are ``Any``: who catches knows."""


class ShelfError(Exception):
    """The root of what can go wrong outside the caller's code."""


class NotFoundError(ShelfError, KeyError):
    """Nothing is stored under the key.

    Attributes:
        key: The key that was asked for.
    """

    def __init__(self, key: Named) -> None:
        super().__init__(key)
        self.key: Any = key

    def __str__(self) -> str:
        return f"nothing is stored under {_text(self.key)}"


class ConflictError(ShelfError):
    """A conditional write lost against another one; nothing was written.

    Attributes:
        key: The key that was to be written.
        expected: The version the write asked for; ``None`` asked for an absent key.
        found: The version that was there; ``None`` when it was absent or the store did not say.
    """

    def __init__(self, key: Named, expected: str | None, found: str | None) -> None:
        super().__init__(key, expected, found)
        self.key: Any = key
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        wanted = "nothing" if self.expected is None else self.expected
        return f"{_text(self.key)}: expected {wanted}, found {self.found or 'something else'}; nothing was written"


class AlreadyExistsError(ConflictError):
    """An insert found a live item under the primary key; nothing was written."""

    def __init__(self, key: Key, found: str | None) -> None:
        super(ConflictError, self).__init__(key, found)
        self.key = key
        self.expected = None
        self.found = found

    def __str__(self) -> str:
        return f"{self.key} exists already; nothing was written"


class UniqueViolationError(ConflictError):
    """Another item holds a value that is to be unique; nothing was written.

    Attributes:
        key: The claim to the value; its parts are ``"unique"``, the manager, the collection and the value.
        owner: The primary key of the item that holds it.
    """

    def __init__(self, key: Key, owner: str) -> None:
        super(ConflictError, self).__init__(key, owner)
        self.key = key
        self.expected = None
        self.found = None
        self.owner = owner

    def __str__(self) -> str:
        return f"{self.key} is held by the item {self.owner!r}; nothing was written"


class CommitUnknownError(ShelfError):
    """The store did not say whether a write was applied, and it may still be.

    Repeating an ``add_item`` or a ``remove_item`` is safe, and ``was_committed`` of the manager tells later what became
    of this one. The item is whole either way.

    Attributes:
        key: The key of the item, or of the entry.
        rev: The revision the item has if the write was applied, or the etag of the entry; empty if that was to be gone.
    """

    def __init__(self, key: Named, rev: str) -> None:
        super().__init__(key, rev)
        self.key: Any = key
        self.rev = rev

    def __str__(self) -> str:
        outcome = f"revision {self.rev} was written" if self.rev else "it was removed"
        return f"{_text(self.key)}: the store did not say whether {outcome}"


class UnavailableError(ShelfError):
    """The store did not do what it was asked; the same request may succeed later.

    Attributes:
        reason: What happened.
        maybe_applied: Whether a write may have been applied, or may be later; reads leave it true.
    """

    def __init__(self, reason: str, maybe_applied: bool = True) -> None:  # noqa: FBT001, FBT002  (pickle calls it)
        super().__init__(reason, maybe_applied)
        self.reason = reason
        self.maybe_applied = maybe_applied

    def __str__(self) -> str:
        return self.reason


class DeniedError(ShelfError, PermissionError):
    """The store refuses these credentials, or they may not do this."""


class StoreNotFoundError(ShelfError, FileNotFoundError):
    """The bucket, table or file that a storage names does not exist."""


class IncompleteError(ShelfError):
    """A collection was added to a shelf in use, or changed, and does not list all items yet.

    Attributes:
        collection: The name of the collection.
        version: The version that the program declares.
        indexed: The version that all items are listed by.
    """

    def __init__(self, collection: str, version: int, indexed: int) -> None:
        super().__init__(collection, version, indexed)
        self.collection = collection
        self.version = version
        self.indexed = indexed

    def __str__(self) -> str:
        return (
            f"collection {self.collection!r} is declared as version {self.version}, and the items are listed by "
            f"version {self.indexed}: run the manager's reindex()"
        )


class CorruptionError(ShelfError):
    """What is stored cannot be read; other entries are not affected.

    Attributes:
        key: The key of what cannot be read; the empty one when it is the whole file.
        reason: What is wrong with it.
    """

    def __init__(self, key: Named, reason: str) -> None:
        super().__init__(key, reason)
        self.key: Any = key
        self.reason = reason

    def __str__(self) -> str:
        return self.reason if self.key == Key() else f"{_text(self.key)}: {self.reason}"


class UnsupportedError(ShelfError):
    """The store cannot do this, and pretending would break a promise."""


class InvalidCursorError(ShelfError, ValueError):
    """The ``after`` of another listing, or one that was changed on its way."""


class KeyTooLongError(ShelfError, ValueError):
    """A key does not fit into the store.

    Attributes:
        part: The longest part of the key, the one to shorten.
        size_bytes: The size of the stored name.
        limit_bytes: The largest size the store takes.
    """

    def __init__(self, part: Part, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(part, size_bytes, limit_bytes)
        self.part = part
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return (
            f"the key is stored under a name of {self.size_bytes} bytes, {self.limit_bytes} is the most; "
            f"its longest part is {reprlib.repr(self.part)}"
        )


def _text(key: Named) -> str:
    return str(key) if isinstance(key, Key) else f"{key!r:.200}"
