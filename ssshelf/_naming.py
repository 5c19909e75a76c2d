"""Errors about a value name the key that the caller gave, as a dict does, and not the name it is stored under."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TypeAlias

from ssshelf.errors import CommitUnknownError, ConflictError, CorruptionError, NotFoundError
from ssshelf.keys import Part

__all__ = ["named", "naming"]

Error: TypeAlias = CommitUnknownError | ConflictError | CorruptionError | NotFoundError


def named(error: Error, key: Part | tuple[Part, ...]) -> None:
    """Let an error about the entry of ``key`` tell of ``key``."""
    error.key = key
    error.args = (key, *error.args[1:])


@contextlib.contextmanager
def naming(key: Part | tuple[Part, ...]) -> Iterator[None]:
    """Let what is raised inside, about the entry of ``key``, tell of ``key``."""
    try:
        yield
    except (CommitUnknownError, ConflictError, CorruptionError, NotFoundError) as error:
        named(error, key)
        raise
