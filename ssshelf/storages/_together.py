"""Requests that are made at the same moment, sent together."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from ssshelf.errors import ShelfError

__all__ = ["Together"]

A = TypeVar("A")
B = TypeVar("B")


class _Batch(Generic[A, B]):
    def __init__(self, answer: Callable[[list[A]], Awaitable[Sequence[B]]]) -> None:
        self._answer = answer
        self.asked: list[A] = []
        self.waiting = 0
        self.is_open = True
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> Sequence[B]:
        await asyncio.sleep(0)  # until all who are about to ask have done so
        self.is_open = False
        return await self._answer(self.asked)

    async def leave(self) -> None:
        """Wait no longer; the last one ends what is under way."""
        self.waiting -= 1
        if not self.waiting and not self.task.done():
            self.is_open = False
            self.task.cancel()
            await asyncio.wait([self.task])


class Together(Generic[A, B]):
    """Answers what is asked in one turn of the event loop by one call; nobody waits for others to ask.

    Args:
        answer: Returns the answers to several, in their order. It is cancelled when nobody waits for it any more.
    """

    def __init__(self, answer: Callable[[list[A]], Awaitable[Sequence[B]]]) -> None:
        self._answer = answer
        self._last: WeakKeyDictionary[asyncio.AbstractEventLoop, _Batch[A, B]] = WeakKeyDictionary()

    async def ask(self, one: A) -> B:
        """Return the answer to ``one``.

        Raises:
            ShelfError, ValueError: What the call raised, to each who asked as an error of its own.
        """
        loop = asyncio.get_running_loop()
        batch = self._last.get(loop)
        if batch is None or not batch.is_open:
            batch = self._last[loop] = _Batch(self._answer)
        batch.asked.append(one)
        batch.waiting += 1
        number = len(batch.asked) - 1
        try:
            return (await asyncio.shield(batch.task))[number]
        except (ShelfError, ValueError) as error:
            raise copy.copy(error) from error.__cause__
        finally:
            await batch.leave()
