"""Clients of DynamoDB that spend less on a request than aiobotocore's spend on their own, by its own settings."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable
from typing import Any, ClassVar

import orjson
from aiobotocore import __version__ as aiobotocore_version

from ssshelf.storages._aws_client import AWSOptions, ClientPool

__all__ = ["DynamoDBPool"]

_OK = 200
_READS = ("GetItem", "BatchGetItem", "Query", "Scan")


class DynamoDBPool(ClientPool):
    """Clients whose requests are not compared with their model, and whose answers to reads are decoded by orjson.

    So a get takes four fifths of the processor time, and a listing of 100 rows two fifths; ``python -m benchmarks
    dynamodb_scan`` measures it. Who sends parameters that a caller gave has to check them.
    """

    # The text that tells what the client is would be put together anew for each request, unless it is given.
    config: ClassVar[dict[str, Any]] = {
        "parameter_validation": False,
        "user_agent": f"aiobotocore/{aiobotocore_version}",
    }

    def __init__(self, session: Any, client: Any, concurrency: int, options: AWSOptions) -> None:
        if session is not None and not (hasattr(session, "client") or hasattr(session, "create_client")):
            msg = f"a session is an object such as aioboto3.Session(), not {type(session).__name__}: give one, or none"
            raise TypeError(msg)
        if concurrency < 1:
            msg = f"concurrency must be at least 1, not {concurrency}"
            raise ValueError(msg)
        super().__init__("dynamodb", session, client, concurrency, options)

    def _adapt(self, client: Any) -> None:
        for operation in _READS:
            client.meta.events.register(f"before-parse.dynamodb.{operation}", _decode)


def _decode(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Decode the answer to a read as botocore does, which takes each value through the model; it gets an empty one."""
    if response_dict["status_code"] != _OK:
        return
    try:
        answer = orjson.loads(response_dict["body"])
    except orjson.JSONDecodeError:
        return
    if isinstance(answer, dict):  # or it is the answer of something else
        customized_response_dict.update(
            (name, _MEMBERS.get(name, _same)(value)) for name, value in answer.items() if value is not None
        )
    response_dict["body"] = b""


def _same(value: Any) -> Any:
    return value


def _image(value: dict[str, Any]) -> dict[str, Any]:
    ((letter, inner),) = value.items()
    decode = _LETTERS.get(letter)
    return value if decode is None else {letter: decode(inner)}


def _images(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(map(_image, values))


def _item(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value if "S" in value or "N" in value else _image(value) for name, value in item.items()}


def _items(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(map(_item, items))


def _of_tables(answer: dict[str, Any]) -> dict[str, Any]:
    return {table: _items(items) for table, items in answer.items()}


def _unprocessed(answer: dict[str, Any]) -> dict[str, Any]:
    return {table: {**asked, "Keys": _items(asked["Keys"])} for table, asked in answer.items()}


_LETTERS: dict[str, Callable[[Any], Any]] = {
    "B": a2b_base64,
    "BS": lambda values: list(map(a2b_base64, values)),
    "L": _images,
    "M": _item,
}
_MEMBERS: dict[str, Callable[[Any], Any]] = {
    "Item": _item,
    "Items": _items,
    "LastEvaluatedKey": _item,
    "Responses": _of_tables,
    "UnprocessedKeys": _unprocessed,
}
