"""The promises of ``Storage.scan``, as tests."""

from __future__ import annotations

import datetime as dt

import pytest

from ssshelf.keys import Desc, Key
from ssshelf.storages.base import Scan, Storage
from ssshelf.storages.offers import DescendingScan, descending_scan

__all__ = ["ScanPromises", "texts_of"]


def texts_of(scan: Scan) -> list[str]:
    """Return the texts of the keys that a scan found."""
    return [row.key.text for row in scan.rows]


async def _all_pages(storage: Storage, prefix: Key, limit: int) -> list[str]:
    texts: list[str] = []
    after: str | None = None
    for _ in range(100):
        page = await storage.scan(prefix, after=after, limit=limit)
        texts += texts_of(page)
        after = page.after
        if after is None:
            return texts
    pytest.fail("the pages never end")


def _descending(storage: Storage) -> DescendingScan:
    descending = descending_scan(storage)
    if descending is None:
        pytest.skip("capability: descending_scan is False")
    return descending


class ScanPromises:
    """Tests of the order, the bounds and the pages of listings."""

    async def test_a_scan_is_in_key_order(self, storage: Storage) -> None:
        now = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
        ordered = [None, False, True, -5, 0, 0.5, 7, 30, now.date(), now, b"\xff", "", "A", "a", "a b", "aa", "é", "🐍"]
        for part in reversed(ordered):
            await storage.put(Key("k", part), b"")

        scan = await storage.scan(Key("k"))

        assert [row.key.parts[1] for row in scan.rows] == ordered

    async def test_a_descending_part_turns_the_order(self, storage: Storage) -> None:
        for number in (2, 10, 1):
            await storage.put(Key("k", Desc(number)), b"")

        scan = await storage.scan(Key("k"))

        assert [row.key.parts[1] for row in scan.rows] == [Desc(10), Desc(2), Desc(1)]

    async def test_a_prefix_ends_at_a_part(self, storage: Storage) -> None:
        for parts in (("java", "1"), ("javascript", "1"), ("java!", "1"), ("jav", "1"), ("java",)):
            await storage.put(Key(*parts), b"")

        scan = await storage.scan(Key("java"))

        assert texts_of(scan) == [Key("java", "1").text]

    async def test_an_empty_prefix_is_everything(self, storage: Storage) -> None:
        keys = [Key("a"), Key("a", "b"), Key("~", "🐍")]
        for key in keys:
            await storage.put(key, b"")

        assert texts_of(await storage.scan(Key())) == [key.text for key in keys]

    async def test_a_scan_tells_sizes(self, storage: Storage) -> None:
        await storage.put(Key("k", "one"), b"12345")

        (row,) = (await storage.scan(Key("k"))).rows

        assert row.size_bytes in (5, None)

    async def test_a_scan_has_at_most_limit_rows(self, storage: Storage) -> None:
        for name in "abc":
            await storage.put(Key("k", name), b"")

        scan = await storage.scan(Key("k"), limit=2)

        assert texts_of(scan) == [Key("k", "a").text, Key("k", "b").text]

    async def test_a_page_begins_behind_the_one_before(self, storage: Storage) -> None:
        for name in "abcd":
            await storage.put(Key("k", name), b"")
        first = await storage.scan(Key("k"), limit=2)

        second = await storage.scan(Key("k"), after=first.after, limit=2)

        assert texts_of(second) == [Key("k", "c").text, Key("k", "d").text]

    async def test_a_scan_survives_deletion_of_its_cursor(self, storage: Storage) -> None:
        for name in "abcd":
            await storage.put(Key("k", name), b"")
        first = await storage.scan(Key("k"), limit=2)

        await storage.delete(first.rows[-1].key)
        second = await storage.scan(Key("k"), after=first.after)

        assert texts_of(second) == [Key("k", "c").text, Key("k", "d").text]

    async def test_a_scan_may_begin_and_end_between_keys(self, storage: Storage) -> None:
        for number in range(6):
            await storage.put(Key("k", number), b"")

        scan = await storage.scan(Key("k"), after=Key("k", 1.5).below, before=Key("k", 3.5).below)

        assert [row.key.parts[1] for row in scan.rows] == [2, 3]
        assert scan.after is None

    async def test_a_position_outside_the_prefix_does_not_widen_it(self, storage: Storage) -> None:
        for name in ("a", "k", "z"):
            await storage.put(Key(name, "1"), b"")

        inside = await storage.scan(Key("k"), after=Key("a").text, before=Key("z", "2").text)
        assert texts_of(inside) == [Key("k", "1").text]
        assert texts_of(await storage.scan(Key("k"), after=Key("z").text)) == []

    async def test_before_excludes_its_position(self, storage: Storage) -> None:
        for name in "abc":
            await storage.put(Key("k", name), b"")

        scan = await storage.scan(Key("k"), before=Key("k", "b").text)

        assert texts_of(scan) == [Key("k", "a").text]

    async def test_pages_of_any_size_add_up_to_the_scan(self, storage: Storage) -> None:
        texts = [Key("k", number).text for number in range(12)]
        for text in texts:
            await storage.put(Key.from_text(text), b"")
        await storage.put(Key("l"), b"")

        by_size = [await _all_pages(storage, Key("k"), limit) for limit in (1, 3, 4, 5, 12, 1000)]

        assert by_size == [texts] * 6

    async def test_the_last_page_says_that_it_is(self, storage: Storage) -> None:
        for name in "ab":
            await storage.put(Key("k", name), b"")
        await storage.put(Key("z"), b"")

        assert (await storage.scan(Key("k"), limit=2)).after is None
        assert (await storage.scan(Key("nothing"), limit=2)).after is None

    async def test_a_scan_refuses_an_impossible_limit(self, storage: Storage) -> None:
        for limit in (0, -1, 1001):
            with pytest.raises(ValueError, match="limit"):
                await storage.scan(Key(), limit=limit)

    async def test_a_write_is_listed_at_once(self, storage: Storage) -> None:
        listed = []
        for name in "abcdef":
            await storage.put(Key("k", name), b"")
            listed.append(len((await storage.scan(Key("k"))).rows))

        assert listed == [1, 2, 3, 4, 5, 6]

    async def test_a_descending_scan_is_in_reverse_key_order(self, storage: Storage) -> None:
        descending = _descending(storage)
        for parts in (("a", "1"), ("b", "1"), ("b", "2", "x"), ("b", "2"), ("b", "é"), ("b!", "1"), ("b",), ("c",)):
            await storage.put(Key(*parts), b"")

        scan = await descending.scan_descending(Key("b"))

        assert texts_of(scan) == texts_of(await storage.scan(Key("b")))[::-1]
        assert scan.after is None
        assert texts_of(await descending.scan_descending(Key())) == texts_of(await storage.scan(Key()))[::-1]

    async def test_descending_scans_keep_between_after_and_before(self, storage: Storage) -> None:
        descending = _descending(storage)
        for number in range(6):
            await storage.put(Key("k", number), b"")
        after, before = Key("k", 1).text, Key("k", 4).text

        assert texts_of(await descending.scan_descending(Key("k"), after=after, before=before)) == [
            Key("k", 3).text,
            Key("k", 2).text,
        ]
        assert texts_of(await descending.scan_descending(Key("k"), after=before, before=after)) == []

    async def test_descending_pages_add_up_to_the_scan(self, storage: Storage) -> None:
        descending = _descending(storage)
        for number in range(7):
            await storage.put(Key("k", "x" if number % 2 else "y", number), b"")
        whole = texts_of(await storage.scan(Key("k")))[::-1]

        for limit in (1, 2, 3, 7, 8):
            texts: list[str] = []
            before: str | None = "~~"
            while before is not None and len(texts) < len(whole) + limit:
                page = await descending.scan_descending(Key("k"), before=before, limit=limit)
                assert len(page.rows) <= limit
                texts += texts_of(page)
                before = page.after
            assert texts == whole
        with pytest.raises(ValueError, match="limit"):
            await descending.scan_descending(Key("k"), limit=0)
