"""Requests that are made at the same moment, sent together."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from ssshelf.errors import ShelfError
from ssshelf.storages._shared_task import SharedTask

__all__ = ["Together"]

A = TypeVar("A")
B = TypeVar("B")


class _Batch(Generic[A, B]):
    def __init__(self, answer: Callable[[list[A]], Awaitable[Sequence[B]]]) -> None:
        self._answer = answer
        self._is_sent = False
        self.asked: list[A] = []
        self.answers = SharedTask(self._run())

    @property
    def is_open(self) -> bool:
        return not (self._is_sent or self.answers.is_given_up)

    async def _run(self) -> Sequence[B]:
        await asyncio.sleep(0)  # until all who are about to ask have done so
        self._is_sent = True
        return await self._answer(self.asked)


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
        number = len(batch.asked)
        batch.asked.append(one)
        try:
            return (await batch.answers.wait())[number]
        except (ShelfError, ValueError) as error:
            raise copy.copy(error) from error.__cause__
