"""Requests about one table of DynamoDB: each an attempt with a time limit, repeated where that is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssshelf.errors import UnavailableError
from ssshelf.retries import RetryPolicy
from ssshelf.storages._aws_client import ClientPool
from ssshelf.storages._dynamodb_clock import StoreClock
from ssshelf.storages._dynamodb_errors import mapped
from ssshelf.storages.base import Operation

__all__ = ["Table"]


class Table:
    """A table, as far as clients are concerned.

    Args:
        name: What it is called.
        pool: Where clients come from.
        retries: How requests that are safe to repeat are repeated.

    Attributes:
        clock: The time of the store, as its answers tell it.
    """

    def __init__(self, name: str, pool: ClientPool, retries: RetryPolicy) -> None:
        self.name = name
        self.pool = pool
        self.retries = retries
        self.clock = StoreClock(retries.clock)
        self._closed = False

    @property
    def late_s(self) -> float:
        """For how long a transaction that is given up may still be repeated here, and how wrong the clock may be."""
        return self.retries.deadline_s + 2 * self.pool.patience_s

    async def client(self) -> Any:
        """Return the client of the running loop."""
        if self._closed:
            msg = f"DynamoDBStorage({self.name!r}) is closed"
            raise ValueError(msg)
        with mapped(self.name):
            return await self.pool.get()

    async def send(
        self, request: str, operations: Sequence[Operation] = (), sent_bytes: int = 0, **parameters: Any
    ) -> dict[str, Any]:
        """Make one attempt at a request, which sends so many bytes, and return the answer.

        Raises:
            ConflictError: The condition of one of ``operations`` does not hold.
            UnavailableError: There was no answer, or one of something else.
        """
        with mapped(self.name, operations):
            async with self.pool.limit(sent_bytes):
                answer: dict[str, Any] = await getattr(await self.client(), request)(**parameters)
        if not answer["ResponseMetadata"].get(
            "RequestId"
        ):  # a page of a proxy in between would read as an empty answer
            msg = "DynamoDB: the answer was that of something else"
            raise UnavailableError(msg)
        self.clock.hear(answer)
        return answer

    async def repeat(
        self, request: str, operations: Sequence[Operation] = (), sent_bytes: int = 0, **parameters: Any
    ) -> dict[str, Any]:
        """Make a request that is safe to repeat, and return the answer to the last attempt."""
        return await self.retries.repeat(lambda: self.send(request, operations, sent_bytes, **parameters))

    async def ask(self, request: str, **parameters: Any) -> dict[str, Any]:
        """Read something, at its newest."""
        return await self.repeat(request, TableName=self.name, ConsistentRead=True, **parameters)

    async def get_batch(self, keys: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows there are of those with these keys, 100 at the most, in any order."""
        left, found = list(keys), []

        async def attempt() -> None:
            asked = {self.name: {"Keys": left, "ConsistentRead": True}}
            answer = await self.send("batch_get_item", RequestItems=asked)
            found.extend(answer.get("Responses", {}).get(self.name, ()))
            left[:] = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", ())
            _check_all_done(left, "read")

        await self.retries.repeat(attempt)
        return found

    async def write_batch(self, requests: Sequence[dict[str, Any]]) -> None:
        """Put and delete rows without conditions, 25 at the most, in any order."""
        left = list(requests)

        async def attempt() -> None:
            answer = await self.send("batch_write_item", RequestItems={self.name: left})
            left[:] = answer.get("UnprocessedItems", {}).get(self.name, ())
            _check_all_done(left, "written")

        await self.retries.repeat(attempt)

    async def aclose(self) -> None:
        """Close the clients, and refuse further requests."""
        self._closed = True
        await self.pool.aclose()


def _check_all_done(left: Sequence[object], verb: str) -> None:
    if left:
        msg = f"DynamoDB: {len(left)} rows of a batch were not {verb}, since there are too many requests"
        raise UnavailableError(msg)
