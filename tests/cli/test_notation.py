"""What is printed of a key can be pasted: it is read as the same key."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import shlex
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ssshelf.cli.notation import parse, parse_text, printable, show, show_text
from ssshelf.keys import Desc, Leaf, Part, decode, encode
from tests.properties.test_keys import many, part, plain, texts

AMBIGUOUS = [f"{name}:5" for name in ("text", "json", "number", "date", "time", "null", "desc", "leaf", "uuid")]
awkward = st.one_of(texts, st.sampled_from(["", "-", "--all", ":", "a:b", "http://x", "\x1b[2J", "\x9b", *AMBIGUOUS]))


@many
@given(st.one_of(part, awkward, awkward.map(Desc), awkward.map(Leaf), plain.map(Desc)))
@example(Desc("text:number:5"))
@example(Desc(None))
@example(dt.datetime(1, 1, 1, tzinfo=dt.UTC))
@example(decimal.Decimal("0.1000000000000000055511151231257827"))
def test_what_is_shown_is_read_as_the_same_part(part: Part) -> None:
    text = encode((part,))
    (canonical,) = decode(text)

    shown = show(canonical)

    assert encode((parse(shown),)) == text
    assert shown.isprintable()
    assert shlex.split(shlex.quote(shown)) == [shown]
    assert not shown.startswith("-")
    assert shown


@many
@given(awkward)
def test_what_is_shown_of_a_name_is_read_as_the_same_name(text: str) -> None:
    shown = show_text(text)

    assert parse_text(shown) == text
    assert shown.isprintable()
    assert not shown.startswith("-")


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("python", "python"),
        ("http://example.org", "http://example.org"),
        ("two words", "two words"),
        ("number:5", "text:number:5"),
        ("", "text:"),
        ("-x", "text:-x"),
        ("two\nlines", 'json:"two\\nlines"'),
        (5, "number:5"),
        (-2.5, "number:-2.5"),
        (float("inf"), "number:inf"),
        (None, "null:"),
        (True, "true:"),
        (dt.date(2024, 5, 1), "date:2024-05-01"),
        (dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC), "time:2024-05-01T12:00:00Z"),
        (
            dt.datetime(2024, 5, 1, 12, 0, 0, 5, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            "time:2024-05-01T10:00:00.000005Z",
        ),
        (b"\x00\xff", "bytes:00ff"),
        (uuid.UUID(int=1), "uuid:00000000-0000-0000-0000-000000000001"),
        (Desc(5), "desc:number:5"),
        (Desc("a:b"), "desc:a:b"),
        (Leaf("number:5"), "leaf:number:5"),
    ],
)
def test_how_parts_are_shown(part: Part, shown: str) -> None:
    assert show(part) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("number:five", "number:five is no number: write it like 5"),
        ("number:nan", "number:nan: NaN has no place in an order"),
        ("date:2024", "date:2024 is no date: Invalid isoformat string"),
        ("time:2024-05-01T12:00", "has no time zone: end it in Z for UTC"),
        ("true:yes", "true:yes is no true: nothing may follow the colon"),
        ("json:5", "json:5 is no json: a JSON string stands in double quotes"),
        ("uuid:1", "uuid:1 is no uuid"),
        ("desc:number:x", "desc:number:x is no desc: number:x is no number: write"),
        ("\udce4", "lone surrogate"),
    ],
)
def test_what_is_no_part_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse(text)


def test_what_a_terminal_might_obey_is_escaped() -> None:
    assert printable("a\x1b]0;title\x07\u202e\x9b\nb") == "a\\u001b]0;title\\u0007\\u202e\\u009b\nb"
