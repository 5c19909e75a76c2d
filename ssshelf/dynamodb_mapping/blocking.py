"""A table of native DynamoDB items as a dictionary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, MutableMapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ssshelf._background import OfThisProcess, background
from ssshelf._calls import Calls
from ssshelf._entries import pairs_of
from ssshelf.dynamodb_mapping.items import DynamoDBItem
from ssshelf.dynamodb_mapping.mapping import AsyncDynamoDBMapping
from ssshelf.dynamodb_mapping.schema import DynamoDBKeySimplified
from ssshelf.dynamodb_mapping.sessions import DynamoDBMappingOptions
from ssshelf.dynamodb_mapping.values import DynamoDBItemType
from ssshelf.dynamodb_mapping.views import TableItems, TableValues
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import CONCURRENCY

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import TracebackType
    from typing import Self, Unpack

    from boto3.dynamodb.conditions import ConditionBase

__all__ = ["DynamoDBMapping"]

P = ParamSpec("P")
T = TypeVar("T")
_PARTS = (".", "[")
"""What is in an expression that names parts of attributes."""


class DynamoDBMapping(OfThisProcess, MutableMapping[Any, Any]):
    """The items of a table, by their keys, as a dictionary: all that ``AsyncDynamoDBMapping`` does, without ``await``.

    Safe from threads, from notebooks and from programs that run an event loop. Items that are looked up by their key
    are ``DynamoDBItem``: their changes are written to the table at once. What scans and queries find, and what ``pop``
    returns, are plain dictionaries. ``len`` is what DynamoDB counted some hours ago; ``count`` counts now, by a scan.
    Connections are closed by ``close``, by ``with``, and when the mapping is forgotten or the process ends.

    Args:
        table_name: The table; it has to exist, or be made by ``create_table``.
        boto3_session: A session of boto3, aioboto3 or aiobotocore; ``None`` finds credentials as all AWS clients do.
        consistent: Whether reads see all writes that ended before; they cost twice as much as those that need not.
        numbers: What numbers come back as: made of their text, such as by ``json.loads``, which knows int and float.
        concurrency: Most requests at a time, and connections kept open.
        retries: How requests that are safe to repeat are repeated.
        options: Credentials, region, profile, endpoint, time limits: see ``DynamoDBMappingOptions``.

    Attributes:
        table_name: What the table is called.
        key_names: What its keys are called.

    Raises:
        StoreNotFoundError: There is no such table.
        DeniedError: There are no credentials, or these may not use it.
    """

    def __init__(
        self,
        table_name: str,
        boto3_session: Any = None,
        *,
        consistent: bool = True,
        numbers: Callable[[str], Any] = Decimal,
        concurrency: int = CONCURRENCY,
        retries: RetryPolicy | None = None,
        **options: Unpack[DynamoDBMappingOptions],
    ) -> None:
        self.table_name = table_name
        self._twin = AsyncDynamoDBMapping(
            table_name,
            boto3_session,
            consistent=consistent,
            numbers=numbers,
            concurrency=concurrency,
            retries=retries,
            **options,
        )
        self._calls = Calls(self._twin.aclose, "this mapping")
        try:
            self._schema = self._call(self._twin.schema)
        except BaseException:
            self.close()
            raise
        self.key_names = self._schema.names

    @classmethod
    def create_table(cls, table_name: str, keys: Mapping[str, type], **options: Any) -> Self:
        """Make a table, on demand, and return it once it can be used; one that has these keys stays as it is.

        Args:
            table_name: What it is called.
            keys: The types of its keys by their names: the partition key, then perhaps the sort key.
            options: As for the class.

        Raises:
            TypeError, ValueError: These can be no keys.
            UnsupportedError: There is such a table, and it has other keys.
            UnavailableError: The table is not ready in time; safe to repeat.
        """

        async def create() -> None:
            async with AsyncDynamoDBMapping(table_name, **options) as twin:
                await twin.create_table(keys)

        background().call(create)
        return cls(table_name, **options)

    def get_item(self, keys: DynamoDBKeySimplified, **kwargs: Any) -> dict[str, Any]:
        """Return an item, a ``DynamoDBItem``; if only parts of attributes are asked for, a plain dictionary.

        Raises:
            KeyError: There is none.
            ValueError: The key has too many parts, or too few.
        """
        item = self._call(self._twin.get_item, keys, **kwargs)
        if any(part in kwargs.get("ProjectionExpression", "") for part in _PARTS):
            return item  # an attribute of which there is only a part cannot be written
        return self._observed(keys, item)

    def get_many(self, keys: Iterable[DynamoDBKeySimplified]) -> dict[Any, dict[str, Any]]:
        """Return the items there are with some keys, by these, as plain dictionaries: a request for each 100."""
        return self._call(self._twin.get_many, list(keys))

    def set_item(self, keys: DynamoDBKeySimplified, item: DynamoDBItemType, **kwargs: Any) -> None:
        """Create or replace an item; see ``AsyncDynamoDBMapping.set_item``."""
        self._call(self._twin.set_item, keys, item, **kwargs)

    put_item = set_item

    def del_item(self, keys: DynamoDBKeySimplified, check_existing: bool = True, **kwargs: Any) -> None:  # noqa: FBT001, FBT002  the name and place of dynamodb_mapping
        """Delete an item; see ``AsyncDynamoDBMapping.del_item``."""
        self._call(self._twin.del_item, keys, check_existing, **kwargs)

    def modify_item(self, keys: DynamoDBKeySimplified, modifications: DynamoDBItemType, **kwargs: Any) -> None:
        """Set and remove some attributes of an item; see ``AsyncDynamoDBMapping.modify_item``."""
        self._call(self._twin.modify_item, keys, modifications, **kwargs)

    def scan(self, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """Yield all items; see ``AsyncDynamoDBMapping.scan``."""
        return self._pages(self._twin.scan_pages(**kwargs))

    def query(
        self, partition: Any = None, sort: ConditionBase | None = None, **kwargs: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of one partition in the order of their sort keys; see ``AsyncDynamoDBMapping.query``."""
        return self._pages(self._twin.query_pages(partition, sort, **kwargs))

    def count(self, **kwargs: Any) -> int:
        """Return how many items there are, or that a ``FilterExpression`` lets through; a scan."""
        return self._call(self._twin.count, **kwargs)

    def key_of(self, item: DynamoDBItemType) -> Any:
        """Return the key of an item: a value, or a tuple of two."""
        return self._schema.key(item)

    def update(self, other: Any = (), /, **kwargs: Any) -> None:
        """Create or replace many items, in any order: a request for each 25; see ``AsyncDynamoDBMapping.update``."""
        self._call(self._twin.update, list(pairs_of(other, kwargs)))  # here, since what is given may block

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return an item; if there is none, create it, unless somebody else is faster."""
        return self._observed(key, self._call(self._twin.setdefault, key, default))

    def pop(self, key: Any, *default: Any) -> Any:
        """Delete an item and return it, in one request, so that nobody else gets it, too."""
        return self._call(self._twin.pop, key, *default)

    def popitem(self) -> tuple[Any, Any]:
        """Delete some item and return its key and itself; which one is DynamoDB's choice."""
        return self._call(self._twin.popitem)

    def clear(self) -> None:
        """Delete all items: a scan, and a request for each 25."""
        self._call(self._twin.clear)

    def values(self) -> TableValues:
        """Return a view that scans the table once, when it is iterated over."""
        return TableValues(self)

    def items(self) -> TableItems:
        """Return a view that scans the table once, when it is iterated over."""
        return TableItems(self)

    def close(self) -> None:
        """Close the connections; closing twice is not an error."""
        self._calls.close()

    def __getitem__(self, key: Any) -> dict[str, Any]:
        return self.get_item(key)

    def __setitem__(self, key: Any, item: DynamoDBItemType) -> None:
        self.set_item(key, item)

    def __delitem__(self, key: Any) -> None:
        self.del_item(key)

    def __contains__(self, key: object) -> bool:
        return self._call(self._twin.has_item, key)

    def __iter__(self) -> Iterator[Any]:
        return self._pages(self._twin.key_pages())

    def __len__(self) -> int:
        return self._call(self._twin.estimated_count)

    def __bool__(self) -> bool:
        return not self._call(self._twin.is_empty)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.table_name!r})"

    def _pages(self, source: AsyncIterator[Iterable[T]]) -> Iterator[T]:
        return self._calls.pages(source)

    def _observed(self, key: Any, item: dict[str, Any]) -> DynamoDBItem:
        return DynamoDBItem(item, self._schema, self._schema.image(key), self._modify)

    def _modify(self, key: dict[str, Any], images: Mapping[str, Any]) -> None:
        self._call(self._twin.modify_existing, key, images)

    def _call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._calls.call(function, *args, **kwargs)
