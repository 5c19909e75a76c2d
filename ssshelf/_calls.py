"""Calls: how a manager, a shelf or a mapping that blocks reaches the event loop, until it is closed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import ParamSpec, TypeVar

from ssshelf._background import Background, background
from ssshelf._concurrency import many

__all__ = ["Calls"]

P = ParamSpec("P")
A = TypeVar("A")
T = TypeVar("T")
_BATCH = 500


class Calls:
    """What something that blocks, and what belongs to it, call through.

    Args:
        aclose: Closes what belongs to it; without one, nothing does.
        name: What it is, in errors.
    """

    def __init__(self, aclose: Callable[[], Awaitable[None]] | None = None, name: str = "this manager") -> None:
        self._name = name
        self._background = background()
        self._close = None if aclose is None else self._background.adopt(self, aclose)
        self._is_closed = False

    def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a coroutine function returns.

        Raises:
            ValueError: It is closed, or was opened before a fork.
            RuntimeError: The caller runs in the event loop itself.
        """
        return self._open().call(function, *args, **kwargs)

    def check(self) -> None:
        """Raise what ``call`` would, although nothing needs to be called."""
        if self._is_closed:
            self._open()
        self._background.check()

    @property
    def is_forked(self) -> bool:
        """Whether it was opened by the process that this one was forked from."""
        return self._background is not background()

    def each(self, source: AsyncIterator[T]) -> Iterator[T]:
        """Yield what ``source`` yields; what belongs to it stays open meanwhile, even if it is forgotten."""
        return self._open().each(source, self)

    def pages(self, source: AsyncIterator[Iterable[T]]) -> Iterator[T]:
        """Yield what is on the pages that ``source`` yields, likewise."""
        return self._open().pages(source, self)

    def in_batches(self, function: Callable[[list[A]], Awaitable[T]], values: Iterable[A]) -> Iterator[T]:
        """Yield what ``function`` returns for some of the values at a time; the caller's thread iterates over them.

        So what yields them may block, even by calls like this one.
        """
        source, done = iter(many(values)), 0
        while batch := list(islice(source, _BATCH)):
            try:
                result = self.call(function, batch)
            except Exception as error:
                if done:
                    error.add_note(f"{done} more were done before")
                raise
            done += len(batch)
            yield result

    def close(self) -> None:
        """Refuse all further calls, and close what belongs to it; doing it again does nothing."""
        self._is_closed = True
        if self._close is not None:
            self._close()

    def __repr__(self) -> str:
        return self._name

    def _open(self) -> Background:
        if self._is_closed:
            msg = f"{self._name} is closed: open it again"
            raise ValueError(msg)
        return self._background
