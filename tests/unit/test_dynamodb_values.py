"""What native items and keys of DynamoDB look like on the way, and which options a mapping takes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from ssshelf import AsyncDynamoDBMapping
from ssshelf.dynamodb_mapping.requests import absent, changes, exists, merged, only
from ssshelf.dynamodb_mapping.schema import Schema, identity, letters
from ssshelf.dynamodb_mapping.values import Values

VALUES = Values(Decimal)
LONG = Decimal(12345678901234567890123456789012345678)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    ("", ""),
    ("é", "é"),
    (True, True),
    (None, None),
    (5, Decimal(5)),
    (0.1, Decimal("0.1")),
    (1e16, Decimal("1E+16")),
    (LONG, LONG),
    (10**40, Decimal(10) ** 40),
    (Decimal("0E-200"), Decimal(0)),
    (-0.0, Decimal(0)),
    ({0, Decimal("0E+200")}, {Decimal(0)}),
    (b"\0", b"\0"),
    (bytearray(b"ab"), b"ab"),
    ({"a", "b"}, {"a", "b"}),
    ({1, 2.5}, {Decimal(1), Decimal("2.5")}),
    ({0.1, Decimal("0.1")}, {Decimal("0.1")}),
    (frozenset([b"a"]), {b"a"}),
    ((1, [2]), [Decimal(1), [Decimal(2)]]),
    ({"a": {"b.c": 1}}, {"a": {"b.c": Decimal(1)}}),
]


@pytest.mark.parametrize(("value", "expected"), ROUND_TRIPS)
def test_a_value_comes_back(value: Any, expected: Any) -> None:
    found = VALUES.value(VALUES.image(value))

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (float("nan"), ValueError, "no NaN"),
        (float("-inf"), ValueError, "no infinity"),
        (Decimal("sNaN"), ValueError, "no NaN"),
        ({1, float("inf")}, ValueError, "no infinity"),
        (int(LONG) * 10 + 1, ValueError, "38 digits"),
        (1e-200, ValueError, "1E-130"),
        (1e200, ValueError, "1E-130"),
        (set(), ValueError, "no empty sets"),
        ([object()], TypeError, "no type for object"),
        ({"a", 1}, TypeError, "no type for set"),
        ({True}, TypeError, "a set has texts only"),
        (1j, TypeError, "no type for complex"),
        ({"a": {1: 2}}, TypeError, "are texts, not int"),
    ],
)
def test_a_value_that_would_not_come_back_is_refused(value: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        VALUES.image({"deep": [value]})


def test_an_error_does_not_show_the_value() -> None:
    with pytest.raises(TypeError) as caught:
        VALUES.image({"hush", 1})

    assert "hush" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_equal_sets_have_equal_images() -> None:
    assert VALUES.image({"a", "b", "c"}) == VALUES.image({"c", "b", "a"}) == {"SS": ["a", "b", "c"]}


def test_values_that_python_takes_for_equal_have_images_of_their_own() -> None:
    assert (VALUES.image(1), VALUES.image(value=True)) == ({"N": "1"}, {"BOOL": True})


def test_numbers_come_back_as_the_user_wants() -> None:
    values = Values(json.loads)

    assert (
        repr(values.item(values.images({"int": 1, "float": 0.5, "set": {2}}))) == "{'int': 1, 'float': 0.5, 'set': {2}}"
    )


@pytest.mark.parametrize("item", [None, 5, "text", [("a", 1)]])
def test_an_item_is_a_mapping(item: Any) -> None:
    with pytest.raises(TypeError, match="an item is a mapping"):
        VALUES.images(item)


SIMPLE = Schema("t", {"id": "S"}, VALUES)
COMPOSITE = Schema("t", {"p": "B", "n": "N"}, VALUES)


@pytest.mark.parametrize(
    ("schema", "key", "image"),
    [
        (SIMPLE, "a", {"id": {"S": "a"}}),
        (SIMPLE, ("a",), {"id": {"S": "a"}}),
        (SIMPLE, ["a"], {"id": {"S": "a"}}),
        (COMPOSITE, (b"p", 1.5), {"p": {"B": b"p"}, "n": {"N": "1.5"}}),
        (COMPOSITE, [bytearray(b"p"), Decimal(2)], {"p": {"B": b"p"}, "n": {"N": "2"}}),
    ],
)
def test_a_key_may_be_given_in_several_forms(schema: Schema, key: Any, image: Any) -> None:
    assert schema.image(key) == schema.lookup(key) == image


@pytest.mark.parametrize(
    ("schema", "key", "kind"),
    [
        (SIMPLE, None, TypeError),
        (SIMPLE, 5, TypeError),
        (SIMPLE, b"a", TypeError),
        (SIMPLE, object(), TypeError),
        (SIMPLE, "", ValueError),
        (SIMPLE, "é" * 1025, ValueError),
        (COMPOSITE, (b"p", "1"), TypeError),
        (COMPOSITE, (b"p", True), TypeError),
        (COMPOSITE, (b"p", float("nan")), ValueError),
        (COMPOSITE, (b"", 1), ValueError),
    ],
)
def test_what_cannot_be_a_key_is_refused_when_written_and_absent_when_looked_up(
    schema: Schema, key: Any, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        schema.image(key)
    with pytest.raises(KeyError):
        schema.lookup(key)


@pytest.mark.parametrize(("schema", "key"), [(SIMPLE, ("a", "b")), (SIMPLE, ()), (COMPOSITE, b"p"), (COMPOSITE, "ab")])
def test_a_key_has_as_many_parts_as_the_table(schema: Schema, key: Any) -> None:
    for function in (schema.image, schema.lookup):
        with pytest.raises(ValueError, match="a key of table 't' has a value for each of"):
            function(key)


def test_equal_numbers_are_one_key() -> None:
    assert identity(COMPOSITE.image((b"p", 1.0))) == identity(COMPOSITE.image((b"p", 1)))


def test_keys_of_new_tables_have_types_of_python() -> None:
    assert letters({"a": str, "b": int}) == {"a": "S", "b": "N"}
    for wrong in ({}, {"a": list}, {"a": str, "b": str, "c": str}):
        with pytest.raises(ValueError, match="a partition key and perhaps a sort key"):
            letters(wrong)


def test_conditions_names_and_values_of_both_sides_are_kept() -> None:
    given = {
        "ConditionExpression": "#a = :a OR #b = :a",
        "ExpressionAttributeNames": {"#a": "a", "#b": "b"},
        "ExpressionAttributeValues": {":a": {"N": "1"}},
    }

    assert merged({**merged(exists("id"), changes({"a": {"N": "2"}, "c": None}))}, given) == {
        "ConditionExpression": "(attribute_exists(#ssshelf)) AND (#a = :a OR #b = :a)",
        "UpdateExpression": "SET #ssshelf0 = :ssshelf0 REMOVE #ssshelf1",
        "ExpressionAttributeNames": {"#a": "a", "#b": "b", "#ssshelf": "id", "#ssshelf0": "a", "#ssshelf1": "c"},
        "ExpressionAttributeValues": {":a": {"N": "1"}, ":ssshelf0": {"N": "2"}},
    }
    assert merged(absent("id"), {"ReturnConsumedCapacity": "TOTAL"})["ReturnConsumedCapacity"] == "TOTAL"


def test_what_there_can_be_one_of_is_not_given_twice() -> None:
    with pytest.raises(TypeError, match="ProjectionExpression cannot be given"):
        merged(only(["id"]), {"ProjectionExpression": "a"})


@pytest.mark.parametrize(
    ("options", "kind", "says"),
    [
        ({"region": "eu-west-1"}, TypeError, "there is no option region; there are .*aws_region"),
        ({"aws_access_key_id": "id"}, ValueError, "belong together"),
        ({"aws_secret_access_key": "hush"}, ValueError, "belong together"),
        ({"aws_profile": "p", "boto3_session": object()}, ValueError, "aws_profile or a session"),
    ],
)
def test_options_that_would_not_be_honoured_are_refused(
    options: dict[str, Any], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught:
        AsyncDynamoDBMapping("table", **options)

    assert "hush" not in str(caught.value)
