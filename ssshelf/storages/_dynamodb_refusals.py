"""What DynamoDB's refusals mean to who asks about the rows of a storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ssshelf.errors import ConflictError, ShelfError, UnavailableError, UnsupportedError
from ssshelf.storages._dynamodb_errors import NOT_DONE
from ssshelf.storages._dynamodb_rows import PARTITION, POSITION
from ssshelf.storages.base import Delete, IfMatch, Operation, Put

__all__ = ["other_schema", "refused"]


def refused(table: str, operations: Sequence[Operation] | None, code: str, answer: dict[str, Any]) -> ShelfError | None:
    """Return what an answer means for ``operations``; ``None`` if that is the same for all."""
    message = str(answer.get("Error", {}).get("Message", ""))
    if code == "ConditionalCheckFailedException" and operations:
        return _conflict(operations[0])
    if code == "TransactionCanceledException":
        reasons = [reason.get("Code") for reason in answer.get("CancellationReasons", ())]
        return _canceled(table, operations or (), reasons)
    if code == "ValidationException" and ("key" in message.lower() or "schema" in message):
        return other_schema(table)
    if code == "UnknownOperationException":
        return UnsupportedError(
            f"DynamoDB: the store of table {table!r} has no such requests; without transactions, "
            "give transactions=False"
        )
    return None


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
    if all(reason in NOT_DONE for reason in reasons):
        return UnavailableError(said, maybe_applied=False)
    return other_schema(table) if "ValidationError" in reasons else ShelfError(said)
