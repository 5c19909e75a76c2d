"""A table of native DynamoDB items as a dictionary to await."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ssshelf._entries import pairs_of
from ssshelf.dynamodb_mapping.listings import Item, Listings
from ssshelf.dynamodb_mapping.requests import Requests, absent, changes, exists, merged, only, refused
from ssshelf.dynamodb_mapping.schema import DynamoDBKeySimplified, Schema, address, hashable, identity, letters
from ssshelf.dynamodb_mapping.sessions import DynamoDBMappingOptions, client_pool
from ssshelf.dynamodb_mapping.values import DynamoDBItemType, Image, Values
from ssshelf.errors import ConflictError, NotFoundError, UnsupportedError
from ssshelf.retries import RetryPolicy
from ssshelf.storages._dynamodb_setup import keys_of, make_table
from ssshelf.storages._dynamodb_table import Table
from ssshelf.storages.base import CONCURRENCY

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, Unpack

__all__ = ["AsyncDynamoDBMapping"]


class AsyncDynamoDBMapping(Listings):
    """The items of a table, by their keys: ``DynamoDBMapping`` for programs that await.

    A key is a value or, if the table has a sort key, a tuple of two. Items are plain dictionaries with all attributes,
    the keys included. Methods that take further parameters pass them on to DynamoDB, as a ``Table`` of boto3 takes
    them; names, values and conditions are combined with those that are used here.

    What is safe to repeat is repeated when DynamoDB does not answer. A write with a condition is repeated only when it
    certainly was not applied. Nothing is sent before the first use. Use it as ``async with AsyncDynamoDBMapping(…) as
    mapping``, or call ``aclose``, within each ``asyncio.run``.

    Args:
        table_name: The table; it has to exist, or be made by ``create_table``.
        boto3_session: A session of boto3, aioboto3 or aiobotocore; ``None`` finds credentials as all AWS clients do.
        consistent: Whether reads see all writes that ended before; they cost twice as much as those that need not.
        numbers: What numbers come back as: made of their text, such as by ``json.loads``, which knows int and float.
        concurrency: Most requests at a time, and connections kept open.
        retries: How requests that are safe to repeat are repeated.
        options: Credentials, region, profile, endpoint, time limits: see ``DynamoDBMappingOptions``.

    Raises:
        TypeError: There is no such option, or one that has another type.
        ValueError: Options contradict each other, or one is missing.

    Cost:
        1 request for each call, unless it says otherwise, and 1 more to learn the keys of the table at first.
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
        self._values = Values(numbers)
        pool = client_pool(boto3_session, concurrency, options)
        self._table = Table(table_name, pool, retries or RetryPolicy(), refused)
        self._requests = Requests(self._table, self._values, consistent=consistent)
        self._consistent = consistent
        self._known: Schema | None = None

    async def create_table(self, keys: Mapping[str, type]) -> None:
        """Make the table, on demand, and return once it can be used; one that has these keys stays as it is.

        Args:
            keys: The types of its keys by their names: the partition key, then perhaps the sort key.

        Raises:
            TypeError, ValueError: These can be no keys.
            UnsupportedError: There is such a table, and it has other keys.
            UnavailableError: The table is not ready in time; safe to repeat.
        """
        types = letters(keys)
        with self._table.mapped():
            made = await make_table(await self._table.client(), self.table_name, types, None)
        if list(made.items()) != list(types.items()):
            msg = f"DynamoDB: there is a table {self.table_name!r}, with other keys: {made}; use these, or another name"
            raise UnsupportedError(msg)

    async def schema(self) -> Schema:
        """Return what the keys of the table are.

        Raises:
            StoreNotFoundError: There is no such table.

        Cost:
            1 DescribeTable, once.
        """
        if self._known is None:
            self._known = Schema(self.table_name, keys_of(await self._described()), self._values)
        return self._known

    async def get_item(self, keys: DynamoDBKeySimplified, **kwargs: Any) -> Item:
        """Return an item.

        Raises:
            KeyError: There is none; it is a ``NotFoundError`` if there could be one.
            ValueError: The key has too many parts, or too few.
        """
        schema = await self.schema()
        key = schema.lookup(keys)
        answer = await self._requests.read("get_item", {"Key": key}, kwargs)
        if "Item" not in answer:
            raise NotFoundError(address(self.table_name, key))
        return schema.item(answer["Item"])

    async def get(self, keys: DynamoDBKeySimplified, default: Any = None) -> Any:
        """Return an item, or ``default`` if there is none."""
        try:
            return await self.get_item(keys)
        except KeyError:
            return default

    async def has_item(self, keys: object) -> bool:
        """Return whether there is an item with a key; what cannot be a key has none."""
        schema = await self.schema()
        try:
            key = schema.image(keys)
        except (TypeError, ValueError):
            return False
        return "Item" in await self._requests.read("get_item", {"Key": key, **only(schema.names[:1])}, {})

    async def get_many(self, keys: Iterable[DynamoDBKeySimplified]) -> dict[Any, Item]:
        """Return the items there are with some keys, by these.

        Raises:
            TypeError: A key is of another type than the table's.
            ValueError: A key has too many parts, or too few.

        Cost:
            1 request for each 100 keys, up to 16 at a time, and more for what DynamoDB leaves over.
        """
        schema = await self.schema()
        wanted = {hashable(key): schema.image(key) for key in keys}
        images = {identity(image): image for image in wanted.values()}
        rows = await self._table.get_all(list(images.values()), consistent=self._consistent)
        found = {identity(schema.of(row)): row for row in rows}
        return {key: schema.item(found[identity(image)]) for key, image in wanted.items() if identity(image) in found}

    async def set_item(self, keys: DynamoDBKeySimplified, item: DynamoDBItemType, **kwargs: Any) -> None:
        """Create or replace an item; its key attributes are those of the key, whatever the item says.

        Raises:
            TypeError: DynamoDB has no type for something in it, or the key is of another type than the table's.
            ValueError: Something in it is a NaN, an empty set or the like, or DynamoDB refuses the item.
            ConflictError: A condition in ``kwargs`` does not hold.
        """
        key = (await self.schema()).image(keys)
        await self._requests.write("put_item", key, {"Item": self._values.images(item) | key}, kwargs)

    put_item = set_item

    async def del_item(self, keys: DynamoDBKeySimplified, check_existing: bool = True, **kwargs: Any) -> None:  # noqa: FBT001, FBT002  the name and place of dynamodb_mapping
        """Delete an item.

        Args:
            keys: Its key.
            check_existing: Raise a ``KeyError`` if there is none, by a condition of the deletion itself.
            kwargs: Further parameters.

        Raises:
            KeyError: There is none.
            ConflictError: A condition in ``kwargs`` does not hold; also if there is no item.
        """
        key = (await self.schema()).lookup(keys)
        if check_existing:
            await self._write_existing("delete_item", key, {}, kwargs)
        else:
            await self._requests.write("delete_item", key, {"Key": key}, kwargs)

    async def modify_item(self, keys: DynamoDBKeySimplified, modifications: DynamoDBItemType, **kwargs: Any) -> None:
        """Set some attributes of an item, and remove those that are to be ``None``; the others stay.

        A missing item is created, unless a condition in ``kwargs`` says otherwise, such as
        ``boto3.dynamodb.conditions.Attr("price").exists()``.

        Raises:
            ConflictError: A condition in ``kwargs`` does not hold.
            ValueError: A modification is of a key, or DynamoDB refuses it.
        """
        key = (await self.schema()).image(keys)
        if not modifications:
            warnings.warn("modify_item was given no modifications, and changes nothing", UserWarning, stacklevel=2)
            return
        images = self._values.images(modifications)
        values = {name: None if modifications[name] is None else image for name, image in images.items()}
        await self._requests.write("update_item", key, {"Key": key, **changes(values)}, kwargs)

    async def modify_existing(self, key: Mapping[str, Image], images: Mapping[str, Image | None]) -> None:
        """Set and remove attributes of the item with a key, all as they are stored.

        Raises:
            NotFoundError: Somebody has deleted it; nothing is created.
        """
        await self._write_existing("update_item", key, changes(images), {})

    async def update(
        self, other: Mapping[Any, DynamoDBItemType] | Iterable[tuple[Any, DynamoDBItemType]] = (), /, **items: Any
    ) -> None:
        """Create or replace many items, in any order; safe to repeat after an error.

        Raises:
            TypeError, ValueError: As for ``set_item``; nothing was sent.
            UnavailableError: DynamoDB did not take all of them in time.

        Cost:
            1 request for each 25 items, up to 16 at a time, and more for what DynamoDB leaves over.
        """
        schema = await self.schema()
        puts: dict[tuple[Any, ...], dict[str, Any]] = {}
        for keys, item in pairs_of(other, items):
            key = schema.image(keys)
            puts[identity(key)] = {"PutRequest": {"Item": self._values.images(item) | key}}
        await self._table.write_all(list(puts.values()))

    async def setdefault(self, keys: DynamoDBKeySimplified, item: DynamoDBItemType) -> Item:
        """Return an item; if there is none, create it, unless somebody else is faster, whose item is returned then.

        Cost:
            1 or 2 requests, and 2 more each time that others create and delete it in between.
        """
        schema = await self.schema()
        key, images = schema.image(keys), self._values.images(item)

        async def attempt() -> Item:
            with contextlib.suppress(NotFoundError):
                return await self.get_item(keys, ConsistentRead=True)
            await self._requests.write("put_item", key, {"Item": images | key, **absent(schema.names[0])}, {})
            return schema.item(images | key)

        return await self._table.retries.redo(attempt)

    async def pop(self, keys: DynamoDBKeySimplified, *default: Any) -> Any:
        """Delete an item and return it, in one request, so that nobody else gets it, too.

        Raises:
            KeyError: There is none, and no ``default``.
            UnavailableError: DynamoDB did not answer; the item may be deleted.
        """
        schema = await self.schema()
        try:
            return await self._pop(schema.lookup(keys))
        except KeyError:
            if default:
                return default[0]
            raise

    async def popitem(self) -> tuple[Any, Item]:
        """Delete some item and return its key and itself; which one is DynamoDB's choice.

        Raises:
            KeyError: The table is empty.

        Cost:
            2 requests, and 2 more each time that somebody else is faster.
        """
        schema = await self.schema()
        while (key := await self._any_key()) is not None:
            with contextlib.suppress(NotFoundError):
                item = await self._pop(key)
                return schema.key(item), item
        msg = f"popitem(): table {self.table_name!r} is empty"
        raise KeyError(msg)

    async def clear(self) -> None:
        """Delete all items, while others may add some.

        Cost:
            A scan, and 1 request for each 25 items, up to 16 at a time.
        """
        schema = await self.schema()
        async for answer in self._requests.pages("scan", only(schema.names), {}):
            await self._table.write_all([{"DeleteRequest": {"Key": schema.of(row)}} for row in answer["Items"]])

    async def estimated_count(self) -> int:
        """Return how many items there were when DynamoDB last counted them, which it does every six hours or so."""
        return int((await self._described())["ItemCount"])

    async def is_empty(self) -> bool:
        """Return whether there is no item."""
        return await self._any_key() is None

    async def aclose(self) -> None:
        """Close the connections; closing twice is not an error."""
        await self._table.aclose()

    async def _described(self) -> dict[str, Any]:
        answer = await self._table.repeat("describe_table", TableName=self.table_name)
        described: dict[str, Any] = answer["Table"]
        return described

    async def _any_key(self) -> dict[str, Image] | None:
        schema = await self.schema()
        own = {"Limit": 1, "ConsistentRead": True, **only(schema.names)}
        async for answer in self._requests.pages("scan", own, {}):
            if answer["Items"]:
                return schema.of(answer["Items"][0])
        return None

    async def _pop(self, key: Mapping[str, Image]) -> Item:
        answer = await self._write_existing("delete_item", key, {"ReturnValues": "ALL_OLD"}, {})
        return (await self.schema()).item(answer["Attributes"])

    async def _write_existing(
        self, operation: str, key: Mapping[str, Image], own: Mapping[str, Any], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write what there has to be: it is a ``NotFoundError`` if there is not, and the caller has no condition."""
        try:
            return await self._requests.write(
                operation, key, merged({"Key": key, **exists(next(iter(key)))}, own), given
            )
        except ConflictError as error:
            if "ConditionExpression" in given:
                raise
            raise NotFoundError(error.key) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.table_name!r})"

    def __del__(self) -> None:
        table = getattr(self, "_table", None)
        if table is not None and table.pool.is_open:
            text = f"{self!r} was never closed: use `async with`, or await its aclose()"
            warnings.warn(text, ResourceWarning, source=self, stacklevel=2)
