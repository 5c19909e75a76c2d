"""Prefixed: a part of a storage shows nothing of the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ssshelf.errors import ConflictError, KeyTooLongError, NotFoundError
from ssshelf.keys import MAX_KEY_BYTES, Key
from ssshelf.storages.base import Capabilities, Delete, IfAbsent, IfMatch, Put
from ssshelf.storages.memory import MemoryStorage
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import CountingStorage

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

KEY = Key("k", 1)


async def keys_in(storage: Storage) -> list[Key]:
    return [row.key for row in (await storage.scan(Key())).rows]


async def test_what_is_put_lies_under_the_prefix() -> None:
    inner = MemoryStorage()
    storage = PrefixedStorage(inner, Key("tenant", 7))

    etag = await storage.put(KEY, b"1")

    assert await keys_in(inner) == [Key("tenant", 7, "k", 1)]
    assert await keys_in(storage) == [KEY]
    assert (await inner.get(Key("tenant", 7, "k", 1))).etag == etag


@pytest.mark.parametrize("sibling", [Key("ab"), Key("b"), Key("A"), Key("a!"), Key("a", "x") / "y", Key("")])
async def test_siblings_do_not_see_each_other(sibling: Key) -> None:
    inner = MemoryStorage()
    one, other = PrefixedStorage(inner, Key("a", "x")), PrefixedStorage(inner, sibling)
    await one.put(KEY, b"one")
    await other.put(KEY, b"other")

    await other.delete(KEY)
    await other.put(Key("only"), b"other")

    assert (await one.get(KEY)).data == b"one"
    with pytest.raises(NotFoundError):
        await one.get(Key("only"))


async def test_keys_that_look_alike_are_not_under_the_prefix() -> None:
    inner = MemoryStorage()
    for key in (Key("a"), Key("ab"), Key("ab", "k"), Key("a!", "k"), Key("a", "k")):
        await inner.put(key, b"")

    assert await keys_in(PrefixedStorage(inner, Key("a"))) == [Key("k")]


async def test_deleting_many_spares_the_siblings() -> None:
    inner = MemoryStorage()
    await inner.put(KEY, b"")
    storage = PrefixedStorage(inner, Key("a"))
    await storage.put(KEY, b"")
    await storage.put(Key("b"), b"")

    await storage.delete_many([KEY, Key("b"), Key("never there")])

    assert await keys_in(inner) == [KEY]


async def test_a_scan_stays_within_the_prefix() -> None:
    inner = MemoryStorage()
    storage = PrefixedStorage(inner, Key("m"))
    for key in (Key("a"), Key("n"), Key("z")):
        await inner.put(key, b"")
        await storage.put(key, b"")

    scan = await storage.scan(Key(), after=Key("a").text, before=Key("z").text)

    assert [row.key for row in scan.rows] == [Key("n")]


ATTEMPTS: dict[str, Any] = {
    "put if absent": lambda storage: storage.put(KEY, b"2", condition=IfAbsent()),
    "put if match": lambda storage: storage.put(KEY, b"2", condition=IfMatch("stale")),
    "delete": lambda storage: storage.delete(KEY, condition=IfMatch("stale")),
    "commit": lambda storage: storage.commit([Put(Key("b"), b""), Put(KEY, b"2", IfMatch("stale"))]),
    "commit a deletion": lambda storage: storage.commit([Put(Key("b"), b""), Delete(KEY, IfMatch("stale"))]),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
async def test_a_conflict_names_the_key_that_the_caller_knows(attempt: Any) -> None:
    storage = PrefixedStorage(MemoryStorage(), Key("secret-tenant"))
    etag = await storage.put(KEY, b"1")

    with pytest.raises(ConflictError) as caught:
        await attempt(storage)

    assert caught.value.key == KEY
    assert caught.value.found == etag
    assert "secret-tenant" not in str(caught.value)


async def test_an_absent_key_is_named_as_the_caller_knows_it() -> None:
    storage = PrefixedStorage(MemoryStorage(), Key("secret-tenant"))

    with pytest.raises(NotFoundError) as caught:
        await storage.get(KEY)

    assert caught.value.key == KEY
    assert "secret-tenant" not in str(caught.value)


async def test_the_prefix_takes_from_the_longest_key() -> None:
    prefix = Key("tenant", 7)

    storage = PrefixedStorage(MemoryStorage(), prefix)

    assert storage.capabilities.max_key_bytes == MAX_KEY_BYTES - len(prefix.text) - len("/")


@pytest.mark.parametrize(
    "attempt",
    [lambda storage, key: storage.put(key, b""), lambda storage, key: storage.commit([Put(key, b""), Put(KEY, b"")])],
    ids=["put", "commit"],
)
async def test_a_key_that_is_too_long_is_measured_without_the_prefix(attempt: Any) -> None:
    inner = CountingStorage(MemoryStorage())
    storage = PrefixedStorage(inner, Key("p" * 100))
    limit = storage.capabilities.max_key_bytes
    key = Key.from_text(Key("k" * 200, "l" * 200, "m" * 200, "n" * 200).text + "/" + "o" * (limit - 808) + "!")

    with pytest.raises(KeyTooLongError) as caught:
        await attempt(storage, key)

    assert (caught.value.size_bytes, caught.value.limit_bytes) == (limit + 1, limit)
    assert inner.total == 0


async def test_prefixes_nest() -> None:
    inner = MemoryStorage()

    await PrefixedStorage(PrefixedStorage(inner, Key("a")), Key("b", 2)).put(KEY, b"1")

    assert await keys_in(inner) == [Key("a", "b", 2, "k", 1)]


async def test_an_empty_prefix_is_the_whole_storage() -> None:
    inner = MemoryStorage()
    storage = PrefixedStorage(inner, Key())

    await storage.put(KEY, b"1")

    assert await keys_in(inner) == await keys_in(storage) == [KEY]
    assert storage.capabilities == inner.capabilities


async def test_it_tells_what_the_storage_inside_has_learnt() -> None:
    class Learning(WrapperStorage):
        known = Capabilities()

        @property
        def capabilities(self) -> Capabilities:
            return self.known

    inner = Learning(MemoryStorage())
    storage = PrefixedStorage(inner, Key("a"))
    inner.known = Capabilities(conditional_delete=False, late_s=None)

    assert not storage.capabilities.conditional_delete
    assert storage.capabilities.late_s is None


async def test_closing_closes_the_storage_inside() -> None:
    inner = MemoryStorage()

    await PrefixedStorage(inner, Key("a")).aclose()

    with pytest.raises(ValueError, match="closed"):
        await inner.get(KEY)


def test_it_shows_what_is_inside() -> None:
    assert (
        repr(PrefixedStorage(MemoryStorage(), Key("a", 1)))
        == "PrefixedStorage(MemoryStorage(0 entries), 'a!/!3p5011!')"
    )
