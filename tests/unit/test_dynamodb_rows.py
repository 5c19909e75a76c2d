"""Rows of DynamoDB: partitions, positions and times, without a table."""

from __future__ import annotations

import datetime as dt
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssshelf import CorruptionError
from ssshelf.keys import MAX_KEY_BYTES, Desc, Key
from ssshelf.storages._dynamodb_clock import StoreClock
from ssshelf.storages._dynamodb_rows import Rows, clamped, entry_of, partition_below, partition_of, row_of

NAMES = st.sampled_from(["a", "collections", "items", "unique", "", "a b", "~", "x" * 250])
PARTS = st.one_of(NAMES, st.integers(-3, 3), st.none(), st.binary(max_size=3), st.builds(Desc, st.integers(0, 3)))
KEYS = st.lists(PARTS, min_size=1, max_size=5).map(lambda parts: Key(*parts)).filter(lambda key: len(key.text) <= 1024)


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        (Key("items", "notes", "a/b"), "items!/notes!"),
        (Key("items", "notes", 5), "items!/notes!"),
        (Key("collections", "notes", "by-tag", "x", "y"), "collections!/notes!/by..tag!"),
        (Key("collections", "notes", "by-tag"), "collections!/notes!/by..tag!"),
        (Key("collections", "notes"), "collections!/notes!"),
        (Key("unique", "notes", "by-title", "x"), "unique!/notes!/by..title!"),
        (Key("meta", "notes", "sweep"), "meta!/notes!"),
        (Key("meta"), "meta!"),
        (Key(5, "x" * 250, "y"), f"{Key(5, 'x' * 250).text}"),
    ],
)
def test_a_partition_holds_the_items_of_a_manager_or_a_collection(key: Key, partition: str) -> None:
    assert partition_of(key.text) == partition.replace("by..tag", Key("by-tag").text[:-1]).replace(
        "by..title", Key("by-title").text[:-1]
    )


@given(st.lists(KEYS))
def test_partitions_follow_one_another_in_the_order_of_keys(keys: list[Key]) -> None:
    partitions = [
        partition for partition, _ in groupby(partition_of(text) for text in sorted(key.text for key in keys))
    ]

    assert partitions == sorted(set(partitions))


@given(KEYS, KEYS)
def test_what_is_below_a_prefix_is_in_its_partition_if_it_has_one(prefix: Key, key: Key) -> None:
    below = Key(*prefix.parts, *key.parts)

    assert partition_below(prefix) in (None, partition_of(below.text))


@given(KEYS, KEYS)
def test_the_partition_of_a_position_is_not_behind_those_of_later_keys(position: Key, key: Key) -> None:
    for text in (position.text, position.below, position.text[:-1]):
        if key.text > text:
            assert partition_of(key.text) >= partition_of(text)


@given(KEYS, st.one_of(st.text(), KEYS.map(lambda key: key.below), KEYS.map(lambda key: key.text + "é")))
def test_a_position_that_is_clamped_lies_between_the_same_keys(key: Key, position: str) -> None:
    text = clamped(position)

    assert len(text.encode()) <= MAX_KEY_BYTES
    assert key.text >= text if key.text > position else key.text <= text or key.text == position


@given(st.tuples(st.text(), KEYS), st.tuples(st.text(), KEYS))
def test_no_prefix_makes_two_partitions_one(one: tuple[str, Key], other: tuple[str, Key]) -> None:
    keys = [Rows(prefix).partition(partition_of(key.text)) for prefix, key in (one, other)]
    same = one[0] == other[0] and partition_of(one[1].text) == partition_of(other[1].text)

    assert (keys[0] == keys[1]) == same
    assert keys[0] != Rows(other[0]).partition("")


@pytest.mark.parametrize("data", [b"", b"data"])
def test_a_row_comes_back_as_the_entry(data: bytes) -> None:
    key, now = Key("a", "b"), dt.datetime(2024, 1, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    item = Rows("p").item(key, data, now)

    entry, row = entry_of(key, item), row_of(item)

    assert entry.data == data
    assert (row.key, row.etag, row.size_bytes, row.modified) == (key, entry.etag, len(data), now)


def test_a_row_of_another_program_is_no_entry() -> None:
    key = Key("a")
    item = Rows("").item(key, b"data", None)

    for damaged in ({**item, "d": {"B": b"dada"}}, {"p": item["p"], "k": item["k"]}):
        with pytest.raises(CorruptionError, match="its digest is another one"):
            entry_of(key, damaged)
    assert row_of({"p": item["p"], "k": item["k"]}).modified is None


def answer(date: str | None) -> dict[str, object]:
    return {"ResponseMetadata": {"HTTPHeaders": {} if date is None else {"date": date}}}


def test_the_clock_of_a_store_goes_on_between_its_answers() -> None:
    uptime_s = [100.0]
    clock = StoreClock(lambda: uptime_s[0])
    assert clock.now() is None
    clock.hear(answer(None))
    assert clock.now() is None

    clock.hear(answer("Sat, 21 Nov 2026 12:00:00 GMT"))
    uptime_s[0] += 0.75
    clock.hear(answer("Sat, 21 Nov 2026 12:00:00 GMT"))  # says nothing new

    assert clock.now() == dt.datetime(2026, 11, 21, 12, 0, 0, 750_000, tzinfo=dt.UTC)
    uptime_s[0] += 3600
    assert clock.now() == dt.datetime(2026, 11, 21, 13, 0, 0, 750_000, tzinfo=dt.UTC)
    clock.hear(answer("Sat, 21 Nov 2026 13:00:02 GMT"))
    clock.hear(answer("not a date"))
    assert clock.now() == dt.datetime(2026, 11, 21, 13, 0, 2, tzinfo=dt.UTC)
