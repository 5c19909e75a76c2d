"""The cache: what is kept is true, what is asked for at once is asked once, and memory has a bound."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CManager, Collection, DictItems
from ssshelf.errors import NotFoundError, UnavailableError
from ssshelf.keys import Key
from ssshelf.storages.base import Delete, Entry, Put
from ssshelf.storages.cached import CachedStorage
from ssshelf.testing import CountingStorage, Fault, FaultyStorage, MemoryStorage, run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

KEY, OTHER = Key("a"), Key("b")
TAKES_S, AGE_S = 1.0, 60.0


class Store(MemoryStorage):
    """One that need not send what is known, and whose answers take a second to arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    async def get(self, key: Key) -> Entry:
        entry = await super().get(key)
        await asyncio.sleep(TAKES_S)
        self.sent.append(entry.data)
        return entry

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        entry = await super().get(key)
        await asyncio.sleep(TAKES_S)
        if entry.etag == etag:
            return None
        self.sent.append(entry.data)
        return entry


class Cache(CachedStorage):
    """A cache in virtual time; ``gets`` are those that were sent."""

    def __init__(self, **options: Any) -> None:
        self.store = Store()
        self.counting = CountingStorage(self.store)
        super().__init__(self.counting, clock=lambda: asyncio.get_running_loop().time(), **options)

    @property
    def gets(self) -> int:
        return self.counting.counts["get"]


