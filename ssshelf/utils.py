"""Names that users of ssshelf 0.1 import; nothing new belongs here."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

__all__ = ["convert_datetime_to_str", "json_dump"]


def convert_datetime_to_str(moment: dt.datetime) -> str:
    """Return ``moment`` in UTC, to the second, as ``2017-10-10T00:00:00Z``; a naive one is taken for UTC.

    >>> convert_datetime_to_str(dt.datetime(2017, 10, 10))
    '2017-10-10T00:00:00Z'
    """
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def json_dump(*args: Any, **kwargs: Any) -> str:
    """Return ``json.dumps`` of the arguments, with datetimes and UUIDs as text.

    >>> json_dump({"at": dt.datetime(2017, 10, 10)})
    '{"at": "2017-10-10T00:00:00Z"}'
    """
    kwargs.setdefault("default", _default)
    return json.dumps(*args, **kwargs)


def _default(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return convert_datetime_to_str(value)
    if isinstance(value, uuid.UUID):
        return str(value)
    msg = f"{type(value).__name__} has no JSON form here"
    raise TypeError(msg)
