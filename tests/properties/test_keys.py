"""Keys keep the order of what they are made of: checked against an oracle that compares values, not texts."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ssshelf.keys import Desc, Key, Leaf, Part, Plain, decode, encode

Parts = tuple[Part, ...]

SAFE = frozenset("!(-./0123456789=ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~")
LONGEST_SEGMENT_BYTES = 255
many = settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def exact(number: float | decimal.Decimal) -> Any:
    """Return a number in a form that compares with all others; a float counts as its shortest decimal form."""
    if isinstance(number, float):
        return number if number in (float("inf"), float("-inf")) else Fraction(repr(number))
    if isinstance(number, decimal.Decimal) and number.is_infinite():
        return float(number)
    return Fraction(number)


# A datetime is a date too, so it is looked for first; but dates come before datetimes.
ORACLE: list[tuple[int, Any, Any]] = [
    (-1, Leaf, lambda leaf: leaf.value.encode()),
    (0, type(None), lambda _: 0),
    (1, bool, bool),
    (2, (int, float, decimal.Decimal), exact),
    (4, dt.datetime, lambda moment: (*moment.astimezone(dt.UTC).timetuple()[:6], moment.microsecond)),
    (3, dt.date, lambda day: day),
    (5, bytes, bytes),
    (6, uuid.UUID, lambda value: value.int),
    (7, str, str.encode),
]


def place(part: Part) -> tuple[int, Any]:
    """Return what says where ``part`` belongs in the order: the rank of its type, then what its type sorts by."""
    return next((rank, form(part)) for rank, kind, form in ORACLE if isinstance(part, kind))


def places(parts: Parts) -> list[tuple[int, Any]]:
    return [place(part) for part in parts]


offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
moments = st.one_of(
    st.datetimes(timezones=st.just(dt.UTC)),
    st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 12, 31), timezones=offsets),  # noqa: DTZ001
    st.integers(-3, 3).map(lambda us: dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=us)),
)
numbers = st.one_of(
    st.integers(-20, 20),
    st.integers(-(10**40), 10**40),
    st.integers(-(10**498), 10**498),
    st.floats(allow_nan=False),
    st.sampled_from([0.1, 0.5, -0.0, 1e16, 2.0**53, 1e22, 1e23, 5e-324, 1.7976931348623157e308]),
    st.decimals(-(10**9), 10**9, allow_nan=False, places=3),
    st.decimals(allow_nan=False, allow_infinity=True).filter(lambda d: d.is_infinite() or -490 < d.adjusted() < 490),
    st.integers(0, 9).map(lambda digit: decimal.Decimal(f"0.1000000000000000055511151231257827{digit}")),
)
texts = st.one_of(
    st.text(),
    st.text(alphabet="ab-./_!~ %=+:AZz09\x00\x7f", max_size=6),
    st.text(alphabet="ab/.🐍", min_size=60, max_size=420),
    st.integers(195, 205).map(lambda length: "a" * length),
    st.sampled_from(["", ".", "..", "/", "//", "!", "!/", "~", "é", "\x00", "\U0010ffff", "\ue000", "\ud7ff"]),
)
by_rank: list[st.SearchStrategy[Plain]] = [
    st.none(),
    st.booleans(),
    numbers,
    st.dates(),
    moments,
    st.binary(max_size=130),
    st.uuids(),
    texts,
]
plain = st.one_of(by_rank)
leaves = texts.map(Leaf)
ascending = st.one_of(plain, leaves)
part = st.one_of(ascending, plain.map(Desc))
tuples = st.lists(ascending, max_size=4).map(tuple)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Parts, Parts]:
    """Draw two tuples that often agree at first, and then differ in values of one type or by little text."""
    shared = draw(st.lists(plain, max_size=2))
    same = [st.tuples(kind, kind) for kind in (*by_rank, leaves)]
    one, other = draw(st.one_of(st.tuples(ascending, ascending), *same))
    if isinstance(one, str) and draw(st.booleans()):
        cut = draw(st.integers(0, len(one)))
        nearby = [chr(ord(char) ^ 1) for char in one[cut : cut + 1]]
        other = "".join([one[:cut], *nearby, draw(texts)])
    first = [*shared, one, *draw(st.lists(plain, max_size=2))]
    second = [*shared, other, *draw(st.lists(plain, max_size=2))]
    return tuple(first), tuple(second)


pairs = st.one_of(st.tuples(tuples, tuples), neighbours())


@many
@given(pairs)
def test_texts_are_ordered_as_tuples_are(pair: tuple[Parts, Parts]) -> None:
    one, other = pair

    texts_compared = encode(one) < encode(other), encode(one) == encode(other)

    assert texts_compared == (places(one) < places(other), places(one) == places(other))


def test_every_character_keeps_its_place_whatever_follows_it() -> None:
    characters = [chr(code) for code in (*range(0x300), 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF)]

    texts = [encode((char + rest,)) for char in characters for rest in ("", "\x00", "!", "\U0010ffff")]

    assert texts == sorted(set(texts))


@many
@given(pairs)
def test_stored_names_are_ordered_as_tuples_are(pair: tuple[Parts, Parts]) -> None:
    one, other = pair

    names_compared = Key(*one).text.encode() < Key(*other).text.encode(), Key(*one) < Key(*other)

    assert names_compared == (places(one) < places(other),) * 2


@many
@given(st.tuples(*[st.one_of(st.integers(), st.decimals(allow_nan=False, places=2, min_value=-99, max_value=99))] * 2))
def test_exact_numbers_are_ordered_by_value(pair: tuple[int, int]) -> None:
    one, other = pair

    assert (encode((one,)) < encode((other,))) == (one < other)
    assert (encode((one,)) == encode((other,))) == (one == other)


@many
@given(st.tuples(*[st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False))] * 2))
@example((0, -0.0))
def test_floats_are_ordered_with_the_integers_that_they_can_hold(pair: tuple[float, float]) -> None:
    one, other = pair

    assert (encode((one,)) < encode((other,))) == (one < other)
    assert (encode((one,)) == encode((other,))) == (one == other)


@many
@given(st.one_of([st.tuples(kind, kind) for kind in by_rank]), tuples, tuples)
def test_desc_reverses_the_order(pair: tuple[Plain, Plain], rest: Parts, other_rest: Parts) -> None:
    one, other = pair

    reversed_order = encode((Desc(one), *rest)) < encode((Desc(other), *other_rest))

    if place(one) == place(other):
        assert reversed_order == (places(rest) < places(other_rest))
    else:
        assert reversed_order == (place(one) > place(other))


@many
@given(st.lists(part, max_size=4).map(tuple))
def test_a_text_decodes_to_what_it_was_made_of(parts: Parts) -> None:
    decoded = decode(encode(parts))

    undone = [p.value if isinstance(p, Desc) else p for p in decoded]
    given_parts = [p.value if isinstance(p, Desc) else p for p in parts]
    assert places(tuple(undone)) == places(tuple(given_parts))
    assert [isinstance(p, Desc) for p in decoded] == [isinstance(p, Desc) for p in parts]
    assert encode(decoded) == encode(parts)


@many
@given(st.lists(st.one_of([*(kind for kind in by_rank if kind is not numbers), st.integers(), leaves]), max_size=4))
def test_types_come_back(parts: list[Part]) -> None:
    decoded = Key(*parts).parts

    assert decoded == tuple(parts)
    assert [type(p) for p in decoded] == [type(p) for p in parts]


@many
@given(st.floats(allow_nan=False))
def test_a_float_comes_back_to_the_last_bit(number: float) -> None:
    (decoded,) = decode(encode((number,)))

    assert isinstance(decoded, int | float)
    assert float(decoded) == number


@many
@given(pairs)
def test_a_text_is_a_prefix_exactly_when_the_tuple_is(pair: tuple[Parts, Parts]) -> None:
    one, other = pair

    text_is_prefix = encode(other).startswith(encode(one))

    assert text_is_prefix == (places(other)[: len(one)] == places(one))


@many
@given(st.lists(part, min_size=1, max_size=4), st.integers(0, 4))
def test_leading_parts_are_a_prefix(parts: list[Part], count: int) -> None:
    assert Key(*parts).text.startswith(Key(*parts[:count]).below) == (count < len(parts))
    assert encode(tuple(parts)).startswith(encode(tuple(parts[:count])))


@many
@given(st.lists(part, min_size=1, max_size=3))
def test_names_are_safe_in_every_store_and_file_system(parts: list[Part]) -> None:
    text = Key(*parts).text

    assert set(text) <= SAFE
    assert set(text.split("/")) & {"", ".", ".."} == set()
    assert max(map(len, text.split("/"))) <= LONGEST_SEGMENT_BYTES


@many
@given(st.text())
def test_a_text_that_no_tuple_has_is_refused(garbage: str) -> None:
    try:
        parts = decode(garbage)
    except ValueError:
        return

    assert encode(parts) == garbage


@many
@given(st.sampled_from("0123456789yz"), st.text(alphabet="!(-./0123456789=ABCTZabfmnpq_~ ", max_size=24))
def test_a_text_with_the_mark_of_a_type_and_anything_behind_it_is_refused(kind: str, rest: str) -> None:
    text = f"!{kind}{rest}!/"

    try:
        parts = decode(text)
    except ValueError:
        return

    assert encode(parts) == text
