"""dynamodb_mapping, whose ``update`` puts one item after the other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from dynamodb_mapping import DynamoDBMapping
from protocol import serve

if TYPE_CHECKING:
    from collections.abc import Iterator


def update(*, url: str, prefix: str, count: int) -> Iterator[Any]:
    os.environ["AWS_ENDPOINT_URL"] = url
    boto3.client("dynamodb").create_table(
        TableName=prefix,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    mapping = DynamoDBMapping(prefix)

    def work() -> int:
        mapping.update({f"item-{n:04}": {"description": "x" * 50, "price": n} for n in range(count)})
        return count

    yield work


if __name__ == "__main__":
    serve({"update": update}, ["dynamodb-mapping", "boto3"])
