"""What storages share: limits, ranges, etags, and finding out what a store can do."""

from __future__ import annotations

from typing import Any

import pytest

from ssshelf.errors import KeyTooLongError
from ssshelf.keys import Desc, Key
from ssshelf.storages.base import Capabilities, Storage, check_limit, content_etag, prefix_range
from ssshelf.storages.memory import MemoryStorage
from ssshelf.storages.offers import atomic_batch, delete_many
from ssshelf.testing import CountingStorage


def test_a_key_that_is_too_long_names_its_longest_part() -> None:
    key = Key("short", "l" * 60, 5)

    with pytest.raises(KeyTooLongError) as caught:
        Capabilities(max_key_bytes=50).check_key(key)

    assert (caught.value.part, caught.value.size_bytes, caught.value.limit_bytes) == ("l" * 60, len(key.text), 50)


def test_the_longest_part_is_the_one_that_takes_most_bytes_when_stored() -> None:
    key = Key("l" * 30, Desc("d" * 20), "🐍" * 10)

    with pytest.raises(KeyTooLongError) as caught:
        Capabilities(max_key_bytes=50).check_key(key)

    assert caught.value.part == "🐍" * 10


def test_a_key_of_just_the_limit_is_taken() -> None:
    key = Key("k" * 49)

    Capabilities(max_key_bytes=50).check_key(key)

    assert len(key.text) == 50


def test_an_entry_of_just_the_limit_is_taken_and_a_larger_one_refused() -> None:
    capabilities = Capabilities(max_value_bytes=3)

    capabilities.check_entry(Key("a"), b"123")

    with pytest.raises(ValueError, match="a!: 4 bytes are more than the 3 this store takes"):
        capabilities.check_entry(Key("a"), b"1234")


@pytest.mark.parametrize(
    "data", ["text", None, bytearray(b"a"), memoryview(b"a"), 5], ids=lambda data: type(data).__name__
)
def test_an_entry_is_bytes(data: Any) -> None:
    with pytest.raises(TypeError, match=f"a!: a storage takes bytes, not {type(data).__name__}"):
        Capabilities().check_entry(Key("a"), data)


@pytest.mark.parametrize("limit", [1, 1000])
def test_a_limit_within_the_bounds_is_taken(limit: int) -> None:
    check_limit(limit)


@pytest.mark.parametrize(
    ("limit", "error"),
    [
        (0, ValueError),
        (-1, ValueError),
        (1001, ValueError),
        (1.0, TypeError),
        (True, TypeError),
        ("5", TypeError),
        (None, TypeError),
    ],
)
def test_an_impossible_limit_is_refused(limit: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="limit must be"):
        check_limit(limit)


def test_an_etag_tells_what_is_stored() -> None:
    assert content_etag(b"hello") == "5d41402abc4b2a76b9719d911017c592"
    assert content_etag(b"hello") != content_etag(b"hello ")


@pytest.mark.parametrize(
    ("prefix", "after", "before", "bounds"),
    [
        (Key(), None, None, ("", "~~")),
        (Key("a"), None, None, ("a!/", "a!0")),
        (Key("a"), "a!/b!", "a!/c!", ("a!/b!", "a!/c!")),
        (Key("b"), "a!", "c!", ("b!/", "b!0")),
        (Key("b"), "c!", None, ("c!", "b!0")),
        (Key(), "a!", "b!", ("a!", "b!")),
    ],
)
def test_a_scan_lies_between_two_texts(
    prefix: Key, after: str | None, before: str | None, bounds: tuple[str, str]
) -> None:
    assert prefix_range(prefix, after, before) == bounds


@pytest.mark.parametrize("key", [Key("~~"), Key("\U0010ffff" * 3), Key("zz"), Key("~", "~")])
def test_every_key_lies_within_the_range_of_the_whole(key: Key) -> None:
    low, high = prefix_range(Key(), None, None)

    assert low < key.text < high


def test_transactions_are_found_where_they_are() -> None:
    storage = MemoryStorage()

    assert atomic_batch(storage) is storage
    assert atomic_batch(MemoryStorage(transactions=False)) is None
    assert atomic_batch(CountingStorage(MemoryStorage(transactions=False))) is None


@pytest.mark.parametrize(
    ("keys", "counts"),
    [([], {}), ([Key("a")], {"delete": 1}), ([Key("a"), Key("b")], {"delete_many": 1})],
    ids=["none", "one", "two"],
)
async def test_keys_are_deleted_with_as_few_requests_as_can_be(keys: list[Key], counts: dict[str, int]) -> None:
    storage = CountingStorage(MemoryStorage())

    await delete_many(storage, keys)

    assert storage.counts == counts


def test_a_storage_that_lacks_a_method_cannot_be_made() -> None:
    class Half(MemoryStorage):
        scan = Storage.scan

    with pytest.raises(TypeError, match=r"abstract method '?scan"):
        Half()
