"""What DynamoDB says went wrong, in the words of ``ssshelf.errors``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ssshelf.errors import (
    ConflictError,
    DeniedError,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
    UnsupportedError,
)
from ssshelf.storages import _aws_errors
from ssshelf.storages._dynamodb_rows import PARTITION, POSITION
from ssshelf.storages.base import Delete, IfMatch, Operation, Put

__all__ = ["mapped", "other_schema"]

_DENIED = {
    "AccessDeniedException",
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NOT_DONE = {
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TransactionConflict",
    "TransactionConflictException",
}
"""Refused before anything was written: too much at once, or a transaction under way on the same rows."""
_SERVER_ERROR = 500


@contextlib.contextmanager
def mapped(table: str, operations: Sequence[Operation] = ()) -> Iterator[None]:
    """Raise what the client raises inside as the ``ssshelf.errors`` it means for ``operations``."""

    def meaning(code: str, status: int, answer: dict[str, Any]) -> ShelfError:
        if code == "ConditionalCheckFailedException" and operations:
            return _conflict(operations[0])
        if code == "TransactionCanceledException":
            return _canceled(
                table, operations, [reason.get("Code") for reason in answer.get("CancellationReasons", ())]
            )
        return _code_error(table, code, status, str(answer.get("Error", {}).get("Message", "")))

    with _aws_errors.mapped("DynamoDB", meaning):
        yield


def other_schema(table: str) -> UnsupportedError:
    """Return the error of a table that was not made for this."""
    return UnsupportedError(
        f"DynamoDB: table {table!r} has other keys than a string {PARTITION!r} and, to sort by, a string {POSITION!r}: "
        "use a table of its own, which `await storage.create_table()` makes"
    )


def _conflict(operation: Put | Delete) -> ConflictError:
    expected = operation.condition.etag if isinstance(operation.condition, IfMatch) else None
    return ConflictError(operation.key, expected, None)


def _canceled(table: str, operations: Sequence[Operation], codes: Sequence[str | None]) -> ShelfError:
    """Return what it means that a transaction was canceled, for a reason for each operation."""
    for operation, code in zip(operations, codes, strict=False):
        if code == "ConditionalCheckFailed":
            return _conflict(operation)
    reasons = [code for code in codes if code not in (None, "None")]
    said = f"DynamoDB canceled a transaction on table {table!r}: {', '.join(map(str, reasons)) or 'no reason given'}"
    if all(reason in _NOT_DONE for reason in reasons):
        return UnavailableError(said, maybe_applied=False)
    return other_schema(table) if "ValidationError" in reasons else ShelfError(said)


def _code_error(table: str, code: str, status: int, message: str) -> ShelfError:  # noqa: PLR0911  a table
    """Return the error that an answer with this code and HTTP status means.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    said = f"DynamoDB answered {status} {code} for table {table!r}"
    if code == "ResourceNotFoundException":
        advice = "fix its name, region or endpoint, or make it with `await storage.create_table()`"
        return StoreNotFoundError(f"DynamoDB: there is no table {table!r} that can be used here: {advice}")
    if code == "ValidationException" and ("key" in message.lower() or "schema" in message):
        return other_schema(table)
    if code == "UnknownOperationException":
        return UnsupportedError(
            f"{said}: this store has no such requests; without transactions, give transactions=False"
        )
    if code == "ItemCollectionSizeLimitExceededException":
        return UnsupportedError(f"{said}: a local secondary index bounds its partitions; use a table without one")
    if status in (401, 403) or code in _DENIED:
        advice = "these credentials are wrong here, expired, or not allowed to do it, or this machine's clock is wrong"
        return DeniedError(f"{said}: {advice}")
    if code in _NOT_DONE:
        return UnavailableError(said, maybe_applied=False)
    if status in (408, 429) or status >= _SERVER_ERROR or code == "TransactionInProgressException":
        return UnavailableError(said)
    return ShelfError(f"{said}: {message}" if code == "ValidationException" else said)
