"""Keys: their stored form, which may never change, and what is refused."""

from __future__ import annotations

import copy
import datetime as dt
import decimal
import enum
import pickle
import uuid
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ssshelf.keys import MAX_KEY_BYTES, Desc, Key, Leaf, decode, encode

UTC = dt.UTC
NOON = dt.datetime(2024, 2, 29, 12, 30, 59, 7, tzinfo=UTC)
GOLDEN: list[tuple[Any, str]] = [
    # what is never to change: a part, and its stored form
    (Leaf(""), "!-("),
    (Leaf("a b"), "!-a(20b"),
    (Leaf("a" * 199), "!-" + "a" * 198 + "/a"),
    (None, "!0"),
    (False, "!1"),
    (True, "!2"),
    (float("-inf"), "!3l"),
    (-(10**40), "!3m4588~"),
    (-42, "!3m49757~"),
    (-1, "!3m4988~"),
    (-0.001, "!3m5018~"),
    (0, "!3n"),
    (5e-324, "!3p1775"),
    (0.1, "!3p5001"),
    (1, "!3p5011"),
    (3.14, "!3p501314"),
    (10, "!3p5021"),
    (42, "!3p50242"),
    (1234567890123456789012345678901234567890, "!3p540123456789012345678901234567890123456789"),
    (decimal.Decimal("0.1000000000000000055511151231257827"), "!3p5001000000000000000055511151231257827"),
    (decimal.Decimal("-2.50"), "!3m49874~"),
    (float("inf"), "!3q"),
    (dt.date(1, 1, 1), "!400010101"),
    (dt.date(2024, 2, 29), "!420240229"),
    (NOON, "!520240229T123059.000007Z"),
    (dt.datetime(1, 1, 1, tzinfo=UTC), "!500010101T000000.000000Z"),
    (dt.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "!599991231T235959.999999Z"),
    (b"", "!7"),
    (b"\x00\xff~", "!700ff7e"),
    (uuid.UUID("550e8400-e29b-41d4-a716-446655440000"), "!8550e8400e29b41d4a716446655440000"),
    (Desc(NOON), "!y936155193340999992"),
    (Leaf("a b"), "!-a(20b"),
    (Desc(None), "!zdecfde"),
    (Desc(value=True), "!zdecdde"),
    (Desc(42), "!zdecc8fcacfcdcbcdde"),
    (Desc(dt.date(2024, 2, 29)), "!zdecbcdcfcdcbcfcdcdc6de"),
    (Desc("abc"), "!z9e9d9cde"),
    (Desc(""), "!zd7de"),
    ("", "("),
    ("plain-Text09", "plain-Text09"),
    ("snake_case", "snake__case"),
    ("a b", "a(20b"),
    ("http://google.com/a?b=c", "http=3A._._google..com._a=3Fb=3Dc"),
    (".", ".."),
    ("..", "...."),
    ("!", "(21"),
    ("\x00\x1f\x7f", "(00(1F~7F"),
    ("[\\]^`{|}~", "_1_2_3_4_a~7B~7C~7D~7E"),
    ("café ☃", "caf~C3~A9(20~E2~98~83"),
    ("🐍", "~F0~9F~90~8D"),
    ("a" * 200, "a" * 200),
    ("a" * 201, "a" * 200 + "/a"),
    ("a" * 401, "a" * 200 + "/" + "a" * 200 + "/a"),
    ("a" * 199 + "_b", "a" * 199 + "_/_b"),
    (b"\xab" * 100, "!7" + "ab" * 99 + "/ab"),
]


@pytest.mark.parametrize(("part", "stored"), GOLDEN)
def test_the_stored_form_of_a_part_never_changes(part: Any, stored: str) -> None:
    assert encode((part,)) == f"{stored}!/"
    assert Key(part).text == f"{stored}!"


@pytest.mark.parametrize(("part", "stored"), GOLDEN)
def test_a_stored_form_reads_back(part: Any, stored: str) -> None:
    (decoded,) = decode(f"{stored}!/")

    assert decoded == part


