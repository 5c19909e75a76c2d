"""Bounded concurrency: many awaitables at once, never more than a bound, no orphans on failure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from ssshelf._pace import Pace

__all__ = ["PerKey", "chunks", "each_bounded", "many", "map_bounded", "read_ahead"]

_END = object()
_FEW = 8
"""So many values are no bulk: they need no pace."""

A = TypeVar("A")
B = TypeVar("B")


def many(values: Iterable[Any]) -> Iterable[Any]:
    """Refuse what is iterable but is one thing."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        msg = f"expected a plain iterable of items or primary keys, not one {type(values).__name__}"
        raise TypeError(msg)
    return values


async def each_bounded(function: Callable[[A], Awaitable[object]], values: Iterable[A], bound: int | Pace) -> int:
    """Await ``function`` of each value, at most ``bound`` at a time; memory does not grow with their number.

    After the first failure no further value is begun, what runs is awaited, and the failure is raised.

    Args:
        function: What to do.
        values: With what.
        bound: How many at a time; fewer while the store refuses requests, which several calls in a row may have found
            out with one ``Pace``.

    Returns:
        How many values there were.
    """
    source = iter(values)
    pace = Pace(bound) if isinstance(bound, int) else bound
    done = 0
    failures: list[Exception] = []

    async def work() -> None:
        nonlocal done
        try:
            while not failures:
                async with pace:
                    if failures or (value := next(source, _END)) is _END:
                        return
                    await function(value)  # type: ignore[arg-type]
                done += 1
        except Exception as error:  # noqa: BLE001  raised below, once every worker has stopped
            failures.append(error)

    async with asyncio.TaskGroup() as group:
        for _ in range(pace.most - 1):
            group.create_task(work())
        await work()
    _check(failures, done)
    return done


async def map_bounded(function: Callable[[A], Awaitable[B]], values: Sequence[A], bound: int) -> list[B]:
    """Return ``function`` of each value, in order, at most ``bound`` of them awaited at a time.

    Fails as ``each_bounded`` does. A few values are sent at once, whatever the store takes.
    """
    if len(values) <= 1:  # no task for the commonest cases
        return [await function(value) for value in values]
    if len(values) <= min(bound, _FEW):
        return await _at_once(function, values)
    results: list[Any] = [None] * len(values)

    async def one(index: int) -> None:
        results[index] = await function(values[index])

    await each_bounded(one, range(len(values)), min(bound, len(values)))
    return results


async def _at_once(function: Callable[[A], Awaitable[B]], values: Sequence[A]) -> list[B]:
    """Return ``function`` of each value; the first is awaited in this task, which saves one."""
    done = 0
    failures: list[Exception] = []

    async def one(value: A) -> Any:
        nonlocal done
        try:
            if not failures:
                result = await function(value)
                done += 1
                return result
        except Exception as error:  # noqa: BLE001  raised below, once all have ended
            failures.append(error)

    async with asyncio.TaskGroup() as group:
        others = [group.create_task(one(value)) for value in values[1:]]
        first = await one(values[0])
    _check(failures, done)
    return [first, *(task.result() for task in others)]


def _check(failures: Sequence[Exception], done: int) -> None:
    if failures:
        failures[0].add_note(f"{done} of this call's operations were done, {len(failures)} failed, none is half done")
        raise failures[0]


def chunks(values: Iterable[A], size: int) -> Iterator[list[A]]:
    """Yield ``values`` in lists of ``size``; the last one may be shorter."""
    source = iter(values)
    while chunk := list(islice(source, size)):
        yield chunk


async def read_ahead(source: AsyncGenerator[A, None]) -> AsyncGenerator[A, None]:
    """Yield what ``source`` yields, while it prepares the next one; closes it in the end."""

    def read() -> asyncio.Future[Any]:
        return asyncio.ensure_future(anext(source, _END))

    async with contextlib.aclosing(source):  # also when this is cancelled while it ends
        reading = read()
        try:
            while (value := await reading) is not _END:
                reading = read()
                yield value
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)  # noqa: TID251  one task, to its end


class PerKey:
    """Runs what belongs to one key in the order of arrival, and different keys at once."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    async def run(self, key: str, function: Callable[[], Awaitable[B]]) -> B:
        """Return what ``function`` does, after those who came before with the same ``key``."""
        before, mine = self._last.get(key), asyncio.get_running_loop().create_future()
        self._last[key] = mine
        if before is not None:
            try:
                await asyncio.shield(before)
            except asyncio.CancelledError:  # those behind still have to wait for those before
                before.add_done_callback(lambda _: self._end(key, mine))
                raise
        try:
            return await function()
        finally:
            self._end(key, mine)

    def _end(self, key: str, mine: asyncio.Future[None]) -> None:
        if self._last[key] is mine:
            del self._last[key]
        mine.set_result(None)
