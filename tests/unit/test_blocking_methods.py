"""The blocking classes have all that the async ones have, with the same signatures and docstrings."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

import ssshelf
from ssshelf import blocking
from tools.blocking_methods import LEFT_OUT, generated

PAIRS = [(ssshelf.CManager, blocking.CManager), (ssshelf.Collection, blocking.Collection)]
BLOCKING_ONLY = {"close", "findings"}
OTHERWISE_TYPED = {"iter_all", "iter_covered", "prefix", "verify"}


def public(cls: type[Any]) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


each_pair = pytest.mark.parametrize(("source", "twin"), PAIRS)
each_method = pytest.mark.parametrize(
    ("source", "twin", "name"),
    [(*pair, name) for pair in PAIRS for name in sorted(public(pair[0]) & public(pair[1]))],
)


@pytest.mark.parametrize(("path", "text"), list(generated()), ids=lambda value: getattr(value, "name", ""))
def test_what_is_generated_is_up_to_date(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run make blocking"


@each_pair
def test_nothing_is_missing(source: type[Any], twin: type[Any]) -> None:
    assert public(source) - public(twin) == {name for name in ("bind", "cover", "indexes") if hasattr(source, name)}
    assert public(twin) - public(source) <= BLOCKING_ONLY


def test_what_is_left_out_is_there() -> None:
    assert [name for name in LEFT_OUT if not any(hasattr(source, name) for source, _ in PAIRS)] == []


@each_method
def test_a_method_has_the_signature_of_the_async_one(source: type[Any], twin: type[Any], name: str) -> None:
    original, here = getattr(source, name), getattr(twin, name)
    if not inspect.isfunction(original):
        return

    assert inspect.signature(here).parameters == inspect.signature(original).parameters
    assert not inspect.iscoroutinefunction(here)
    assert name in OTHERWISE_TYPED or inspect.signature(here) == inspect.signature(original)
    assert name in OTHERWISE_TYPED or inspect.getdoc(here) == inspect.getdoc(original)


@each_pair
def test_a_declaration_takes_what_the_async_one_takes(source: type[Any], twin: type[Any]) -> None:
    assert list(inspect.signature(twin).parameters) == list(inspect.signature(source).parameters)
