"""What goes wrong, as one line that says what to do and an exit code that a script can use."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssshelf.errors import (
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
    UnsupportedError,
)

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Exit", "Failure", "Refused", "failure_of"]


class Exit(enum.IntEnum):
    """What the process ends with, and what that means.

    Attributes:
        meaning: In words.
    """

    meaning: str

    OK = 0, "done"
    NO = 1, "no: it is not there, something was found, you said no"
    USAGE = 2, "the command line, the URL or a setting is wrong"
    CONFLICT = 3, "somebody was faster, or it exists already; nothing was written"
    UNAVAILABLE = 4, "the store did not answer; the same again may succeed"
    DENIED = 5, "the credentials are wrong, or do not allow it"
    NO_STORE = 6, "there is no such bucket or file"
    CORRUPT = 7, "what is stored cannot be read"
    UNSUPPORTED = 8, "the store cannot do that"
    BUG = 70, "a bug"
    INTERRUPTED = 130, "Ctrl-C; it says how to go on"
    BROKEN_PIPE = 141, "who read the output had enough of it"

    def __new__(cls, code: int, meaning: str) -> Self:
        """Return the member with this code."""
        self = int.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        return self


class Refused(Exception):  # noqa: N818  a command says no
    """What a command has to say when it cannot go on.

    Attributes:
        code: What to end with.
    """

    def __init__(self, reason: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(reason, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


_CODES: dict[type[Exception], tuple[Exit, str]] = {
    NotFoundError: (Exit.NO, ""),
    ConflictError: (Exit.CONFLICT, ""),
    CommitUnknownError: (Exit.UNAVAILABLE, "look what is there, then decide"),
    UnavailableError: (Exit.UNAVAILABLE, "try again, or correct the URL"),
    DeniedError: (Exit.DENIED, ""),
    StoreNotFoundError: (Exit.NO_STORE, "create it, or correct the URL"),
    IncompleteError: (Exit.CONFLICT, ""),
    CorruptionError: (Exit.CORRUPT, ""),
    UnsupportedError: (Exit.UNSUPPORTED, ""),
    InvalidCursorError: (Exit.USAGE, ""),
    KeyTooLongError: (Exit.USAGE, ""),
    ShelfError: (Exit.USAGE, "correct the URL, or what it needs from the environment"),
    ModuleNotFoundError: (Exit.USAGE, ""),
    ValueError: (Exit.USAGE, ""),
    OSError: (Exit.USAGE, ""),
}
"""By class, the narrower first: the exit code, and what to do where the error does not say it."""

_WORDS = {
    "`after`": "--after",
    "`await storage.probe()`": "`ssshelf probe`",
    "grace_s": "--grace",
    "the manager's reindex()": "`ssshelf reindex module:Class`",
}
"""What a program calls otherwise."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a command ends that failed.

    Attributes:
        line: What to tell.
        code: What to end with.
    """

    line: str
    code: Exit


def failure_of(error: Exception) -> Failure:
    """Return what to tell of ``error``, and what to end with."""
    if isinstance(error, Refused):
        return Failure(str(error), error.code)
    for kind, (code, advice) in _CODES.items():
        if isinstance(error, kind):
            return Failure(": ".join(filter(None, (_said(error), advice))), code)
    return Failure(f"this is a bug of ssshelf: {type(error).__name__}: {error}; --debug shows where", Exit.BUG)


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    said = " ".join(str(error).split())
    for in_python, here in _WORDS.items():
        said = said.replace(in_python, here)
    return said
