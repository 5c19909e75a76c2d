"""What contestants on DynamoDB have in common: entries of 300 bytes, as ssshelf stores them, and one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol import at_once

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

TABLE = "benchmarks"
REGION = "us-east-1"
DATA = b"x" * 300
LISTED = 102  # ssshelf asks for two more than the 100 it wants, to know whether there are more
ETAG = "0" * 32
WRITTEN = 1_700_000_000_000_000
Requests = "Mapping[str, Callable[[int], Awaitable[Any]]]"


def name(number: int) -> str:
    """Return the name of an entry."""
    return f"items!/things!/item-{number:04}!"


def task(opened: Callable[[str, str, int], AbstractAsyncContextManager[Mapping[str, Any]]]) -> Any:
    """Return the task that makes requests of one kind, by what ``opened`` yields."""

    async def request(*, url: str, prefix: str, kind: str, count: int, width: int) -> AsyncIterator[Any]:
        async with opened(url, prefix, width) as requests:
            await at_once(max(count, 2 * LISTED), width, requests["put"])

            async def work() -> int:
                return await at_once(count, width, requests[kind])

            yield work

    return request
