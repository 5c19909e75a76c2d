"""Pages and cursors: a cursor continues the listing it is of, and no other."""

from __future__ import annotations

import base64
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssshelf.errors import CorruptionError, InvalidCursorError
from ssshelf.keys import Desc, Key, encode
from ssshelf.layout import Layout, position_of
from ssshelf.pages import KeyPage, Page, Window, parts_of

BELOW = encode(("by-tag",))


def window(
    manager: str = "notes",
    below: str = BELOW,
    prefix: tuple[Any, ...] = (),
    start: tuple[Any, ...] = (),
    stop: Any = None,
) -> Window:
    return Window(Layout(manager), below, prefix, start, stop)


def position(*key: Any, pk: str = "a") -> str:
    return position_of(encode(("by-tag", *key))[:-1], encode((pk,))[:-1])


def test_a_page_is_its_items() -> None:
    page = Page(("one", "two"), "cursor")

    assert list(page) == ["one", "two"]
    assert len(page) == 2
    assert page.items == ("one", "two")
    assert (page.after, page.corrupt) == ("cursor", ())


def test_a_page_reads_as_the_mapping_of_0_1() -> None:
    page = Page(("one", "two"), "cursor")

    assert page["items"] == ("one", "two")
    assert page["after"] == "cursor"
    assert "items" in page
    assert "after" in page


def test_the_last_page_has_no_after() -> None:
    page = Page(("one",), None)

    assert page.after is None
    assert "after" not in page
    with pytest.raises(KeyError, match="after"):
        page["after"]


def test_a_page_of_keys_has_keys() -> None:
    page = KeyPage(("a", "b"), "cursor")

    assert page.keys == page["keys"] == ("a", "b")
    assert list(page) == ["a", "b"]
    assert ("keys" in page, "items" in page) == (True, False)


@pytest.mark.parametrize("page", [Page((), None), KeyPage((), None)])
@pytest.mark.parametrize("name", ["else", "", None, "corrupt"])
def test_a_page_has_nothing_else(page: Page[Any], name: Any) -> None:
    assert name not in page
    with pytest.raises(KeyError):
        page[name]


def test_a_page_is_a_sequence_too() -> None:
    page = Page(("one", "two"), None)

    assert (page[0], page[-1], page[1:]) == ("one", "two", ("two",))
    assert "two" in page
    with pytest.raises(IndexError):
        page[2]


@pytest.mark.parametrize("name", ["after", "keys"])
def test_a_primary_key_is_not_taken_for_what_the_page_is_asked_for(name: str) -> None:
    # programs written for 0.1 ask `"after" in page`, and then for page["after"]
    page, without = KeyPage((name,), None), KeyPage(("a",), None)

    assert (name in page) == (name in without)


def test_an_empty_page_is_false() -> None:
    assert not Page((), "more follows")
    assert Page(("one",), None)


def test_a_page_is_a_value() -> None:
    error = CorruptionError(Key("a"), "odd")

    assert Page((1,), None, (error,)) == Page((1,), None, (error,))
    assert Page((1,), None) != Page((1,), "cursor")
    with pytest.raises(AttributeError):
        Page((1,), None).after = "cursor"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("a", ("a",)),
        (5, (5,)),
        (None, (None,)),
        (("a", 5), ("a", 5)),
        (["a", 5], ("a", 5)),
        ((), ()),
        (Desc(1), (Desc(1),)),
    ],
)
def test_a_single_part_stands_for_itself(value: Any, parts: tuple[Any, ...]) -> None:
    assert parts_of(value) == parts


def test_a_listing_begins_where_its_window_does() -> None:
    assert window().begin(None) == ("by-tag!/", "collections!/notes!/by-tag!/")
    assert window(prefix=("x",), start=(5,)).begin(None) == (
        "by-tag!/x!/!3p5015!/",
        "collections!/notes!/by-tag!/x!/!3p5015!/",
    )


def test_a_window_is_scanned_between_its_ends() -> None:
    whole, part = window(), window(prefix=("x",), stop=(9,))

    assert (whole.prefix, whole.before) == (Key("collections", "notes", "by-tag"), None)
    assert (part.prefix, part.before) == (
        Key("collections", "notes", "by-tag", "x"),
        "collections!/notes!/by-tag!/x!/!3p5019!/",
    )


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.integers(-99, 99), st.none()), st.text(min_size=1))
def test_a_cursor_continues_behind_its_position(key: Any, pk: str) -> None:
    at = position(key, pk=pk)

    behind, after = window().begin(window().cursor(at))

    assert behind == at
    assert after == f"collections!/notes!/{at}~"


def test_a_scan_that_continues_is_behind_every_revision_of_its_position() -> None:
    _, after = window().begin(window().cursor(position("x")))
    entries = [Layout("notes").entry("by-tag!/x!", "a!", rev).text for rev in ("1-0", "9999-ffffffffffffffff")]

    assert [text < after for text in entries] == [True, True]
    assert Layout("notes").entry("by-tag!/x!", "aa!", "1-0").text > after


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text(min_size=1))
def test_a_cursor_can_be_part_of_a_url(key: str, pk: str) -> None:
    cursor = window().cursor(position(key, pk=pk))

    assert set(cursor) <= set(string.ascii_letters + string.digits + "-_")


