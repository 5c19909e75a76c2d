"""What is in a table, page by page."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from boto3.dynamodb.conditions import ConditionBase
from boto3.dynamodb.conditions import Key as KeyCondition

from ssshelf.dynamodb_mapping.requests import Requests, merged, only
from ssshelf.dynamodb_mapping.schema import Schema

__all__ = ["Item", "Listings"]

Item = dict[str, Any]


class Listings:
    """Scans and queries of one table; a page is asked for when it is wanted."""

    _requests: Requests

    @abstractmethod
    async def schema(self) -> Schema:
        """Return what the keys of the table are."""

    async def scan(self, **kwargs: Any) -> AsyncIterator[Item]:
        """Yield all items, or those that a ``FilterExpression`` lets through, page by page.

        Raises:
            TypeError: The answers would be counts.

        Cost:
            1 request for each MB that is in the table, or for ``Limit`` items of it.
        """
        async for page in self.scan_pages(**kwargs):
            for item in page:
                yield item

    async def query(
        self, partition: Any = None, sort: ConditionBase | None = None, **kwargs: Any
    ) -> AsyncIterator[Item]:
        """Yield the items of one partition, in the order of their sort keys, page by page.

        Args:
            partition: The value of the partition key; ``None`` if ``KeyConditionExpression`` is given, as for indexes.
            sort: A condition on the sort key, such as ``boto3.dynamodb.conditions.Key("day").begins_with("2026-")``.
            kwargs: Further parameters, such as ``ScanIndexForward=False``.

        Raises:
            TypeError: There is a ``sort`` without a ``partition``, or the answers would be counts.

        Cost:
            1 request for each MB that is in the partition, or for ``Limit`` items of it.
        """
        async for page in self.query_pages(partition, sort, **kwargs):
            for item in page:
                yield item

    async def keys(self) -> AsyncIterator[Any]:
        """Yield the keys of all items; a scan."""
        async for page in self.key_pages():
            for key in page:
                yield key

    async def values(self) -> AsyncIterator[Item]:
        """Yield all items; a scan."""
        async for item in self.scan():
            yield item

    async def items(self) -> AsyncIterator[tuple[Any, Item]]:
        """Yield the keys of all items, and these; a scan."""
        schema = await self.schema()
        async for item in self.scan():
            yield schema.key(item), item

    async def scan_pages(self, **kwargs: Any) -> AsyncGenerator[list[Item], None]:
        """Yield what ``scan`` does, in lists: the pages of DynamoDB."""
        _check_items(kwargs)
        schema = await self.schema()
        async for answer in self._requests.pages("scan", {}, kwargs):
            yield [schema.item(row) for row in answer["Items"]]

    async def query_pages(
        self, partition: Any = None, sort: ConditionBase | None = None, **kwargs: Any
    ) -> AsyncGenerator[list[Item], None]:
        """Yield what ``query`` does, in lists: the pages of DynamoDB."""
        _check_items(kwargs)
        if partition is None and sort is not None:
            msg = "sort belongs to a partition: give that, too, or both conditions as KeyConditionExpression"
            raise TypeError(msg)
        schema = await self.schema()
        if partition is not None:
            condition = KeyCondition(schema.names[0]).eq(partition)
            kwargs = merged({"KeyConditionExpression": condition if sort is None else condition & sort}, kwargs)
        async for answer in self._requests.pages("query", {}, kwargs):
            yield [schema.item(row) for row in answer["Items"]]

    async def key_pages(self) -> AsyncGenerator[list[Any], None]:
        """Yield what ``keys`` does, in lists: the pages of DynamoDB."""
        schema = await self.schema()
        async for answer in self._requests.pages("scan", only(schema.names), {}):
            yield [schema.key(schema.item(row)) for row in answer["Items"]]

    async def count(self, **kwargs: Any) -> int:
        """Return how many items there are, or that a ``FilterExpression`` lets through; a scan of counts only."""
        answers = self._requests.pages("scan", {"Select": "COUNT"}, kwargs)
        return sum([answer["Count"] async for answer in answers])


def _check_items(given: Mapping[str, Any]) -> None:
    if given.get("Select") == "COUNT":
        msg = "Select='COUNT' answers with no items: count() counts them"
        raise TypeError(msg)
