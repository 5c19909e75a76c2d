"""Tables of DynamoDB as dictionaries of native items: ``DynamoDBMapping``, and ``AsyncDynamoDBMapping`` to await."""

from __future__ import annotations

try:
    from ssshelf.dynamodb_mapping.mapping import AsyncDynamoDBMapping
except ModuleNotFoundError as error:
    msg = f"DynamoDBMapping needs {error.name}: pip install 'ssshelf[dynamodb]'"
    raise ModuleNotFoundError(msg, name=error.name) from error
from ssshelf.dynamodb_mapping.blocking import DynamoDBMapping
from ssshelf.dynamodb_mapping.items import DynamoDBItem
from ssshelf.dynamodb_mapping.schema import DynamoDBKeySimplified
from ssshelf.dynamodb_mapping.sessions import DynamoDBMappingOptions
from ssshelf.dynamodb_mapping.values import DynamoDBItemType

__all__ = [
    "AsyncDynamoDBMapping",
    "DynamoDBItem",
    "DynamoDBItemType",
    "DynamoDBKeySimplified",
    "DynamoDBMapping",
    "DynamoDBMappingOptions",
]
