"""What the clients of AWS and of stores like it say went wrong, in the words of ``ssshelf.errors``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeAlias

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as NoConnectionError,
)

from ssshelf.errors import DeniedError, ShelfError, UnavailableError

__all__ = ["Meaning", "mapped"]

_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound)
_BROKEN = (
    NoConnectionError,
    HTTPClientError,
    ResponseStreamingError,
    IncompleteReadError,
    aiohttp.ClientError,
    OSError,
    asyncio.TimeoutError,
)


Meaning: TypeAlias = Callable[[str, int, dict[str, Any]], Exception]
"""Returns the error that an answer means, by its code, its HTTP status, and all of it."""


class mapped(contextlib.AbstractContextManager[None]):  # noqa: N801  as contextlib has them; requests enter it
    """Raises what a client raises inside as one of ``ssshelf.errors``.

    Args:
        store: What messages call the store.
        meaning: What its answers mean.
    """

    __slots__ = ("_meaning", "_store")

    def __init__(self, store: str, meaning: Meaning) -> None:
        self._store = store
        self._meaning = meaning

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        # A ShelfError is one of a request inside; some of them are an OSError, too.
        if error is not None and not isinstance(error, ShelfError):
            meant = _meant(error, self._store, self._meaning)
            if meant is not None:
                raise meant from error


def _meant(error: BaseException, store: str, meaning: Meaning) -> Exception | None:
    """Return the error that ``error`` is to be raised as, if it is one of a client's."""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return meaning(code, status, error.response)
    if isinstance(error, _BROKEN):
        reason = f"{store}: {type(error).__name__}: {str(error) or 'the whole answer did not come in time'}"
        return UnavailableError(reason, maybe_applied=not _never_sent(error))
    return _unsent(error, store)


def _unsent(error: BaseException, store: str) -> Exception | None:
    """Return the same for what was found out before anything was sent."""
    if isinstance(error, _CREDENTIALS):
        return DeniedError(
            f"{store}: {error}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or run under a role"
        )
    if isinstance(error, NoRegionError):
        return ValueError(
            f"{store}: no region is set: give region_name, or ?region= in the URL, or set AWS_DEFAULT_REGION"
        )
    if isinstance(error, ParamValidationError):
        parameter, _, _ = str(error.kwargs.get("report", error)).partition(", value: ")  # that may be a secret
        return ValueError(f"{store}: {parameter.splitlines()[0]}")
    return ShelfError(f"{store}: {error}") if isinstance(error, BotoCoreError) else None


def _never_sent(error: Any) -> bool:
    cause = getattr(error, "kwargs", {}).get("error", error)
    unconnected = aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
    return isinstance(error, ConnectTimeoutError) or isinstance(cause, unconnected)
