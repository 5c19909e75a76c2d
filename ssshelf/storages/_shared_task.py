"""Work that many callers wait for and nobody has to."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["SharedTask"]

T = TypeVar("T")


class SharedTask(Generic[T]):
    """Runs a coroutine for any number of callers; when the last of them gives up, it is cancelled.

    Attributes:
        is_given_up: Whether it was cancelled for that, so that nobody should join any more.
    """

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.is_given_up = False
        self._task = asyncio.create_task(work)
        self._waiting = 0

    async def wait(self) -> T:
        """Return what the coroutine returns, or raise what it raises; who is cancelled here cancels nobody else."""
        self._waiting += 1
        try:
            return await asyncio.shield(self._task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self.is_given_up = True
                self._task.cancel()
                await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended, however it does."""
        await asyncio.wait([self._task])
