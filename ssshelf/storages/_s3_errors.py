"""What S3 says went wrong, in the words of ``ssshelf.errors``."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from ssshelf.errors import (
    ConflictError,
    DeniedError,
    NotFoundError,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
    UnsupportedError,
)
from ssshelf.keys import Key
from ssshelf.storages import _aws_errors
from ssshelf.storages.base import Condition, IfMatch

__all__ = ["code_error", "mapped"]

_DENIED = {
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_BUSY = {"RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "Throttling", "OperationAborted"}
# Ceph's answer to who has lost a race: it has cancelled this write, as src/rgw/driver/rados/rgw_rados.cc shows.
_CANCELLED = "ConcurrentModification"
_ELSEWHERE = {"PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException"}
_CONFLICT, _PRECONDITION_FAILED, _NOT_FOUND, _NOT_IMPLEMENTED, _SERVER_ERROR = 409, 412, 404, 501, 500


def mapped(bucket: str, key: Key, condition: Condition | None = None) -> AbstractContextManager[None]:
    """Return what raises what the client raises inside as the ``ssshelf.errors`` it means for ``key``."""

    def meaning(code: str, status: int, _: Any) -> ShelfError:
        failure = code_error(bucket, key, code, status)
        # A store answers 404 when the entry that If-Match names is gone.
        if condition is not None and (status == _PRECONDITION_FAILED or isinstance(failure, NotFoundError)):
            return ConflictError(key, condition.etag if isinstance(condition, IfMatch) else None, None)
        return failure

    return _aws_errors.mapped("S3", meaning)


def code_error(bucket: str, key: Key, code: str, status: int) -> ShelfError:  # noqa: PLR0911  a table
    """Return the error that an answer with this code and HTTP status means.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    if code == "NoSuchBucket":
        return StoreNotFoundError(f"S3: there is no bucket {bucket!r} at this endpoint")
    if code in ("NoSuchKey", "404") or (status == _NOT_FOUND and not code):
        return NotFoundError(key)
    answer = f"{status} {code}" if code not in ("", str(status)) else status  # which botocore takes for a code
    said = f"S3 answered {answer} for bucket {bucket!r}"
    if status in (401, 403) or code in _DENIED:
        return DeniedError(f"{said}: these credentials are wrong here, or their policy does not allow it")
    if code in _ELSEWHERE:
        return StoreNotFoundError(f"{said}: the bucket is in another region; give its region_name")
    if status == _NOT_IMPLEMENTED:
        return UnsupportedError(said)
    if code == _CANCELLED:
        return UnavailableError(said, maybe_applied=False)
    # 409 means that another write is under way, also the one before a repetition: only reading tells.
    if status in (_CONFLICT, 408, 429) or status >= _SERVER_ERROR or code in _BUSY:
        return UnavailableError(said)
    return ShelfError(said)
