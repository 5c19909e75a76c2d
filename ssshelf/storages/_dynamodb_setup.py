"""Tables of DynamoDB: made, waited for, and what their keys are."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from ssshelf.errors import UnavailableError

__all__ = ["expire_by", "keep_backups", "keys_of", "make_table"]

_LOOKS = 60
_PAUSE_S = 2.0


async def make_table(
    client: Any, table: str, keys: Mapping[str, str], capacity: tuple[int, int] | None
) -> dict[str, str]:
    """Make ``table`` if there is none, and return once it can be used.

    Args:
        client: Of DynamoDB.
        table: What it is called.
        keys: Its keys and their types, the partition key first.
        capacity: Read and write units to provision; ``None`` pays for each request.

    Returns:
        The keys of the table that there is.

    Raises:
        TypeError: That is no capacity.
        UnavailableError: It is not ready after two minutes.
    """
    request: dict[str, Any] = {"BillingMode": "PAY_PER_REQUEST"}
    if capacity is not None:
        if not (isinstance(capacity, tuple) and [type(units) for units in capacity] == [int, int]):
            msg = f"capacity is read and write units, such as (5, 5), not {capacity!r:.100}"
            raise TypeError(msg)
        units = {"ReadCapacityUnits": capacity[0], "WriteCapacityUnits": capacity[1]}
        request = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}
    # It may be there, or somebody is just making it.
    with contextlib.suppress(client.exceptions.ResourceInUseException):
        await client.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": letter} for name, letter in keys.items()],
            **request,
        )
    return keys_of(await _active(client, table))


def keys_of(described: dict[str, Any]) -> dict[str, str]:
    """Return the keys of a table and their types, the partition key first."""
    types = {one["AttributeName"]: one["AttributeType"] for one in described["AttributeDefinitions"]}
    schema = sorted(described["KeySchema"], key=lambda key: str(key["KeyType"]))  # HASH, then RANGE
    return {key["AttributeName"]: types[key["AttributeName"]] for key in schema}


async def keep_backups(client: Any, table: str) -> None:
    """Let the table be restored to any point in the last 35 days."""
    await client.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


async def expire_by(client: Any, table: str, attribute: str) -> None:
    """Let DynamoDB remove rows some time after the moment in ``attribute``, in seconds since 1970."""
    if not isinstance(attribute, str):
        msg = f"ttl_attribute is the name of an attribute, not {attribute!r:.100}"
        raise TypeError(msg)
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