def test_a_float_too_large_for_exact_integers_counts_as_its_shortest_decimal_form() -> None:
    text = encode((1.7976931348623157e308,))

    assert text == "!3p80917976931348623157!/"
    assert decode(text) == (17976931348623157 * 10**292,)


def test_the_stored_forms_of_parts_follow_one_another() -> None:
    assert encode(("a/b", None, 1)) == "a._b!/!0!/!3p5011!/"
    assert Key("a/b", None, 1).text == "a._b!/!0!/!3p5011!"


def test_no_parts_have_no_text() -> None:
    assert encode(()) == ""
    assert decode("") == ()
    assert Key().text == Key().below == ""
    assert Key().parts == ()


def test_the_largest_key_is_what_s3_takes() -> None:
    assert MAX_KEY_BYTES == 1024


@pytest.mark.parametrize(
    ("one", "same"),
    [
        (1, 1.0),
        (1, decimal.Decimal("1.000")),
        (0, -0.0),
        (0, decimal.Decimal("0E+999999")),
        (0.1, decimal.Decimal("0.1")),
        (10**22, 1e22),
        (NOON, NOON.astimezone(ZoneInfo("Asia/Kathmandu"))),
        (NOON, NOON.astimezone(dt.timezone(-dt.timedelta(hours=23, minutes=59, seconds=58)))),
    ],
)
def test_equal_values_are_one_key(one: Any, same: Any) -> None:
    assert Key(one) == Key(same)
    assert Key(Desc(one)) == Key(Desc(same))


@pytest.mark.parametrize("parts", [(1, True, 1.5, "1"), (True, 1, "1"), ("1", True, 1), (0, False, "", None, b"")])
def test_equal_values_of_different_types_are_not_confused(parts: tuple[Any, ...]) -> None:
    texts = [encode((part,)) for part in parts]

    assert [decode(text) for text in texts] == [(part,) for part in parts]
    assert len(set(texts)) == len(parts)


class Colour(enum.StrEnum):
    RED = "red"
    LIGHT_BLUE = "light blue"


class Mixed(str, enum.Enum):  # noqa: UP042  what programs did before StrEnum
    RED = "red"
    LIGHT_BLUE = "light blue"


class Level(enum.IntEnum):
    HIGH = 30


class MixedLevel(int, enum.Enum):
    HIGH = 30


class Flags(enum.IntFlag):
    BOTH = 3


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


class Moment(dt.datetime):
    pass


class Day(dt.date):
    pass


class Amount(decimal.Decimal):
    pass


class Number(float):
    pass


class Data(bytes):
    pass


class Identifier(uuid.UUID):
    pass


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (Colour.RED, "red"),
        (Colour.LIGHT_BLUE, "light blue"),
        (Mixed.RED, "red"),
        (Mixed.LIGHT_BLUE, "light blue"),
        (Level.HIGH, 30),
        (MixedLevel.HIGH, 30),
        (Flags.BOTH, 3),
        (Text("red"), "red"),
        (Text("a b"), "a b"),
        (Moment(2024, 2, 29, 12, 30, 59, 7, tzinfo=UTC), NOON),
        (Day(2024, 2, 29), dt.date(2024, 2, 29)),
        (Amount("1.5"), 1.5),
        (Number(1.5), 1.5),
        (Data(b"a"), b"a"),
        (Identifier(int=5), uuid.UUID(int=5)),
    ],
)
def test_an_instance_of_a_subclass_counts_as_its_value(part: Any, value: Any) -> None:
    assert Key(part) == Key(value)
    assert Key(Desc(part)) == Key(Desc(value))
    assert type(Key(part).text) is str


class NoOffset(dt.tzinfo):
    """Says nothing: what has it is naive, as the manual of Python's datetime has it."""

    def utcoffset(self, _: dt.datetime | None) -> None:
        return None

    def dst(self, _: dt.datetime | None) -> None:
        return None

    def tzname(self, _: dt.datetime | None) -> None:
        return None


EAST = dt.timezone(dt.timedelta(hours=1))
WEST = dt.timezone(dt.timedelta(hours=-1))


