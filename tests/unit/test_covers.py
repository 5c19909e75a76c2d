"""Covers: values in the names of index entries, in a form that may never change."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import decimal
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssshelf.covers import is_same_cover, pack_cover, unpack_cover, values_of
from ssshelf.keys import Key
from ssshelf.layout import EntryName, Layout, cover_of, ending_of

NOON = dt.datetime(2024, 1, 1, 12, tzinfo=dt.UTC)
REV = "3-00000000000000ff"
values = st.dictionaries(
    st.text(min_size=1),
    st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.none(), st.booleans(), st.floats(allow_nan=False)).filter(
        lambda value: value not in (float("inf"), float("-inf"))
    ),
    min_size=1,
    max_size=4,
)


@dataclasses.dataclass
class Book:
    title: str
    pages: int


def test_the_text_of_a_cover_never_changes() -> None:
    assert pack_cover({"title": "SICP", "year": 1985}) == "1q4bzgj2dA4CSlamJQMsMLS1MawE"
    assert unpack_cover("1q4bzgj2dA4CSlamJQMsMLS1MawE") == {"title": "SICP", "year": 1985}


@settings(max_examples=300, deadline=None)
@given(values)
def test_a_cover_gives_back_what_it_was_made_of(given_values: dict[str, Any]) -> None:
    text = pack_cover(given_values)

    assert unpack_cover(text) == given_values
    assert is_same_cover(text, pack_cover(dict(reversed(given_values.items()))))


def test_types_are_kept() -> None:
    kept = {"at": NOON, "price": decimal.Decimal("1.10"), "tags": {"a", "b"}, "flag": True, "none": None}

    assert unpack_cover(pack_cover(kept)) == kept


def test_nothing_has_no_text() -> None:
    assert pack_cover({}) == ""
    assert unpack_cover("") == {}


@pytest.mark.parametrize("text", ["2q1bKgWYiJb0g", "1", "1!", "1é", "1AAAA", "1q1bKgWYi", "abc"])
def test_what_something_else_wrote_covers_nothing(text: str) -> None:
    assert unpack_cover(text) == {}
    assert not is_same_cover(text, pack_cover({"a": 1}))


def test_covers_are_the_same_however_they_were_deflated() -> None:
    line = b'{"a":1}'
    stored = zlib.compressobj(0, wbits=-15)
    data = base64.urlsafe_b64encode(stored.compress(line) + stored.flush()).decode().rstrip("=")
    other = "1" + data.replace("_", "__")

    assert other != pack_cover({"a": 1})
    assert is_same_cover(other, pack_cover({"a": 1}))
    assert not is_same_cover(other, pack_cover({"a": 2}))
    assert not is_same_cover(other, "")


def test_equal_values_of_different_types_are_different() -> None:
    assert not is_same_cover(pack_cover({"a": 1}), pack_cover({"a": True}))


def test_values_are_those_of_a_mapping_or_attributes() -> None:
    assert values_of({"title": "SICP"}, ["title", "pages"]) == {"title": "SICP", "pages": None}
    assert values_of(Book("SICP", 657), ["pages"]) == {"pages": 657}
    with pytest.raises(AttributeError, match="pagse"):
        values_of(Book("SICP", 657), ["pagse"])


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=600))
def test_a_cover_is_part_of_the_name_of_an_entry(text: str) -> None:
    layout, cover = Layout("notes"), pack_cover({"text": text})
    ending = ending_of(REV, cover)
    entry = layout.entry("by-tag!/x!", "a!", ending)

    assert layout.parse(entry) == EntryName("by-tag!/x!", "a!", ending)
    assert cover_of(ending) == cover
    assert Key(*entry.parts) == entry, "the name is a k1 key"
    assert max(map(len, entry.text.split("/"))) <= 201


def test_an_entry_without_a_cover_ends_in_its_revision() -> None:
    assert ending_of(REV, "") == REV
    assert cover_of(REV) == ""
