"""Errors about a value name the key that the caller gave, as a dict does, and not the name it is stored under."""

from __future__ import annotations

from typing import TypeAlias

from ssshelf.errors import CommitUnknownError, ConflictError, CorruptionError, NotFoundError
from ssshelf.keys import Part

__all__ = ["named", "naming"]

Error: TypeAlias = CommitUnknownError | ConflictError | CorruptionError | NotFoundError
Name: TypeAlias = "Part | tuple[Part, ...]"


def named(error: Error, key: Name) -> None:
    """Let an error about the entry of ``key`` tell of ``key``."""
    error.key = key
    error.args = (key, *error.args[1:])


class naming:  # noqa: N801  read as a function is, like `contextlib.suppress`; that makes it a third as costly
    """Let what is raised inside, about the entry of ``key``, tell of ``key``."""

    __slots__ = ("_key",)

    def __init__(self, key: Name) -> None:
        self._key = key

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Error):
            named(error, self._key)