@pytest.mark.parametrize("wrap", [lambda part: part, Desc], ids=["plain", "desc"])
@pytest.mark.parametrize(
    ("part", "error", "says"),
    [
        (float("nan"), ValueError, "NaN has no place in an order"),
        (decimal.Decimal("NaN"), ValueError, "NaN has no place in an order"),
        (decimal.Decimal("sNaN"), ValueError, "NaN has no place in an order"),
        (dt.datetime(2024, 1, 1), ValueError, "a naive datetime names no instant"),  # noqa: DTZ001
        (dt.datetime(2024, 1, 1, tzinfo=NoOffset()), ValueError, "a naive datetime names no instant"),
        (dt.datetime(1, 1, 1, tzinfo=EAST), ValueError, "must lie between the years 1 and 9999"),
        (dt.datetime(9999, 12, 31, 23, 59, tzinfo=WEST), ValueError, "must lie between the years 1 and 9999"),
        ("a\ud800", ValueError, "a lone surrogate at index 1"),
        ("\udfff", ValueError, "a lone surrogate at index 0"),
        (10**499, ValueError, "a number in a key must lie between"),
        (-(10**499), ValueError, "a number in a key must lie between"),
        pytest.param(10**6000, ValueError, "a number in a key must lie between", id="huge"),
        pytest.param(-(10**6000), ValueError, "a number in a key must lie between", id="huge and negative"),
        (decimal.Decimal("1e500"), ValueError, "a number in a key must lie between"),
        (decimal.Decimal("-1e-999"), ValueError, "a number in a key must lie between"),
        ([], TypeError, "list cannot be part of a key: use str, int"),
        ((), TypeError, "tuple cannot be part of a key"),
        ({}, TypeError, "dict cannot be part of a key"),
        (object(), TypeError, "object cannot be part of a key"),
        (bytearray(b"a"), TypeError, "bytearray cannot be part of a key"),
        (1j, TypeError, "complex cannot be part of a key"),
        (dt.time(1), TypeError, "time cannot be part of a key"),
        (dt.timedelta(1), TypeError, "timedelta cannot be part of a key"),
    ],
)
def test_what_has_no_place_in_the_order_is_refused(wrap: Any, part: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        Key("a", wrap(part), "b")


@pytest.mark.parametrize("part", [10**498, -(10**498), decimal.Decimal("1e-500"), decimal.Decimal("-9.99e498")])
def test_a_number_within_the_range_is_taken(part: Any) -> None:
    assert Key(part).parts == (part,)


@pytest.mark.parametrize(
    "garbage",
    [
        "a",  # no end
        "a!",
        "a/",
        "a!/b",
        "!",
        "/",
        "!/",  # an empty text is "("
        "a b!/",  # not escaped
        "é!/",
        "a.b!/",
        "a/b!/",  # cut where nothing needs to be
        "a/!/",
        "/a!/",
        "a!/\n",
        "=!/",  # half an escape
        "~F!/",
        "_!/",
        "_9!/",
        "(41!/",  # an escape that nothing needs
        "~ff!/",
        "~FF!/",  # no UTF-8
        "~ED~A0~80!/",  # a surrogate
        "a(!/",
        "!!/",  # no such type
        "!6!/",
        "!9!/",
        "!a!/",
        "!-!/",  # nothing behind the mark
        "!-a b!/",
        "!-!-a!/",
        "!00!/",  # more than there is to say
        "!12!/",
        "!2true!/",
        "!3!/",  # no number
        "!3p!/",
        "!3x5011!/",
        "!3p501!/",
        "!3p50110!/",  # a zero too many
        "!3p50101!/",
        "!3p501-1!/",
        "!3p501٣!/",
        "!3n0!/",
        "!3q1!/",
        "!3m4988!/",
        "!4!/",  # no day
        "!420240230!/",
        "!4202402290!/",
        "!42024 229!/",
        "!5!/",  # no instant
        "!520240230T000000.000000Z!/",
        "!520240229T000000.5Z!/",
        "!520240229T000000.000000!/",
        "!7a!/",  # no bytes
        "!7AB!/",
        "!7 ab!/",
        "!7zz!/",
        "!8!/",  # no UUID
        "!8550E8400E29B41D4A716446655440000!/",
        "!8{550e8400-e29b-41d4-a716-446655440000}!/",
        "!y!/",  # no instant
        "!y1!/",
        "!y999999999999999999999!/",
        "!y-93615474414099992!/",
        "!z!/",  # nothing to turn round
        "!z00!/",
        "!zde!/",
        "!z9E!/",
        "\ud800!/",
    ],
)
def test_what_is_no_text_of_a_key_is_refused(garbage: str) -> None:
    with pytest.raises(ValueError, match="not the text of a key"):
        decode(garbage)


def test_the_parts_of_a_foreign_name_are_refused() -> None:
    key = Key.from_text("photos/cat.jpg")

    with pytest.raises(ValueError, match=r"not the text of a key: 'photos/cat.jpg/'"):
        _ = key.parts


def test_a_key_is_what_its_parts_are() -> None:
    assert Key("a", 1) == Key("a", 1) == Key.from_text("a!/!3p5011!")
    assert hash(Key("a", 1)) == hash(Key.from_text("a!/!3p5011!"))
    assert Key("a", 1) != Key("a", "1")


def test_a_key_is_not_its_text() -> None:
    assert Key("a") != "a!"
    assert Key("a") != ("a",)


def test_keys_sort() -> None:
    keys = [Key("b"), Key("a", "b"), Key("a"), Key()]

    assert sorted(keys) == [Key(), Key("a"), Key("a", "b"), Key("b")]


@pytest.mark.parametrize("other", [3, "a!", None])
def test_a_key_is_not_compared_with_anything_else(other: Any) -> None:
    with pytest.raises(TypeError):
        _ = Key("a") < other


def test_a_part_extends_a_key() -> None:
    assert Key("a") / "b" / 1 == Key("a", "b", 1)
    assert Key() / "a" == Key("a")
    assert Key("a") / Desc("x" * 300) == Key("a", Desc("x" * 300))


def test_extending_a_key_leaves_it_as_it_was() -> None:
    key = Key("a")

    _ = key / "b"

    assert key == Key("a")


def test_what_is_below_a_key_starts_with_its_text_and_a_slash() -> None:
    assert Key("a").below == "a!/"
    assert Key("a", "b").text.startswith(Key("a").below)
    assert not Key("ab").text.startswith(Key("a").below)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_key_pickles(protocol: int) -> None:
    key = Key("a", 1, Desc(2))

    assert pickle.loads(pickle.dumps(key, protocol)) == key


def test_a_key_copies() -> None:
    key = Key("a", 1)

    assert copy.copy(key) == copy.deepcopy(key) == key


def test_a_key_shows_its_text() -> None:
    assert repr(Key("a", 1)) == "Key('a!/!3p5011!')"
    assert str(Key("a", 1)) == "a!/!3p5011!"


@pytest.mark.parametrize("wrapped", [Desc, Leaf])
def test_a_wrapped_part_is_a_value(wrapped: type[Desc | Leaf]) -> None:
    assert wrapped("a") == wrapped("a")
    assert hash(wrapped("a")) == hash(wrapped("a"))
    assert wrapped("a") != wrapped("b")
    assert wrapped("a") != "a"
    assert repr(wrapped("a")) == f"{wrapped.__name__}('a')"
    assert pickle.loads(pickle.dumps(wrapped("a"))) == wrapped("a")


def test_a_leaf_is_not_under_what_goes_on_from_its_key() -> None:
    assert Key("a", Leaf("z")) < Key("a", None)
    assert not Key("a", Leaf("z"), 1).text.startswith(Key("a", "z").below)


def test_desc_comes_back() -> None:
    assert Key(Desc("a"), Desc(NOON), Desc(None)).parts == (Desc("a"), Desc(NOON), Desc(None))


@pytest.mark.parametrize("part", [None, False, 0, "", "a", b"", Desc("a")])
def test_a_leaf_is_before_everything_and_under_nothing_else(part: Any) -> None:
    leaf = encode(("k", Leaf("z")))

    assert leaf < encode(("k", part))
    assert leaf < encode(("k", part, Leaf("a")))
    assert not leaf.startswith(encode(("k", part)))
