"""Layout: the names under which things are stored, which may never change."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssshelf.keys import Desc, Key, Leaf, Part, encode
from ssshelf.layout import EntryName, Layout, new_rev, position_of

LAYOUT = Layout("notes")
parts = st.one_of(
    st.text(), st.integers(-(10**9), 10**9), st.booleans(), st.none(), st.binary(max_size=99), st.text().map(Desc)
)
pks = st.one_of(st.text(min_size=1), st.sampled_from(["!", "!/", "/", "a!/b", "1-ff", "x" * 250]))


def index_of(collection: str, *key: Part) -> str:
    return encode((collection, *key))[:-1]


def test_the_name_of_an_item_never_changes() -> None:
    assert LAYOUT.item("a/b") == Key("items", "notes", "a/b")
    assert LAYOUT.item("a/b").text == "items!/notes!/a._b!"


def test_the_name_of_an_index_entry_never_changes() -> None:
    entry = LAYOUT.entry(index_of("by-tag", "x", 5), "a._b!", "3-9a")

    assert entry.text == "collections!/notes!/by-tag!/x!/!3p5015!/!-a._b!/3-9a!"
    assert entry == Key("collections", "notes", "by-tag", "x", 5, Leaf("a/b"), "3-9a")


def test_an_item_has_the_same_name_by_its_text() -> None:
    item = LAYOUT.item("a/b")

    assert LAYOUT.pk_of(item) == "a._b!"
    assert LAYOUT.item_of("a._b!") == item


@settings(max_examples=300, deadline=None)
@given(pks)
def test_the_primary_key_of_any_item_is_found(pk: str) -> None:
    item = LAYOUT.item(pk)

    assert item == Key("items", "notes", pk)
    assert LAYOUT.item_of(LAYOUT.pk_of(item)) == item


@settings(max_examples=300, deadline=None)
@given(st.lists(parts, min_size=1, max_size=3), pks, st.from_regex(r"[1-9][0-9]{0,3}-[0-9a-f]{16}", fullmatch=True))
def test_an_entry_is_taken_apart_into_what_it_was_made_of(key: list[Part], pk: str, rev: str) -> None:
    index, pk_text = index_of("by-tag", *key), LAYOUT.pk_of(LAYOUT.item(pk))

    name = LAYOUT.parse(LAYOUT.entry(index, pk_text, rev))

    assert name == EntryName(index, pk_text, rev)
    assert name.position == position_of(index, pk_text) == encode(("by-tag", *key, Leaf(pk)))


@pytest.mark.parametrize(
    "name",
    [
        # but for one thing each as good as by-tag!/x!/!-a!/3-9a!
        "by-tag!/x!/a!/3-9a!",
        "by-tag!/x!/!0!/3-9a!",
        "by-tag!/x!/!-a!/3-9a",
        "by-tag!/x!/!-a!/3-9a!/",
        "by-tag!/x!/!-a!",
        "by-tag!/x!/!-a",
        "!-a!/3-9a!",
        "by-tag!/!-a!",
        "by-tag!",
        "by-tag!/cat.jpg",
        "README.txt",
        "",
    ],
)
def test_what_something_else_wrote_is_no_entry(name: str) -> None:
    assert LAYOUT.parse(Key.from_text(f"collections!/notes!/{name}")) is None


def test_an_entry_that_is_taken_apart_lies_under_the_manager() -> None:
    assert LAYOUT.parse(Key.from_text("collections!/notes!/by-tag!/x!/!-a!/3-9a!")) == EntryName(
        "by-tag!/x!", "a!", "3-9a"
    )


@pytest.mark.parametrize(("n", "bits"), [(1, 0), (9_999_999_999, 2**64 - 1)])
def test_no_revision_makes_a_longer_entry_than_the_longest(n: int, bits: int) -> None:
    index = index_of("by-tag", "x")

    entry = LAYOUT.entry(index, "a!", new_rev(n, bits))

    assert len(entry.text) <= len(LAYOUT.longest_entry(index, "a!").text)


def test_a_revision_counts_and_tells_writers_apart() -> None:
    assert new_rev(3, 0x9A) == "3-000000000000009a"
    assert new_rev(3, 2**64 - 1) == "3-ffffffffffffffff"


def test_entries_lie_where_their_position_says() -> None:
    index = index_of("by-tag", "x")
    entry = LAYOUT.entry(index, "a!", "3-9a")

    assert entry.text.startswith(LAYOUT.text(position_of(index, "a!")))
    assert entry.text.startswith(LAYOUT.text("by-tag!/"))


def test_managers_do_not_share_names() -> None:
    other = Layout("note")

    assert LAYOUT.item("a") != other.item("a")
    assert not LAYOUT.item("a").text.startswith(Key("items", "note").below)
    assert LAYOUT.entry("every!/a!", "a!", "1-0") != other.entry("every!/a!", "a!", "1-0")
