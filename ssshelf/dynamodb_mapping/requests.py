"""Requests about native items: what the caller asks for, and what is added to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from ssshelf.dynamodb_mapping.schema import address
from ssshelf.dynamodb_mapping.values import Image, Values
from ssshelf.errors import ConflictError
from ssshelf.storages._dynamodb_table import Table

__all__ = ["Requests", "absent", "changes", "exists", "merged", "only", "refused"]

_ONCE = {"ConditionExpression", "Expected", "ReturnValues"}
_EXPRESSIONS = ("ExpressionAttributeNames", "ExpressionAttributeValues")


class Requests:
    """Sends requests about one table, with parameters such as a ``Table`` of boto3 takes.

    Args:
        table: Where they go.
        values: How values are stored.
        consistent: Whether reads see all writes that ended before.
    """

    def __init__(self, table: Table, values: Values, *, consistent: bool) -> None:
        self._table = table
        self._values = values
        self._consistent = consistent

    async def write(
        self, operation: str, key: Mapping[str, Image], own: Mapping[str, Any], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Put, update or delete the item with a key; it is repeated if to do it twice is to do it once.

        That is so without a condition of the caller when it sets attributes, or puts or deletes whatever there is.

        Raises:
            ConflictError: A condition does not hold.
        """
        request = await self._parameters(operation, own, given)
        safe = _ONCE.isdisjoint(given if operation == "update_item" else request)
        send = self._table.repeat if safe else self._table.send_once
        return await send(operation, key, **request)

    async def read(self, operation: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an answer, or the first page of one."""
        return await self._table.repeat(operation, **await self._reading(operation, own, given))

    async def pages(
        self, operation: str, own: Mapping[str, Any], given: Mapping[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield all answers to a scan or a query, each asked for when it is wanted, with the same parameters."""
        request = await self._reading(operation, own, given)
        while True:
            answer = await self._table.repeat(operation, **request)
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _reading(self, operation: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        request = await self._parameters(operation, own, given)
        if self._consistent and "IndexName" not in request:  # a global index has no consistent reads
            request.setdefault("ConsistentRead", True)
        return request

    async def _parameters(self, operation: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a request says; clients leave it to this to compare with its model what the caller has given."""
        whole = {"TableName": self._table.name, **own}
        if not given:
            return whole
        client = await self._table.client()
        model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
        request = merged(whole, self._values.parameters(model, given))
        if (report := ParamValidator().validate(request, model.input_shape)).has_errors():
            with self._table.mapped():
                raise ParamValidationError(report=report.generate_report())
        return request


def refused(table: str, key: Mapping[str, Image] | None, code: str, answer: dict[str, Any]) -> Exception | None:
    """Return what an answer means for the item with a key; ``None`` if that is the same for all."""
    if code == "ConditionalCheckFailedException" and key is not None:
        return ConflictError(address(table, key), "what the condition asks for", None)
    if code == "ValidationException":
        return ValueError(f"DynamoDB refuses the request to table {table!r}: {answer['Error'].get('Message', '')}")
    return None


def merged(own: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters that ask for both: both conditions, the names and values of both.

    Raises:
        TypeError: Both give something of which there can be one only.
    """
    request = {**given, **own}
    for name in own.keys() & given.keys():
        if name in _EXPRESSIONS:
            request[name] = {**given[name], **own[name]}
        elif name == "ConditionExpression":
            request[name] = f"({own[name]}) AND ({given[name]})"
        else:
            msg = f"{name} cannot be given here: it is what the call itself says"
            raise TypeError(msg)
    return request


def exists(name: str) -> dict[str, Any]:
    """Ask that there is an item; ``name`` is that of one of its keys."""
    return {"ConditionExpression": "attribute_exists(#ssshelf)", "ExpressionAttributeNames": {"#ssshelf": name}}


def absent(name: str) -> dict[str, Any]:
    """Ask that there is no item."""
    return {"ConditionExpression": "attribute_not_exists(#ssshelf)", "ExpressionAttributeNames": {"#ssshelf": name}}


def only(names: Iterable[str]) -> dict[str, Any]:
    """Ask for these attributes, whatever their names are."""
    placeholders = {f"#ssshelf{number}": name for number, name in enumerate(names)}
    return {"ProjectionExpression": ", ".join(placeholders), "ExpressionAttributeNames": placeholders}


def changes(images: Mapping[str, Image | None]) -> dict[str, Any]:
    """Set attributes, and remove those that are ``None``."""
    names = {f"#ssshelf{number}": name for number, name in enumerate(images)}
    values = {f":ssshelf{number}": image for number, image in enumerate(images.values()) if image is not None}
    sets = [f"{name} = :{name[1:]}" for name in names if f":{name[1:]}" in values]
    removes = [name for name in names if f":{name[1:]}" not in values]
    clauses = [f"{verb} {', '.join(parts)}" for verb, parts in (("SET", sets), ("REMOVE", removes)) if parts]
    request: dict[str, Any] = {"UpdateExpression": " ".join(clauses), "ExpressionAttributeNames": names}
    return {**request, "ExpressionAttributeValues": values} if values else request