POSITIONS = [position("x" * n, pk="a" * m) for n, m in ((1, 1), (2, 1), (3, 1), (1, 7))]
CURSORS = [window().cursor(each) for each in POSITIONS]


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_with_one_character_changed_is_refused(cursor: str) -> None:
    changed = [
        cursor[:index] + char + cursor[index + 1 :]
        for index in range(len(cursor))
        for char in string.printable
        if char != cursor[index]
    ]

    assert [each for each in changed if accepted(each)] == []


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_with_a_character_more_or_less_is_refused(cursor: str) -> None:
    changed = [cursor[:index] + cursor[index + 1 :] for index in range(len(cursor))]
    changed += [cursor[:index] + char + cursor[index:] for index in range(len(cursor) + 1) for char in "=A-/ \n"]

    assert [each for each in changed if accepted(each)] == []


def accepted(cursor: Any, by: Window | None = None) -> bool:
    try:
        (by or window()).begin(cursor)
    except InvalidCursorError:
        return False
    return True


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "=",
        "====",
        "garbage",
        "a" * 5000,
        "é",
        "\ud800",
        "🐍" * 8,
        "\x00",
        base64.urlsafe_b64encode(b"12345678by-tag!/x!/a!/").decode(),
        base64.urlsafe_b64encode(b"\xff" * 30).decode(),
        b"bytes",
        5,
        1.5,
        True,
        [],
        ("a",),
        {},
        object(),
    ],
    ids=lambda garbage: ascii(garbage)[:20] if type(garbage) is not object else "object",
)
def test_what_never_was_a_cursor_is_refused(garbage: Any) -> None:
    with pytest.raises(InvalidCursorError, match="`after` is not of this listing"):
        window().begin(garbage)


OTHERS = {
    "manager": window(manager="other"),
    "collection": window(below=encode(("newest",))),
    "prefix": window(prefix=("x",)),
    "start": window(start=("a",)),
    "stop": window(stop=("z",)),
    "an empty stop": window(stop=()),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_cursor_of_another_listing_is_refused(other: Window) -> None:
    mine, theirs = window().cursor(position("x")), other.cursor(position("x"))

    assert accepted(mine)
    assert accepted(theirs, other)
    assert not accepted(mine, other)
    assert not accepted(theirs)


def test_listings_that_differ_only_in_where_their_prefix_ends_do_not_share_cursors() -> None:
    one, other = window(prefix=("x",), start=("y",)), window(start=("x", "y"))

    assert not accepted(one.cursor(position("x", "y")), other)
    assert not accepted(other.cursor(position("x", "y")), one)


def test_a_cursor_survives_the_process() -> None:
    # golden: cursors are in the links of programs that run on several machines
    assert window().cursor(position("x")) == "YH2BpK-bCox4IS8hLWEhLw"


@pytest.mark.parametrize(
    ("at", "held"),
    [
        (position("b"), False),  # where it begins
        (position("b", pk="aa"), True),
        (position("c"), True),
        (position("e"), True),  # the last
        (position("e", pk="aa"), False),
        (position("f"), False),
        ("newest!/c!/a!/", False),
    ],
)
def test_a_page_holds_what_lies_behind_its_beginning_up_to_its_last(at: str, held: bool) -> None:  # noqa: FBT001
    assert window().holds(at, position("b"), position("e")) == held


@pytest.mark.parametrize(
    ("at", "held"),
    [
        (position("x", 4), False),
        (position("x", 5), True),
        (position("x", 8, "more"), True),
        (position("x", 9), False),
        (position("x", 10), False),
        (position("y", 6), False),
        (position("xx", 6), False),
        (position("x"), False),
    ],
)
def test_a_window_holds_what_lies_between_its_ends(at: str, held: bool) -> None:  # noqa: FBT001
    listing = window(prefix=("x",), start=(5,), stop=(9,))
    behind, _ = listing.begin(None)

    assert listing.holds(at, behind, None) == held


def test_a_window_holds_nothing_beyond_its_prefix_however_far_it_goes() -> None:
    listing = window(prefix=("x",))
    behind, _ = listing.begin(None)

    assert [listing.holds(position(*key), behind, None) for key in (("x", 1), ("y", 1), ("xx", 1), ("w", 1))] == [
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("listing", "at", "held"),
    [
        (window(prefix=("x", "a")), position("x", pk="a"), False),
        (window(start=("x", "m")), position("x", pk="z"), False),
        (window(stop=("x", "a")), position("x", pk="z"), True),
    ],
    ids=["prefix", "start", "stop"],
)
def test_a_primary_key_is_no_part_of_the_key_that_a_window_is_about(listing: Window, at: str, held: bool) -> None:  # noqa: FBT001
    behind, _ = listing.begin(None)

    assert listing.holds(at, behind, None) == held


def test_a_descending_part_turns_the_ends_of_a_window() -> None:
    listing = window(start=(Desc(9),), stop=(Desc(5),))
    behind, _ = listing.begin(None)

    held = [n for n in range(12) if listing.holds(position(Desc(n)), behind, None)]

    assert held == [6, 7, 8, 9]
