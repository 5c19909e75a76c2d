"""Errors: what can be caught as what, and what is still there after a trip through a pickle."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import uuid
from typing import Any

import pytest

from ssshelf import errors
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
from ssshelf.keys import Desc, Key

KEY = Key("items", "notes", "a")
# an error, what else it is, its attributes, what it says
CASES: list[tuple[ShelfError, type[Exception], dict[str, Any], str]] = [
    (ShelfError("odd"), Exception, {}, "odd"),
    (NotFoundError(KEY), KeyError, {"key": KEY}, "nothing is stored under items!/notes!/a!"),
    (
        ConflictError(KEY, "1-a", "2-b"),
        ShelfError,
        {"key": KEY, "expected": "1-a", "found": "2-b"},
        "items!/notes!/a!: expected 1-a, found 2-b; nothing was written",
    ),
    (
        ConflictError(KEY, None, None),
        ShelfError,
        {"key": KEY, "expected": None, "found": None},
        "items!/notes!/a!: expected nothing, found something else; nothing was written",
    ),
    (
        AlreadyExistsError(KEY, "2-b"),
        ConflictError,
        {"key": KEY, "expected": None, "found": "2-b"},
        "items!/notes!/a! exists already; nothing was written",
    ),
    (
        CommitUnknownError(KEY, "2-b"),
        ShelfError,
        {"key": KEY, "rev": "2-b"},
        "items!/notes!/a!: the store did not say whether revision 2-b was written",
    ),
    (
        UniqueViolationError(KEY, "ada"),
        ConflictError,
        {"key": KEY, "owner": "ada", "expected": None, "found": None},
        "items!/notes!/a! is held by the item 'ada'; nothing was written",
    ),
    (UnavailableError("timeout"), ShelfError, {"reason": "timeout", "maybe_applied": True}, "timeout"),
    (
        UnavailableError("refused", maybe_applied=False),
        ShelfError,
        {"reason": "refused", "maybe_applied": False},
        "refused",
    ),
    (DeniedError("wrong credentials"), PermissionError, {}, "wrong credentials"),
    (
        IncompleteError("by-tag", 2, 1),
        ShelfError,
        {"collection": "by-tag", "version": 2, "indexed": 1},
        "collection 'by-tag' is declared as version 2, and the items are listed by version 1: run",
    ),
    (StoreNotFoundError("no bucket"), ShelfError, {}, "no bucket"),
    (
        CorruptionError(KEY, "cut short"),
        ShelfError,
        {"key": KEY, "reason": "cut short"},
        "items!/notes!/a!: cut short",
    ),
    (
        CorruptionError(Key(), "no database"),
        ShelfError,
        {"key": Key(), "reason": "no database"},
        "no database",
    ),
    (UnsupportedError("no transactions"), ShelfError, {}, "no transactions"),
    (InvalidCursorError("of another listing"), ValueError, {}, "of another listing"),
    (
        KeyTooLongError("long", 2000, 1024),
        ValueError,
        {"part": "long", "size_bytes": 2000, "limit_bytes": 1024},
        "the key is stored under a name of 2000 bytes, 1024 is the most; its longest part is 'long'",
    ),
    (
        KeyTooLongError(Desc(uuid.UUID(int=5)), 2000, 1024),
        ValueError,
        {"part": Desc(uuid.UUID(int=5)), "size_bytes": 2000, "limit_bytes": 1024},
        "the key is stored under a name of 2000 bytes, 1024 is the most; its longest part is Desc(",
    ),
]
each_error = pytest.mark.parametrize(
    ("error", "kind", "attributes", "says"), CASES, ids=[type(case[0]).__name__ for case in CASES]
)


def test_every_error_has_a_case() -> None:
    assert {type(case[0]).__name__ for case in CASES} == set(errors.__all__)


@each_error
def test_an_error_can_be_caught_as_what_it_is(
    error: ShelfError, kind: type[Exception], attributes: dict[str, Any], says: str
) -> None:
    del attributes, says

    assert isinstance(error, kind)
    assert isinstance(error, ShelfError)


@each_error
def test_an_error_says_what_happened(
    error: ShelfError, kind: type[Exception], attributes: dict[str, Any], says: str
) -> None:
    del kind, attributes

    assert str(error).startswith(says)
    assert "\n" not in str(error)


@each_error
def test_an_error_carries_its_context(
    error: ShelfError, kind: type[Exception], attributes: dict[str, Any], says: str
) -> None:
    del kind, says

    assert {name: getattr(error, name) for name in attributes} == attributes


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@each_error
def test_an_error_pickles(
    error: ShelfError, kind: type[Exception], attributes: dict[str, Any], says: str, protocol: int
) -> None:
    del kind, says
    error.add_note("a note")

    loaded = pickle.loads(pickle.dumps(error, protocol))

    assert type(loaded) is type(error)
    assert loaded.args == error.args
    assert str(loaded) == str(error)
    assert {name: getattr(loaded, name) for name in attributes} == attributes
    assert loaded.__notes__ == error.__notes__


@pytest.mark.parametrize("error", [case[0] for case in CASES if case[2]], ids=lambda error: type(error).__name__)
def test_all_context_is_an_argument_of_the_exception(error: ShelfError) -> None:
    parameters = inspect.signature(type(error)).parameters

    assert error.args == tuple(getattr(error, name) for name in parameters)


@each_error
def test_an_error_copies(error: ShelfError, kind: type[Exception], attributes: dict[str, Any], says: str) -> None:
    del kind, says

    copied = copy.copy(error)

    assert (type(copied), copied.args, str(copied)) == (type(error), error.args, str(error))
    assert {name: getattr(copied, name) for name in attributes} == attributes


def test_the_tree_in_the_documentation_is_the_tree() -> None:
    documented = set()
    parents = ["ShelfError"]
    for indent, name, also in re.findall(r"^([ │]*)[├└]── (\w+)(?: \((\w+)\))?", errors.__doc__ or "", re.MULTILINE):
        depth = len(indent) // 4 - 1  # the whole tree is indented
        parents[depth + 1 :] = [name]
        documented.add((name, parents[depth], also))

    classes = [getattr(errors, name) for name in errors.__all__ if name != "ShelfError"]
    found = {
        (each.__name__, each.__bases__[0].__name__, *(base.__name__ for base in each.__bases__[1:])) for each in classes
    }
    assert {tuple(filter(None, entry)) for entry in documented} == found


def test_a_conflict_that_found_a_version_names_it() -> None:
    assert str(ConflictError(KEY, None, "2-b")).endswith("expected nothing, found 2-b; nothing was written")


def test_a_long_part_is_shown_in_short() -> None:
    error = KeyTooLongError("x" * 5000, 6000, 1024)

    assert len(str(error)) < 200


def test_a_write_that_failed_is_maybe_applied_unless_said_otherwise() -> None:
    assert UnavailableError("timeout").maybe_applied


@pytest.mark.parametrize("name", errors.__all__)
def test_an_error_is_documented_with_its_attributes(name: str) -> None:
    error = getattr(errors, name)
    parameters = list(inspect.signature(error.__init__).parameters)[1:] if "__init__" in vars(error) else []
    documented = " ".join(base.__doc__ or "" for base in error.__mro__ if base.__module__ == errors.__name__)

    assert error.__doc__
    assert [parameter for parameter in parameters if f" {parameter}: " not in documented] == []