def in_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in virtual time; it leaves no task behind."""

    async def main() -> None:
        await test()
        assert len(asyncio.all_tasks()) == 1

    def run() -> None:
        run_in_virtual_time(main())

    run.__name__ = test.__name__
    return run


async def recent(cache: CachedStorage, key: Key = KEY) -> Entry:
    """Return what a manager would show."""
    return cache.recall(key) or await cache.get(key)


async def pause(seconds: float) -> None:
    await asyncio.sleep(seconds)


@in_time
async def test_what_is_kept_is_not_sent_again() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")

    read = [(await cache.get(KEY)).data for _ in range(3)]

    assert read == [b"one"] * 3
    assert (cache.gets, cache.store.sent) == (3, [b"one"])


@in_time
async def test_what_somebody_else_wrote_is_read() -> None:
    cache = Cache(max_age_s=AGE_S)
    await cache.put(KEY, b"one")
    await cache.get(KEY)
    await cache.store.put(KEY, b"two")

    changed = await cache.get(KEY)
    await cache.store.delete(KEY)

    assert changed.data == b"two"
    with pytest.raises(NotFoundError):
        await cache.get(KEY)


@in_time
async def test_what_is_recent_costs_nothing() -> None:
    cache = Cache(max_age_s=AGE_S)
    await cache.put(KEY, b"one")

    entries = [await recent(cache) for _ in range(5)]

    assert {entry.data for entry in entries} == {b"one"}
    assert cache.gets == 1


@in_time
async def test_what_is_recent_is_no_older_than_was_said() -> None:
    cache = Cache(max_age_s=AGE_S)
    await cache.put(KEY, b"one")
    await recent(cache)  # the request began a second ago
    await cache.store.put(KEY, b"two")

    await pause(AGE_S - TAKES_S)
    before = await recent(cache)
    await pause(0.001)
    after = await recent(cache)

    assert (before.data, after.data) == (b"one", b"two")


@in_time
async def test_an_answer_keeps_what_is_recent_young() -> None:
    cache = Cache(max_age_s=AGE_S)
    await cache.put(KEY, b"one")
    await cache.get(KEY)
    await pause(AGE_S - 10)
    await cache.get(KEY)
    await pause(AGE_S - 10)

    await recent(cache)

    assert cache.gets == 2


@in_time
async def test_without_an_age_nothing_is_recent_but_the_newest() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")
    await recent(cache)
    await cache.store.put(KEY, b"two")

    assert (await recent(cache)).data == b"two"


WRITES: dict[str, Callable[[Cache], Awaitable[Any]]] = {
    "put": lambda cache: cache.put(KEY, b"two"),
    "delete": lambda cache: cache.delete(KEY),
    "commit": lambda cache: cache.commit([Put(KEY, b"two"), Delete(OTHER)]),
    "delete_many": lambda cache: cache.delete_many([KEY, OTHER]),
}


async def seen(cache: Cache) -> bytes | None:
    try:
        return (await recent(cache)).data
    except NotFoundError:
        return None


@pytest.mark.parametrize("kind", WRITES)
def test_a_program_sees_what_it_wrote(kind: str) -> None:
    async def main() -> None:
        cache = Cache(max_age_s=AGE_S)
        await cache.put(KEY, b"one")
        await recent(cache)

        await WRITES[kind](cache)

        assert await seen(cache) == (b"two" if kind in ("put", "commit") else None)

    run_in_virtual_time(main())


@pytest.mark.parametrize("kind", WRITES)
def test_a_read_that_was_overtaken_by_a_write_is_not_kept(kind: str) -> None:
    async def main() -> None:
        cache = Cache(max_age_s=AGE_S)
        await cache.put(KEY, b"one")
        reading = asyncio.create_task(cache.get(KEY))
        await pause(TAKES_S / 2)

        await WRITES[kind](cache)
        found = await seen(cache)
        await reading

        assert found == (b"two" if kind in ("put", "commit") else None)

    run_in_virtual_time(main())


@in_time
async def test_a_write_of_which_nobody_knows_makes_forget() -> None:
    store = MemoryStorage()
    await store.put(KEY, b"one")
    cache = CachedStorage(
        FaultyStorage(store, lambda request: Fault.ANSWER_LOST if request.kind == "put" else None), max_age_s=AGE_S
    )
    await recent(cache)

    with pytest.raises(UnavailableError):
        await cache.put(KEY, b"two")

    assert (await recent(cache)).data == b"two"


@in_time
async def test_gets_that_are_called_together_are_one_request() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")

    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(cache.get(KEY))

    assert cache.gets == 1


@in_time
async def test_a_get_takes_no_answer_to_a_request_from_before_it() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")
    early = asyncio.create_task(cache.get(KEY))
    await pause(TAKES_S / 2)
    await cache.store.put(KEY, b"two")

    late = [asyncio.create_task(cache.get(KEY)) for _ in range(10)]
    began = asyncio.get_running_loop().time()

    assert {(await one).data for one in late} == {b"two"}
    assert asyncio.get_running_loop().time() - began == TAKES_S * 1.5
    assert cache.gets == 2
    await early


@in_time
async def test_who_gives_up_leaves_the_others_waiting() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")
    patient = asyncio.create_task(cache.get(KEY))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cache.get(KEY), TAKES_S / 2)

    assert (await patient).data == b"one"
    assert cache.gets == 1


@in_time
async def test_what_nobody_waits_for_is_given_up() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cache.get(KEY), TAKES_S / 2)

    assert len(asyncio.all_tasks()) == 1
    assert (await cache.get(KEY)).data == b"one"


@in_time
async def test_who_comes_while_a_request_is_given_up_gets_an_answer() -> None:
    cache = Cache(max_age_s=AGE_S)
    await cache.put(KEY, b"one")
    hasty = asyncio.create_task(cache.get(KEY))
    await pause(TAKES_S / 2)

    hasty.cancel()
    await asyncio.sleep(0)
    entry = await recent(cache)

    assert entry.data == b"one"


@in_time
async def test_a_failure_is_told_to_all_who_waited_and_is_not_kept() -> None:
    plan = [Fault.UNSENT]
    inner = MemoryStorage()
    await inner.put(KEY, b"one")
    cache = CachedStorage(FaultyStorage(inner, lambda _: plan.pop() if plan else None), max_age_s=AGE_S)

    waiting = [asyncio.create_task(cache.get(KEY)) for _ in range(3)]
    await asyncio.wait(waiting)

    assert [type(one.exception()) for one in waiting] == [UnavailableError] * 3
    assert (await recent(cache)).data == b"one"


@in_time
async def test_memory_has_a_bound_and_what_was_used_last_stays() -> None:
    cache = Cache(max_bytes=20_000, max_age_s=AGE_S)
    for number in range(50):
        await cache.store.put(Key(number), b"x" * 1000)
        await cache.get(Key(number))
        await recent(cache, Key(0))

    asked = cache.gets
    await recent(cache, Key(0))
    await recent(cache, Key(49))
    kept = cache.gets - asked
    await recent(cache, Key(10))

    assert kept == 0
    assert cache.gets == asked + 1
    assert 10_000 < cache.kept_bytes <= 20_000


@in_time
async def test_what_is_larger_than_the_cache_is_read_all_the_same() -> None:
    cache = Cache(max_bytes=1000, max_age_s=AGE_S)
    await cache.put(KEY, b"x" * 1000)

    assert len((await recent(cache)).data) == 1000
    assert cache.kept_bytes == 0


@in_time
async def test_an_entry_is_recalled_by_its_etag() -> None:
    cache = Cache()
    await cache.put(KEY, b"one")
    entry = await cache.get(KEY)

    assert cache.recall(KEY, entry.etag) == entry
    assert cache.recall(KEY, "another") is None
    assert cache.recall(OTHER, entry.etag) is None
    assert cache.gets == 1


def test_what_was_kept_serves_the_next_event_loop() -> None:
    store = CountingStorage(MemoryStorage())
    cache = CachedStorage(store, max_age_s=AGE_S)

    async def read() -> bytes:
        return (await recent(cache)).data

    asyncio.run(cache.put(KEY, b"one"))

    assert [asyncio.run(read()) for _ in range(3)] == [b"one"] * 3
    assert store.counts["get"] == 1


@pytest.mark.parametrize("wrong", [{"max_bytes": -1}, {"max_age_s": -1.0}])
def test_bounds_are_not_negative(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        CachedStorage(MemoryStorage(), **wrong)


class Notes(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="id", name="notes")
    by_day = Collection[dict[str, Any]](lambda note: note["day"])


def note(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"n{number}", "day": number, "text": "one", **fields}


@in_time
async def test_a_manager_shows_what_is_recent_and_writes_from_what_is_newest() -> None:
    cache = Cache(max_age_s=AGE_S)
    ours, theirs = Notes(cache), Notes(cache.store)
    await ours.add_item(note(1))
    await ours.get_item("n1")
    await theirs.update_item("n1", lambda found: found | {"text": "two"})

    shown = await ours.get_item("n1")
    _, rev = await ours.get_revision("n1")
    await ours.update_item("n1", lambda found: found | {"seen": found["text"]})

    assert shown["text"] == "one"
    assert rev.startswith("2-")
    assert await ours.get_item("n1") == note(1, text="two", seen="two")


@in_time
async def test_a_page_of_what_is_known_costs_one_request_and_is_complete() -> None:
    cache = Cache(max_age_s=AGE_S)
    ours, theirs = Notes(cache), Notes(cache.store)
    await theirs.add_items(note(number) for number in range(4))
    await ours.by_day.get_items()
    cache.counting.reset()

    await ours.by_day.get_items()
    known = dict(cache.counting.counts)
    await theirs.update_item("n0", lambda found: found | {"day": 9})
    await theirs.update_item("n1", lambda found: found | {"text": "two"})
    page = await ours.by_day.get_items()

    assert known == {"scan": 1}
    assert list(page) == [note(1), note(2), note(3), note(0, day=9)]  # the text may be old, places may not
    assert cache.counting.counts == {"scan": 2, "get": 1}


@in_time
async def test_without_an_age_pages_are_as_new_as_without_a_cache() -> None:
    cache = Cache()
    ours, theirs = Notes(cache), Notes(cache.store)
    await theirs.add_items(note(number) for number in range(4))
    await ours.by_day.get_items()
    await theirs.update_item("n1", lambda found: found | {"text": "two"})

    page = await ours.by_day.get_items()

    assert page.items[1]["text"] == "two"
    assert len(cache.store.sent) == 4 + 1 + 1  # one by the update
