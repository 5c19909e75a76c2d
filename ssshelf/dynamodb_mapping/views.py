"""What ``values()`` and ``items()`` of a mapping return: views that scan its table once, page by page."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssshelf.dynamodb_mapping.blocking import DynamoDBMapping

__all__ = ["TableItems", "TableValues"]


class TableValues(ValuesView[dict[str, Any]]):
    """The items of a table, without their keys beside them."""

    _mapping: DynamoDBMapping

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._mapping.scan()

    def __contains__(self, value: object) -> bool:
        return any(item == value for item in self)


class TableItems(ItemsView[Any, dict[str, Any]]):
    """The keys of a table, each with its item."""

    _mapping: DynamoDBMapping

    def __iter__(self) -> Iterator[tuple[Any, dict[str, Any]]]:
        return ((self._mapping.key_of(item), item) for item in self._mapping.scan())
