"""The promises of ``Storage`` about single entries and batches, as tests."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ssshelf.errors import ConflictError, KeyTooLongError, NotFoundError, UnavailableError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages.base import Delete, Entry, IfAbsent, IfMatch, Put, Storage
from ssshelf.storages.offers import AtomicBatch, BatchDelete, atomic_batch, get_changed, prompt, recall
from ssshelf.testing._scans import texts_of

__all__ = ["EntryPromises"]

_KEY = Key("k", "one")


async def _won(attempt: asyncio.Task[str] | asyncio.Task[None]) -> bool:
    try:
        await attempt
    except (ConflictError, UnavailableError):  # a store may answer a race with "I do not know"
        return False
    return True


def _batch(storage: Storage) -> AtomicBatch:
    batch = atomic_batch(storage)
    if batch is None:
        pytest.skip("capability: atomic_batch is 1")
    return batch


async def _at_hand(storage: Storage, key: Key) -> Entry | None:
    offer = prompt(storage)
    return None if offer is None else await asyncio.to_thread(offer.get_now, key)


async def _put_at_once(storage: Storage, key: Key, data: bytes) -> str:
    """Put from a thread that blocks, if the storage lets it; else as ever."""
    offer = prompt(storage)
    etag = None if offer is None else await asyncio.to_thread(offer.put_now, key, data)
    return await storage.put(key, data) if etag is None else etag


class EntryPromises:
    """Tests of reading, writing, conditions, limits and batches."""

    async def test_what_was_put_is_got(self, storage: Storage) -> None:
        data = bytes(range(256))

        await storage.put(_KEY, data)

        assert (await storage.get(_KEY)).data == data

    async def test_an_entry_may_be_empty(self, storage: Storage) -> None:
        await storage.put(_KEY, b"")

        assert (await storage.get(_KEY)).data == b""

    async def test_a_large_entry_comes_back_whole(self, storage: Storage) -> None:
        most = storage.capabilities.max_value_bytes
        data = (bytes(range(256)) * 8192)[:most]

        await storage.put(_KEY, data)

        assert (await storage.get(_KEY)).data == data

    async def test_a_put_replaces_the_entry_whole(self, storage: Storage) -> None:
        await storage.put(_KEY, b"the first, and longer")

        await storage.put(_KEY, b"second")

        assert (await storage.get(_KEY)).data == b"second"

    async def test_an_absent_key_is_not_found(self, storage: Storage) -> None:
        with pytest.raises(NotFoundError) as caught:
            await storage.get(_KEY)

        assert caught.value.key == _KEY

    async def test_an_entry_that_is_known_is_got_if_it_is_another(self, storage: Storage) -> None:
        known = await storage.put(_KEY, b"one")

        unchanged = await get_changed(storage, _KEY, known)
        await storage.put(_KEY, b"two")
        changed = await get_changed(storage, _KEY, known)
        await storage.delete(_KEY)

        assert unchanged is None
        assert changed is not None
        assert changed.data == b"two"
        with pytest.raises(NotFoundError) as caught:
            await get_changed(storage, _KEY, known)
        assert caught.value.key == _KEY

    async def test_what_is_remembered_is_what_this_caller_wrote(self, storage: Storage) -> None:
        first = await storage.put(_KEY, b"one")
        await storage.get(_KEY)
        second = await storage.put(_KEY, b"two")

        assert recall(storage, _KEY) is None
        entry = await storage.get(_KEY)
        assert recall(storage, _KEY) in (None, entry)
        assert recall(storage, _KEY, second) in (None, entry)
        assert recall(storage, _KEY, first) in (None, Entry(b"one", first))

        await storage.delete(_KEY)
        assert recall(storage, _KEY) is None

    async def test_what_is_at_hand_is_the_newest(self, storage: Storage) -> None:
        for data in (b"one", b"two"):
            await storage.put(_KEY, data)
            entry = await storage.get(_KEY)
            assert await _at_hand(storage, _KEY) in (None, entry)

        await storage.delete(_KEY)
        with contextlib.suppress(NotFoundError):
            assert await _at_hand(storage, _KEY) is None
        await storage.aclose()
        with contextlib.suppress(ValueError):
            assert await _at_hand(storage, _KEY) is None

    async def test_what_is_put_without_an_event_loop_is_put(self, storage: Storage) -> None:
        for data in (b"one", b"two"):
            etag = await _put_at_once(storage, _KEY, data)
            assert await storage.get(_KEY) == Entry(data, etag)
        with pytest.raises(TypeError):
            await _put_at_once(storage, _KEY, "text")  # type: ignore[arg-type]
        with pytest.raises(KeyTooLongError):
            await _put_at_once(storage, Key("k" * storage.capabilities.max_key_bytes), b"")
        await storage.aclose()
        with pytest.raises(ValueError, match="closed"):
            await _put_at_once(storage, _KEY, b"three")

    async def test_only_bytes_can_be_stored(self, storage: Storage) -> None:
        with pytest.raises(TypeError):
            await storage.put(_KEY, "text")  # type: ignore[arg-type]

        assert texts_of(await storage.scan(Key())) == []

    async def test_a_key_beside_the_keys_under_it(self, storage: Storage) -> None:
        await storage.put(Key("a"), b"1")
        await storage.put(Key("a", "b"), b"2")

        assert (await storage.get(Key("a"))).data == b"1"
        assert (await storage.get(Key("a", "b"))).data == b"2"

    async def test_a_put_returns_the_etag_that_get_and_scan_show(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"1")

        scan = await storage.scan(Key("k"))

        assert (await storage.get(_KEY)).etag == etag
        assert scan.rows[0].etag in (etag, None)

    async def test_another_content_has_another_etag(self, storage: Storage) -> None:
        first = await storage.put(_KEY, b"1")

        assert await storage.put(_KEY, b"2") != first

    async def test_if_absent_creates(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"1", condition=IfAbsent())

        assert (await storage.get(_KEY)).etag == etag

    async def test_if_absent_never_overwrites(self, storage: Storage) -> None:
        await storage.put(_KEY, b"1")

        with pytest.raises(ConflictError) as caught:
            await storage.put(_KEY, b"2", condition=IfAbsent())

        assert caught.value.key == _KEY
        assert (await storage.get(_KEY)).data == b"1"

    async def test_if_absent_creates_what_was_deleted(self, storage: Storage) -> None:
        await storage.put(_KEY, b"1")
        await storage.delete(_KEY)

        await storage.put(_KEY, b"2", condition=IfAbsent())

        assert (await storage.get(_KEY)).data == b"2"

    async def test_if_match_replaces_the_entry_it_names(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"1")

        await storage.put(_KEY, b"2", condition=IfMatch(etag))

        assert (await storage.get(_KEY)).data == b"2"

    async def test_if_match_never_replaces_another_entry(self, storage: Storage) -> None:
        stale = await storage.put(_KEY, b"1")
        await storage.put(_KEY, b"2")

        with pytest.raises(ConflictError) as caught:
            await storage.put(_KEY, b"3", condition=IfMatch(stale))

        assert caught.value.key == _KEY
        assert (await storage.get(_KEY)).data == b"2"

    async def test_if_match_never_creates(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"1")
        await storage.delete(_KEY)

        with pytest.raises(ConflictError):
            await storage.put(_KEY, b"2", condition=IfMatch(etag))

        with pytest.raises(NotFoundError):
            await storage.get(_KEY)

    async def test_of_many_that_create_one_wins(self, storage: Storage) -> None:
        values = [b"%d" % i for i in range(8)]
        attempts = [asyncio.create_task(storage.put(_KEY, value, condition=IfAbsent())) for value in values]

        winners = [value for value, attempt in zip(values, attempts, strict=True) if await _won(attempt)]

        assert len(winners) <= 1
        assert (await storage.get(_KEY)).data in (winners or values)

    async def test_of_many_that_replace_one_wins(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"start")
        values = [b"%d" % i for i in range(8)]
        attempts = [asyncio.create_task(storage.put(_KEY, value, condition=IfMatch(etag))) for value in values]

        winners = [value for value, attempt in zip(values, attempts, strict=True) if await _won(attempt)]

        assert len(winners) <= 1
        assert (await storage.get(_KEY)).data in (winners or values)

    async def test_a_deleted_entry_is_gone(self, storage: Storage) -> None:
        await storage.put(_KEY, b"1")

        await storage.delete(_KEY)

        with pytest.raises(NotFoundError):
            await storage.get(_KEY)
        assert texts_of(await storage.scan(Key())) == []

    async def test_deleting_an_absent_key_is_no_error(self, storage: Storage) -> None:
        await storage.put(Key("k"), b"1")

        await storage.delete(_KEY)

        assert (await storage.get(Key("k"))).data == b"1"

    async def test_a_conditional_delete_spares_another_entry(self, storage: Storage) -> None:
        stale = await storage.put(_KEY, b"1")
        etag = await storage.put(_KEY, b"2")
        honoured = storage.capabilities.conditional_delete

        with pytest.raises(ConflictError if honoured else UnsupportedError):
            await storage.delete(_KEY, condition=IfMatch(stale))
        assert (await storage.get(_KEY)).data == b"2"
        if not honoured:
            return
        await storage.delete(_KEY, condition=IfMatch(etag))

        with pytest.raises(NotFoundError):
            await storage.get(_KEY)

    async def test_a_conditional_delete_of_what_is_gone_is_refused(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"1")
        await storage.delete(_KEY)
        if not (storage.capabilities.conditional_delete and storage.capabilities.exclusive_delete):
            pytest.skip("capability: no exclusive_delete")

        with pytest.raises(ConflictError) as caught:
            await storage.delete(_KEY, condition=IfMatch(etag))

        assert caught.value.key == _KEY

    async def test_of_many_that_delete_one_wins(self, storage: Storage) -> None:
        etag = await storage.put(_KEY, b"1")
        if not (storage.capabilities.conditional_delete and storage.capabilities.exclusive_delete):
            pytest.skip("capability: no exclusive_delete")
        attempts = [asyncio.create_task(storage.delete(_KEY, condition=IfMatch(etag))) for _ in range(8)]

        winners = [attempt for attempt in attempts if await _won(attempt)]

        assert len(winners) <= 1
        with pytest.raises(NotFoundError):
            await storage.get(_KEY)

    async def test_many_writes_at_once_all_arrive(self, storage: Storage) -> None:
        keys = [Key("k", number) for number in range(64)]

        await asyncio.gather(*(storage.put(key, key.text.encode()) for key in keys))
        entries = await asyncio.gather(*(storage.get(key) for key in keys))

        assert [entry.data for entry in entries] == [key.text.encode() for key in keys]
        assert texts_of(await storage.scan(Key("k"))) == [key.text for key in keys]

    async def test_any_text_can_be_a_part(self, storage: Storage) -> None:
        texts = ["".join(map(chr, range(start, start + 32))) for start in range(0, 384, 32)]
        texts += [".", "..", "a/b", "//", " ", "%2F", "+", "!", "x" * 255, "🐍" * 30]

        for text in texts:
            await storage.put(Key("k", text, "end"), text.encode())

        assert [(await storage.get(Key("k", text, "end"))).data for text in texts] == [text.encode() for text in texts]
        assert sorted(texts) == [row.key.parts[1] for row in (await storage.scan(Key("k"))).rows]

    async def test_the_longest_key_fits(self, storage: Storage) -> None:
        most = storage.capabilities.max_key_bytes
        hundreds = most // 100 - 1
        key = Key(*["k" * 98] * hundreds, "k" * (most - 100 * hundreds - 1))
        assert len(key.text) == most

        await storage.put(key, b"1")

        assert (await storage.get(key)).data == b"1"
        assert texts_of(await storage.scan(Key())) == [key.text]

    async def test_a_longer_key_is_refused(self, storage: Storage) -> None:
        key = Key("short", "k" * storage.capabilities.max_key_bytes)

        with pytest.raises(KeyTooLongError) as caught:
            await storage.put(key, b"1")

        assert caught.value.part == key.parts[1]
        assert texts_of(await storage.scan(Key())) == []

    async def test_deleting_many_deletes_them_all(self, storage: Storage) -> None:
        if not isinstance(storage, BatchDelete):
            pytest.skip("capability: no BatchDelete")
        for name in "abc":
            await storage.put(Key("k", name), b"")

        await storage.delete_many([Key("k", "a"), Key("k", "never there"), Key("k", "c")])

        assert texts_of(await storage.scan(Key())) == [Key("k", "b").text]

    async def test_a_batch_is_applied_whole(self, storage: Storage) -> None:
        batch = _batch(storage)
        etag = await storage.put(Key("b"), b"old")
        await storage.put(Key("c"), b"")

        etags = await batch.commit(
            [Put(Key("a"), b"1", IfAbsent()), Put(Key("b"), b"2", IfMatch(etag)), Delete(Key("c")), Delete(Key("d"))]
        )

        assert texts_of(await storage.scan(Key())) == [Key("a").text, Key("b").text]
        assert etags == [(await storage.get(Key("a"))).etag, (await storage.get(Key("b"))).etag, None, None]

    async def test_a_batch_that_conflicts_is_not_applied_at_all(self, storage: Storage) -> None:
        batch = _batch(storage)
        await storage.put(Key("b"), b"old")
        await storage.put(Key("c"), b"")

        with pytest.raises(ConflictError) as caught:
            await batch.commit([Put(Key("a"), b"1"), Delete(Key("c")), Put(Key("b"), b"2", IfAbsent())])

        assert caught.value.key == Key("b")
        assert texts_of(await storage.scan(Key())) == [Key("b").text, Key("c").text]
        assert (await storage.get(Key("b"))).data == b"old"

    async def test_a_closed_storage_says_so(self, storage: Storage) -> None:
        await storage.put(_KEY, b"1")
        await storage.aclose()
        await storage.aclose()

        with pytest.raises(ValueError, match="closed"):
            await storage.get(_KEY)
        with pytest.raises(ValueError, match="closed"):
            await storage.put(_KEY, b"2")
        with pytest.raises(ValueError, match="closed"):
            await storage.scan(Key())
