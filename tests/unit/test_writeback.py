"""What ``writeback`` keeps, while threads and others change the same keys, and where writing fails."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

import ssshelf
from ssshelf import MemoryStorage, RetryPolicy, Shelf, UnavailableError
from ssshelf._background import background
from ssshelf.blocking import Shelf as BlockingShelf
from ssshelf.blocking import run
from ssshelf.storages.wrapper import WrapperStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssshelf import Key
    from ssshelf.storages.base import Condition


class Interrupted(WrapperStorage):
    """Runs ``meanwhile`` on another thread before a put, once, and then fails if ``is_down``."""

    meanwhile: Callable[[], object] | None = None
    is_down = False

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        use, self.meanwhile = self.meanwhile, None
        if use:
            await asyncio.to_thread(use)
        if self.is_down:
            msg = "down"
            raise UnavailableError(msg, maybe_applied=False)
        return await super().put(key, data, condition=condition)


@pytest.fixture
def storage() -> Interrupted:
    return Interrupted(MemoryStorage(transactions=False))


@pytest.fixture
def shelf(storage: Interrupted) -> Iterator[Any]:
    with ssshelf.open(storage, writeback=True) as opened:
        yield opened


def stored(storage: Interrupted) -> dict[Any, Any]:
    with ssshelf.open(storage) as opened:
        return opened.copy()


def test_a_sync_that_fails_loses_nothing_that_is_read_meanwhile(storage: Interrupted, shelf: Any) -> None:
    shelf["k"] = [1]
    shelf.sync()
    shelf["k"].append(2)
    storage.is_down, storage.meanwhile = True, lambda: shelf["k"]

    with pytest.raises(UnavailableError):
        shelf.sync()
    storage.is_down = False
    assert shelf["k"] == [1, 2]
    shelf.sync()
    assert stored(storage) == {"k": [1, 2]}


def test_what_is_changed_during_a_sync_is_written_by_the_next_one(storage: Interrupted, shelf: Any) -> None:
    shelf["k"] = [1]
    shelf.sync()
    shelf["k"].append(2)
    storage.meanwhile = lambda: shelf["k"].append(3)

    shelf.sync()
    assert stored(storage) == {"k": [1, 2]}
    assert shelf["k"] == [1, 2, 3]
    shelf.sync()
    assert stored(storage) == {"k": [1, 2, 3]}


WRITES: list[Any] = [
    lambda shelf, value: shelf.__setitem__("k", value),
    lambda shelf, value: shelf.update(k=value),
    lambda shelf, value: shelf.replace("k", value, expect=shelf.get_entry("k")[1]),
]


@pytest.mark.parametrize("write", WRITES)
def test_of_two_threads_that_write_the_last_is_kept_and_stored(write: Any, storage: Interrupted) -> None:
    class Overtaken(WrapperStorage):
        """Lets another thread begin to write before a put is answered, which then has to wait."""

        async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
            etag = await super().put(key, data, condition=condition)
            if data == b'"A"':
                calls = len(background()._tasks)
                other.start()
                while len(background()._tasks) == calls:  # noqa: ASYNC110  no event tells of the other's call
                    await asyncio.sleep(0)
                for _ in range(20):  # turns of the loop, in which it would be done if it did not wait
                    await asyncio.sleep(0)
            puts.append(data)
            return etag

    puts: list[bytes] = []
    with ssshelf.open(Overtaken(storage), writeback=True) as overtaken:
        overtaken["k"] = "before"
        other = threading.Thread(target=lambda: overtaken.__setitem__("k", "B"))
        write(overtaken, "A")
        other.join()

        assert puts == [b'"before"', b'"A"', b'"B"']
        assert overtaken["k"] == stored(storage)["k"] == "B"


@pytest.mark.parametrize(
    "remove",
    [lambda s: s.__delitem__(5), lambda s: s.pop(5), lambda s: s.delete_many([5]), lambda s: s.clear()],
)
def test_what_is_removed_during_an_iteration_stays_removed(remove: Any, storage: Interrupted, shelf: Any) -> None:
    shelf.update({n: [n] for n in range(10)})
    shelf.sync()

    for key, value in shelf.items():
        if key == 0:
            remove(shelf)
        value.append("x")
    shelf.sync()
    assert 5 not in stored(storage)
    assert 5 not in shelf


def test_what_is_synced_during_an_iteration_is_read_again(storage: Interrupted, shelf: Any) -> None:
    shelf.update({n: [n] for n in range(10)})
    shelf.sync()

    for key, value in shelf.items():
        if key == 0:
            shelf[5].append("y")
            shelf.sync()
        value.append("x")
    shelf.sync()
    assert stored(storage) == {n: [n, *"y"[: n == 5], "x"] for n in range(1, 10)} | {0: [0]}


def test_what_is_removed_while_it_is_read_is_not_kept() -> None:
    class Slow(WrapperStorage):
        async def get(self, key: Key) -> Any:
            entry = await super().get(key)
            if use := uses.pop() if uses else None:
                await asyncio.to_thread(use)
            return entry

    uses: list[Any] = []
    with ssshelf.open(Slow(MemoryStorage()), writeback=True) as slow:
        slow.update(a=[1], b=[2])
        slow.sync()
        uses[:] = [lambda: slow.__delitem__("a")]
        with pytest.raises(KeyError):
            slow["a"]
        uses[:] = [lambda: slow.__delitem__("b")]
        assert slow.get_many(["b"]) == {}


@pytest.mark.parametrize(
    "remove", [lambda s: s.pop("k", None), lambda s: s.pop("k"), lambda s: s.__delitem__("k"), lambda s: s.clear()]
)
def test_what_others_have_removed_does_not_come_back(remove: Any, storage: Interrupted, shelf: Any) -> None:
    shelf["k"] = [1]
    shelf["k"].append(2)
    with ssshelf.open(storage) as other:
        del other["k"]

    with contextlib.suppress(KeyError):
        assert remove(shelf) is None
    assert shelf.get("k") is None
    shelf.sync()
    assert stored(storage) == {}


def test_what_could_not_be_removed_stays_kept(storage: Interrupted) -> None:
    class Stuck(WrapperStorage):
        async def delete(self, *_: Any, **__: Any) -> None:
            msg = "down"
            raise UnavailableError(msg, maybe_applied=False)

    removals: list[Any] = [lambda s: s.pop("k"), lambda s: s.__delitem__("k"), lambda s: s.delete_many(["k"])]
    awaited: Shelf[Any] = Shelf(Stuck(storage), retries=RetryPolicy(attempts=1))
    with BlockingShelf(awaited, writeback=True) as stuck:
        stuck["k"] = [1]
        stuck["k"].append(2)
        for remove in removals:
            with pytest.raises(UnavailableError):
                remove(stuck)
    assert stored(storage) == {"k": [1, 2]}


def test_a_default_is_set_where_others_have_removed(storage: Interrupted, shelf: Any) -> None:
    shelf["k"] = [1]
    shelf["k"].append(2)
    with ssshelf.open(storage) as other:
        del other["k"]

    default: list[int] = []
    assert shelf.setdefault("k", default) is default
    assert shelf["k"] is default
    default.append(3)
    assert shelf.setdefault("k", [4]) is default
    shelf.sync()
    assert stored(storage) == {"k": [3]}


def test_a_close_that_fails_is_done_again(storage: Interrupted) -> None:
    shelf = ssshelf.open(storage, writeback=True)
    shelf["k"] = [1]
    shelf["k"].append(2)
    storage.is_down = True

    with pytest.raises(UnavailableError):
        shelf.close()
    storage.is_down = False
    shelf.close()
    assert stored(storage) == {"k": [1, 2]}
    with pytest.raises(ValueError, match="the shelf 'main' is closed: open it again"):
        shelf["k"]


def test_what_could_not_be_written_when_a_shelf_was_forgotten_is_told(
    storage: Interrupted, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = ssshelf.open(storage, writeback=True)
    shelf["k"] = [1]
    shelf["k"].append(2)
    storage.is_down = True

    del shelf
    gc.collect()
    while background()._ending:
        run(asyncio.sleep, 0)
    assert "the shelf 'main' failed to close; what it had still to write may be lost" in caplog.text
