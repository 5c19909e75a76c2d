"""What DynamoDB says went wrong, in the words of ``ssshelf.errors``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ssshelf.errors import DeniedError, ShelfError, StoreNotFoundError, UnavailableError, UnsupportedError
from ssshelf.storages import _aws_errors

__all__ = ["NOT_DONE", "Refused", "mapped"]

Refused = Callable[[str, Any, str, dict[str, Any]], Exception | None]
"""Returns what an answer means, by the table, what was asked, its code and all of it; ``None`` when that is as ever."""

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
NOT_DONE = {
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


def mapped(table: str, refused: Refused, about: Any = None) -> AbstractContextManager[None]:
    """Return what raises what the client raises inside as the ``ssshelf.errors`` it means.

    Args:
        table: What the table is called.
        refused: Says what an answer means to who asked, who knows more.
        about: What was asked, for ``refused``.
    """

    def meaning(code: str, status: int, answer: dict[str, Any]) -> Exception:
        known = refused(table, about, code, answer)
        return known or _code_error(table, code, status, str(answer.get("Error", {}).get("Message", "")))

    return _aws_errors.mapped("DynamoDB", meaning)


def _code_error(table: str, code: str, status: int, message: str) -> ShelfError:  # noqa: PLR0911  a table
    """Return the error that an answer with this code and HTTP status means.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    said = f"DynamoDB answered {status} {code} for table {table!r}"
    if code == "ResourceNotFoundException":
        advice = "fix its name, region or endpoint, or make it with create_table()"
        return StoreNotFoundError(f"DynamoDB: there is no table {table!r} that can be used here: {advice}")
    if code == "UnknownOperationException":
        return UnsupportedError(f"{said}: this store has no such requests")
    if code == "ItemCollectionSizeLimitExceededException":
        return UnsupportedError(f"{said}: a local secondary index bounds its partitions; use a table without one")
    if status in (401, 403) or code in _DENIED:
        advice = "these credentials are wrong here, expired, or not allowed to do it, or this machine's clock is wrong"
        return DeniedError(f"{said}: {advice}")
    if code in NOT_DONE:
        return UnavailableError(said, maybe_applied=False)
    if status in (408, 429) or status >= _SERVER_ERROR or code == "TransactionInProgressException":
        return UnavailableError(said)
    return ShelfError(f"{said}: {message}" if code == "ValidationException" else said)
