"""Requests about one table of DynamoDB: each an attempt with a time limit, repeated where that is safe."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from ssshelf._concurrency import chunks, map_bounded
from ssshelf.errors import UnavailableError
from ssshelf.retries import RetryPolicy
from ssshelf.storages._aws_client import ClientPool
from ssshelf.storages._dynamodb_clock import StoreClock
from ssshelf.storages._dynamodb_errors import Refused, mapped
from ssshelf.storages._limits import extended_by_answers

__all__ = ["Table"]

_WRITES_IN_A_BATCH, _READS_IN_A_BATCH = 25, 100
_BATCHES_AT_ONCE = 16


class Table:
    """A table, as far as clients are concerned.

    Args:
        name: What it is called.
        pool: Where clients come from.
        retries: How requests that are safe to repeat are repeated.
        refused: What a refusal means to who asks; requests are ``about`` what it is told.

    Attributes:
        clock: The time of the store, as its answers tell it.
    """

    def __init__(self, name: str, pool: ClientPool, retries: RetryPolicy, refused: Refused) -> None:
        if not isinstance(name, str) or not name:
            msg = f"a table is given by its name, a text, not {name!r:.100}"
            raise TypeError(msg)
        self.name = name
        self.pool = pool
        self.retries = retries
        self._refused = refused
        self.clock = StoreClock(retries.clock)
        self._closed = False

    @property
    def late_s(self) -> float:
        """For how long a transaction that is given up may still be repeated here, and how wrong the clock may be."""
        return self.retries.deadline_s + 2 * self.pool.patience_s

    async def client(self) -> Any:
        """Return the client of the running loop."""
        if self._closed:
            msg = f"table {self.name!r} is closed here"
            raise ValueError(msg)
        with self.mapped():
            return await self.pool.get()

    def mapped(self, about: Any = None) -> contextlib.AbstractContextManager[None]:
        """Raise what a client raises inside as the ``ssshelf.errors`` it means."""
        return mapped(self.name, self._refused, about)

    async def send(self, request: str, about: Any = None, **parameters: Any) -> dict[str, Any]:
        """Make one attempt at a request, with the time that what it sends takes, and return the answer.

        Raises:
            UnavailableError: There was no answer, or one of something else.
        """
        with self.mapped(about):
            async with self.pool.limit(_sent_bytes(parameters)) as limit:
                with extended_by_answers(limit):
                    answer: dict[str, Any] = await getattr(await self.client(), request)(**parameters)
        if not answer["ResponseMetadata"].get(
            "RequestId"
        ):  # a page of a proxy in between would read as an empty answer
            msg = "DynamoDB: the answer was that of something else"
            raise UnavailableError(msg)
        self.clock.hear(answer)
        return answer

    async def repeat(self, request: str, about: Any = None, **parameters: Any) -> dict[str, Any]:
        """Make a request that is safe to repeat, and return the answer to the last attempt."""
        return await self.retries.repeat(lambda: self.send(request, about, **parameters))

    async def send_once(self, request: str, about: Any = None, **parameters: Any) -> dict[str, Any]:
        """Make a request that must not be applied twice: it is repeated while it certainly was not applied."""

        async def attempt() -> dict[str, Any] | UnavailableError:
            try:
                return await self.send(request, about, **parameters)
            except UnavailableError as error:
                if error.maybe_applied:
                    return error
                raise

        answer = await self.retries.repeat(attempt)
        if isinstance(answer, UnavailableError):
            raise answer
        return answer

    async def ask(self, request: str, **parameters: Any) -> dict[str, Any]:
        """Read something, at its newest."""
        return await self.repeat(request, TableName=self.name, ConsistentRead=True, **parameters)

    async def get_all(self, keys: Sequence[dict[str, Any]], *, consistent: bool = True) -> list[dict[str, Any]]:
        """Return the rows there are of those with these keys, in any order, read in batches of 100."""

        async def read(batch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            return await self._read_batch(batch, consistent=consistent)

        found = await map_bounded(read, list(chunks(keys, _READS_IN_A_BATCH)), _BATCHES_AT_ONCE)
        return [row for rows in found for row in rows]

    async def write_all(self, requests: Sequence[dict[str, Any]]) -> None:
        """Put and delete rows without conditions, in any order, in batches of 25; no key may occur twice."""
        await map_bounded(self._write_batch, list(chunks(requests, _WRITES_IN_A_BATCH)), _BATCHES_AT_ONCE)

    async def _read_batch(self, keys: Sequence[dict[str, Any]], *, consistent: bool) -> list[dict[str, Any]]:
        left, found = list(keys), []

        async def attempt() -> None:
            before = len(left)
            asked = {self.name: {"Keys": left, "ConsistentRead": consistent}}
            answer = await self.send("batch_get_item", RequestItems=asked)
            found.extend(answer.get("Responses", {}).get(self.name, ()))
            left[:] = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", ())
            if len(left) == before:
                _check_all_done(left, "read")

        while left:  # an answer has 16 MB at most, so this is no failure while there are more
            await self.retries.repeat(attempt)
        return found

    async def _write_batch(self, requests: Sequence[dict[str, Any]]) -> None:
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


def _sent_bytes(value: Any) -> int:
    """Return about how many bytes parameters have when they are sent, bytes in base64."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(name) + _sent_bytes(inner) for name, inner in value.items())
    if isinstance(value, (list, tuple)):
        return sum(map(_sent_bytes, value))
    return len(value) * 4 // 3 if isinstance(value, (bytes, bytearray)) else 1
