"""What the clients of AWS and of stores like it say went wrong, in the words of ``ssshelf.errors``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

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

__all__ = ["mapped"]

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


@contextlib.contextmanager
def mapped(store: str, meaning: Callable[[str, int, dict[str, Any]], Exception]) -> Iterator[None]:
    """Raise what a client raises inside as one of ``ssshelf.errors``.

    Args:
        store: What messages call the store.
        meaning: Returns the error that an answer means, by its code, its HTTP status, and all of it.
    """
    try:
        yield
    except ShelfError:  # of a request inside; some of them are an OSError, too
        raise
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise meaning(code, status, error.response) from error
    except _CREDENTIALS as error:
        msg = f"{store}: {error}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or run under a role"
        raise DeniedError(msg) from error
    except NoRegionError as error:
        msg = f"{store}: no region is set: give region_name, or ?region= in the URL, or set AWS_DEFAULT_REGION"
        raise ValueError(msg) from error
    except ParamValidationError as error:
        parameter, _, _ = str(error.kwargs.get("report", error)).partition(", value: ")  # that may be a secret
        msg = f"{store}: {parameter.splitlines()[0]}"
        raise ValueError(msg) from error
    except _BROKEN as error:
        reason = f"{store}: {type(error).__name__}: {str(error) or 'the whole answer did not come in time'}"
        raise UnavailableError(reason, maybe_applied=not _never_sent(error)) from error
    except BotoCoreError as error:
        msg = f"{store}: {error}"
        raise ShelfError(msg) from error


def _never_sent(error: Any) -> bool:
    cause = getattr(error, "kwargs", {}).get("error", error)
    unconnected = aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
    return isinstance(error, ConnectTimeoutError) or isinstance(cause, unconnected)
