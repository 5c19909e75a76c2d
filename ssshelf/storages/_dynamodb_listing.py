"""Listings of a DynamoDB table: which partitions there are, and what is in them, in the order of keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ssshelf.errors import UnavailableError
from ssshelf.keys import Key
from ssshelf.storages._dynamodb_rows import (
    LISTED,
    PARTITION,
    POSITION,
    Rows,
    clamped,
    partition_below,
    partition_of,
    row_of,
)
from ssshelf.storages._dynamodb_table import Table
from ssshelf.storages.base import Row

__all__ = ["Listing"]

_FIRST = "!"
"""Before every key."""


class Listing:
    """Lists what one storage has in a table.

    DynamoDB lists within a partition only. So there is a directory, itself a partition, that names all others; a
    partition is in it before there is any row in that, and for good.

    Args:
        table: Where they are.
        rows: How they are stored.
    """

    def __init__(self, table: Table, rows: Rows) -> None:
        self._table = table
        self._rows = rows
        self._registered: set[str] = set()

    def forget(self) -> None:
        """Forget which partitions the directory has."""
        self._registered.clear()

    async def register(self, keys: Iterable[Key]) -> None:
        """Have the partitions of ``keys``, which are to be written next, in the directory.

        It is read first, which a table with other keys refuses: a put might succeed there, and overwrite.

        Raises:
            UnavailableError: The store did not answer; nothing was sent of what is to be written.

        Cost:
            1 get for each partition that this object has not written to before, and 1 put if nobody has.
        """
        for partition in {partition_of(key.text) for key in keys} - self._registered:
            row = self._rows.registration(partition)
            try:
                if "Item" not in await self._table.ask("get_item", Key=row):
                    await self._table.repeat("put_item", TableName=self._table.name, Item=row)
            except UnavailableError as error:
                raise UnavailableError(error.reason, maybe_applied=False) from error
            self._registered.add(partition)

    async def partitions(self, prefix: Key, low: str, high: str) -> list[str]:
        """Return in order the partitions that may have keys under ``prefix``, between ``low`` and ``high``."""
        if low >= high:
            return []
        if (only := partition_below(prefix)) is not None:
            return [only]
        found: list[str] = []
        start: dict[str, Any] = {}
        while True:
            answer = await self._query("", partition_of(low), high, ProjectionExpression=POSITION, **start)
            found += (item[POSITION]["S"] for item in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return [partition for partition in found if partition < high]
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def rows(
        self, partition: str, low: str, high: str, limit: int, *, descending: bool = False
    ) -> tuple[list[Row], bool]:
        """Return the first rows of a partition between two positions, both excluded, and whether more follow.

        Descending, these are the last ones, from the last one on.

        There are fewer than ``limit`` although more follow if they are as many as DynamoDB reads at a time, 1 MB;
        there are none only if there are no more, or ``limit`` is 0.
        """
        start: dict[str, Any] = {"ScanIndexForward": False} if descending else {}
        while True:
            answer = await self._query(  # the rows at both ends may be there, and are not wanted
                partition, max(low, partition), high, ProjectionExpression=LISTED, Limit=limit + 2, **start
            )
            rows = [row_of(item) for item in answer["Items"] if low < item[POSITION]["S"] < high]
            last = answer.get("LastEvaluatedKey")
            if rows or last is None:
                return rows[:limit], len(rows) > limit or (last is not None and low < last[POSITION]["S"] < high)
            start["ExclusiveStartKey"] = last

    async def _query(self, partition: str, low: str, high: str, **parameters: Any) -> dict[str, Any]:
        return await self._table.ask(
            "query",
            KeyConditionExpression=f"{PARTITION} = :p AND {POSITION} BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":p": self._rows.partition(partition),
                ":low": {"S": clamped(low) or _FIRST},
                ":high": {"S": clamped(high)},
            },
            **parameters,
        )
