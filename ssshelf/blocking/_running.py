"""Running what is async and has no blocking twin, such as the setup of a storage."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import ParamSpec, TypeVar

from ssshelf import storages
from ssshelf._background import background
from ssshelf.storages.base import Storage

__all__ = ["iterate", "open_storage", "run"]

P = ParamSpec("P")
T = TypeVar("T")


def run(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a coroutine function returns, as in ``run(storage.create_table)``.

    It runs in the event loop that serves all blocking managers, so it can use their storages.
    """
    return background().call(function, *args, **kwargs)


def iterate(source: AsyncIterator[T]) -> Iterator[T]:
    """Yield what an async iterator yields, such as ``ssshelf.transfer.copy``."""
    return background().each(source)


@contextlib.contextmanager
def open_storage(storage: str | Storage | None = None) -> Iterator[Storage]:
    """Yield a storage for any number of blocking managers, and close it at the end.

    Args:
        storage: A storage, or the URL of one; ``None`` reads the environment variable ``SSSHELF_URL``.

    Raises:
        ValueError: The URL is missing or names no known storage.
    """
    opened = storages.open_storage(storage) if storage is None or isinstance(storage, str) else storage
    try:
        yield opened
    finally:
        run(opened.aclose)
