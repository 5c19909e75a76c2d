"""How entries are rows of a DynamoDB table: in which partition, under which attributes."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from ssshelf.errors import CorruptionError
from ssshelf.keys import MAX_KEY_BYTES, Key
from ssshelf.storages.base import Entry, IfAbsent, Operation, Put, Row, content_etag

__all__ = [
    "LARGEST_DATA_BYTES",
    "LISTED",
    "PARTITION",
    "POSITION",
    "Rows",
    "clamped",
    "entry_of",
    "partition_below",
    "partition_of",
    "row_of",
]

PARTITION, POSITION = "p", "k"
"""The keys of a table. The length of names counts with every row, in storage and in throughput, so they are short."""
LARGEST_DATA_BYTES = 396 * 1024
"""A row has 400 KB at most; the longest names of one take less than what this leaves."""

_DATA, _ETAG, _SIZE, _MODIFIED = "d", "e", "s", "t"
LISTED = f"{POSITION}, {_ETAG}, {_SIZE}, {_MODIFIED}"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_SEPARATOR = "@"  # in no k1 text, so that nothing in a prefix can make two partitions one
_DEPTHS = {"collections": 3, "unique": 3}
_DEPTH = 2


def partition_of(text: str) -> str:
    """Return which partition the key with this text is in: its first two parts, or three of a collection's.

    So each manager's items, and each collection, have a partition. The keys of a partition follow one another in the
    order of all keys, whatever the number of parts, as long as the first part alone decides on that number.
    """
    depth = _DEPTHS.get(text.partition("!/")[0], _DEPTH)
    pieces = text.split("!/", depth)
    return "!/".join(pieces[:depth]) + "!" if len(pieces) > depth else text


def partition_below(prefix: Key) -> str | None:
    """Return the partition that has everything below ``prefix``; ``None`` when there are several."""
    partition = partition_of(prefix.below)
    return partition if partition != prefix.below else None


def clamped(position: str) -> str:
    """Return a position that DynamoDB takes: between the same keys as this one, or at a key."""
    return re.sub(r"[^\x01-\x7f].*", "\x7f", position, flags=re.DOTALL)[:MAX_KEY_BYTES]


class Rows:
    """The rows of one storage.

    Args:
        prefix: Keeps several storages in one table apart.
    """

    def __init__(self, prefix: str) -> None:
        self._root = prefix + _SEPARATOR

    def partition(self, partition: str) -> dict[str, str]:
        """Return a partition as the value of its key attribute; that of the empty text names all others."""
        return {"S": self._root + partition}

    def key(self, key: Key) -> dict[str, Any]:
        """Return the primary key of an entry's row."""
        return {PARTITION: self.partition(partition_of(key.text)), POSITION: {"S": key.text}}

    def registration(self, partition: str) -> dict[str, Any]:
        """Return the row that names a partition."""
        return {PARTITION: self.partition(""), POSITION: {"S": partition}}

    def item(self, key: Key, data: bytes, modified: dt.datetime | None) -> dict[str, Any]:
        """Return the row of an entry."""
        item = {**self.key(key), _ETAG: {"S": content_etag(data)}, _SIZE: {"N": str(len(data))}}
        if data:  # not every store takes empty values
            item[_DATA] = {"B": data}
        if modified is not None:
            item[_MODIFIED] = {"N": str((modified - _EPOCH) // _MICROSECOND)}
        return item

    def request(self, operation: Operation, modified: dt.datetime | None) -> dict[str, Any]:
        """Return what a put or a deletion asks for, but for the table."""
        request: dict[str, Any] = (
            {"Item": self.item(operation.key, operation.data, modified)}
            if isinstance(operation, Put)
            else {"Key": self.key(operation.key)}
        )
        if isinstance(operation.condition, IfAbsent):
            request["ConditionExpression"] = f"attribute_not_exists({POSITION})"
        elif operation.condition is not None:
            request["ConditionExpression"] = f"{_ETAG} = :etag"
            request["ExpressionAttributeValues"] = {":etag": {"S": operation.condition.etag}}
        return request


def entry_of(key: Key, item: dict[str, Any]) -> Entry:
    """Return the entry in a row.

    Raises:
        CorruptionError: It is damaged, or no row of ours.
    """
    data = item.get(_DATA, {}).get("B", b"")
    etag = content_etag(data)
    if item.get(_ETAG) != {"S": etag}:
        raise CorruptionError(key, "it is damaged, or was written by another program: its digest is another one")
    return Entry(data, etag)


def row_of(item: dict[str, Any]) -> Row:
    """Return what a listing tells of a row."""
    size, modified = item.get(_SIZE), item.get(_MODIFIED)
    return Row(
        Key.from_text(item[POSITION]["S"]),
        item.get(_ETAG, {}).get("S"),
        None if size is None else int(size["N"]),
        None if modified is None else _EPOCH + dt.timedelta(microseconds=int(modified["N"])),
    )
