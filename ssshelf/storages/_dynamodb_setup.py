"""The table of a ``DynamoDBStorage``: made, waited for, and checked."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from ssshelf.errors import UnavailableError
from ssshelf.storages._dynamodb_errors import other_schema
from ssshelf.storages._dynamodb_rows import PARTITION, POSITION

__all__ = ["expire_by", "keep_backups", "make_table"]

_KEYS = {PARTITION: "HASH", POSITION: "RANGE"}
_LOOKS = 60
_PAUSE_S = 2.0


async def make_table(client: Any, table: str, capacity: tuple[int, int] | None) -> None:
    """Make ``table`` if there is none, and return once it can be used.

    Raises:
        UnsupportedError: There is one with other keys.
        UnavailableError: It is not ready after two minutes.
    """
    request: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
    if capacity is not None:
        units = {"ReadCapacityUnits": capacity[0], "WriteCapacityUnits": capacity[1]}
        request = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}
    # It may be there, or somebody is just making it.
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        await client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in _KEYS.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in _KEYS],
            **request,
        )
    _check_schema(table, await _active(client, table))


async def keep_backups(client: Any, table: str) -> None:
    """Let the table be restored to any point in the last 35 days."""
    await client.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


async def expire_by(client: Any, table: str, attribute: str) -> None:
    """Let DynamoDB remove rows some time after the moment in ``attribute``, in seconds since 1970."""
    described = await client.describe_time_to_live(TableName=table)
    if described.get("TimeToLiveDescription", {}).get("AttributeName") != attribute:
        await client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute}
        )


async def _active(client: Any, table: str) -> dict[str, Any]:
    for look in range(_LOOKS):
        try:
            described: dict[str, Any] = (await client.describe_table(TableName=table))["Table"]
        except client.exceptions.ResourceNotFoundException:  # who just heard that it is there may not see it yet
            described = {}
        if described.get("TableStatus") in ("ACTIVE", "UPDATING"):
            return described
        await asyncio.sleep(min(_PAUSE_S, 0.05 * 2**look))
    msg = f"DynamoDB: table {table!r} is not ready yet: call create_table() again to wait for it"
    raise UnavailableError(msg)


def _check_schema(table: str, described: dict[str, Any]) -> None:
    keys = {key["AttributeName"]: key["KeyType"] for key in described["KeySchema"]}
    types = {one["AttributeName"]: one["AttributeType"] for one in described["AttributeDefinitions"]}
    if keys != _KEYS or any(types.get(name) != "S" for name in _KEYS):
        raise other_schema(table)
