"""Whatever happens to whichever request of a move: the destination agrees with itself, and doing it again ends it."""

from __future__ import annotations

import asyncio
import functools
import io
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CommitUnknownError, Key, MemoryStorage, UnavailableError
from ssshelf.envelope import unpack
from ssshelf.testing import CrashError, Fault, FaultyStorage, fail_at, run_in_virtual_time
from ssshelf.transfer import Stream, copy, export_items, import_items
from tests.moving import Guests, assert_agrees, copied, guest, stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from ssshelf.storages.base import Storage


async def before_and_after() -> tuple[Storage, Storage]:
    """Return what the destination has before, and the source, where each kind of change was made since."""
    before, source = MemoryStorage(), MemoryStorage()
    guests = Guests(before)
    await guests.add_items([guest("a", 1, "x"), guest("b", 2, "x", "y"), guest("c", 3)])
    await copied(before, source)
    guests = Guests(source)
    await guests.update_item("a", lambda item: item.update(tags=["y"], seat=10))
    await guests.remove_item("b")
    await guests.add_items([guest("d", 1, "x"), guest("e", 2)])
    return before, source


async def by_copy(source: Storage, destination: Storage) -> None:
    async for done in copy(source, destination, concurrency=1):
        assert done.is_complete


async def by_file(source: Storage, destination: Storage) -> None:
    file = io.BytesIO()
    await export_items(source, Stream(file, "none"))
    file.seek(0)
    assert (await import_items(file, destination)).is_complete


MOVES = {"copy": by_copy, "import": by_file}


class InlineExecutor(ThreadPoolExecutor):
    """Does at once what would be done in a thread, for whose end virtual time cannot wait."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:  # noqa: BLE001  for who waits
            future.set_exception(error)
        return future


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return a test whose pauses take no time: what waits for a dead writer waits a second."""

    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        async def main() -> None:
            asyncio.get_running_loop().set_default_executor(InlineExecutor())
            await test(**arguments)

        run_in_virtual_time(main())

    return run


each_move = pytest.mark.parametrize("move", MOVES.values(), ids=list(MOVES))
each_start = pytest.mark.parametrize("is_empty", [True, False], ids=["new", "again"])


async def failing(
    held: Storage | None, step: int, fault: Fault, *, transactions: bool
) -> tuple[MemoryStorage, FaultyStorage]:
    """Return a storage that holds what ``held`` does, and the same with a fault at a request."""
    destination = MemoryStorage(transactions=transactions)
    if held is not None:
        await copied(held, destination)
    return destination, FaultyStorage(destination, fail_at(step, fault))


@each_move
@each_start
@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=str)
@pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "plain"])
@in_virtual_time
async def test_a_crash_at_any_request(
    *, move: Callable[[Storage, Storage], Awaitable[None]], is_empty: bool, fault: Fault, transactions: bool
) -> None:
    before, source = await before_and_after()
    for step in count():
        destination, faulty = await failing(None if is_empty else before, step, fault, transactions=transactions)

        try:
            await move(source, faulty)
        except CrashError:
            pass
        else:
            assert len(faulty.requests) <= step
            break

        await assert_agrees(destination)
        await move(source, destination)
        await assert_agrees(destination)
        await assert_arrived(source, destination)
    assert step > 10


async def assert_arrived(source: Storage, destination: Storage) -> None:
    """Check that all items are there as they are, but for those that were fenced when a dead claim was taken over."""
    here, there = await stored(source, "items"), await stored(destination, "items")
    assert here.keys() == there.keys()
    for text in here:
        (one, body), (other, other_body) = (unpack(Key.from_text(text), data[text]) for data in (here, there))
        assert other_body == body
        assert other == one or one.rev in other.lineage


@each_move
@each_start
@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST], ids=str)
@pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "plain"])
@in_virtual_time
async def test_a_single_failure_of_any_request(
    *, move: Callable[[Storage, Storage], Awaitable[None]], is_empty: bool, fault: Fault, transactions: bool
) -> None:
    before, source = await before_and_after()
    for step in count():
        destination, faulty = await failing(None if is_empty else before, step, fault, transactions=transactions)

        try:
            await move(source, faulty)
        except (UnavailableError, CommitUnknownError):
            await assert_agrees(destination)
            await move(source, destination)
        await assert_agrees(destination)
        await assert_arrived(source, destination)
        if len(faulty.requests) <= step:
            break


@each_move
@each_start
@pytest.mark.parametrize("transactions", [True, False], ids=["transactions", "plain"])
@in_virtual_time
async def test_a_store_that_fills_up(
    *, move: Callable[[Storage, Storage], Awaitable[None]], is_empty: bool, transactions: bool
) -> None:
    before, source = await before_and_after()
    for step in count(0, 2):
        destination = MemoryStorage(transactions=transactions)
        if not is_empty:
            await copied(before, destination)
        full = FaultyStorage(destination, lambda r, step=step: Fault.UNSENT if r.number >= step else None)  # type: ignore[misc]

        try:
            await move(source, full)
        except (UnavailableError, CommitUnknownError):
            pass
        else:
            assert len(full.requests) <= step
            break

        await assert_agrees(destination)
        await move(source, destination)
        await assert_agrees(destination)
        await assert_arrived(source, destination)
    assert step > 4


@each_move
async def test_cancelled_in_any_turn_of_the_loop(move: Callable[[Storage, Storage], Awaitable[None]]) -> None:
    before, source = await before_and_after()
    for turns in count(0, 19):
        destination = MemoryStorage(transactions=False)
        await copied(before, destination)
        task = asyncio.ensure_future(move(PausingStorage(source), PausingStorage(destination)))
        for _ in range(turns):
            await asyncio.sleep(0)
        if not task.cancel():
            break
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_agrees(destination)
        await move(source, destination)
        await assert_agrees(destination)
        await assert_arrived(source, destination)
    assert turns > 50


class PausingStorage(FaultyStorage):
    """Lets the loop turn before and after each request, so that there is something to cancel."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner, lambda _: 0.0)
