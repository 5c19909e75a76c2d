"""The names that users of ssshelf 0.1 import do what they did."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

import pytest

from ssshelf.utils import convert_datetime_to_str, json_dump


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (dt.datetime(2017, 10, 10, 1, 2, 3), "2017-10-10T01:02:03Z"),  # noqa: DTZ001  0.1 took it for UTC
        (dt.datetime(2017, 10, 10, tzinfo=dt.UTC), "2017-10-10T00:00:00Z"),
        (dt.datetime(2017, 10, 10, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2017-10-09T23:00:00Z"),
        (dt.datetime(2017, 10, 10, 0, 0, 0, 999999, tzinfo=dt.UTC), "2017-10-10T00:00:00Z"),
    ],
)
def test_a_datetime_becomes_text_in_utc(moment: dt.datetime, text: str) -> None:
    assert convert_datetime_to_str(moment) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, True]}, '{"a": [1, null, true]}'),
        ({"at": dt.datetime(2017, 10, 10, tzinfo=dt.UTC)}, '{"at": "2017-10-10T00:00:00Z"}'),
        ([uuid.UUID(int=5)], '["00000000-0000-0000-0000-000000000005"]'),
    ],
)
def test_what_is_no_json_becomes_text(value: Any, text: str) -> None:
    assert json_dump(value) == text


def test_arguments_are_those_of_json() -> None:
    assert json_dump({"b": 1, "a": 2}, sort_keys=True, separators=(",", ":")) == '{"a":2,"b":1}'
    assert json.loads(json_dump({"a": 1j}, default=str)) == {"a": "1j"}


def test_what_has_no_form_is_named() -> None:
    with pytest.raises(TypeError, match="complex has no JSON form here"):
        json_dump({"a": 1j})
