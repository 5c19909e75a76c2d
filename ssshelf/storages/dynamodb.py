"""A storage in a table of DynamoDB, or of a store that speaks its language."""

from __future__ import annotations

import dataclasses
import uuid
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ssshelf.errors import ConflictError, NotFoundError, UnavailableError, UnsupportedError
from ssshelf.keys import MAX_KEY_BYTES, Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import (
    CONCURRENCY,
    MAX_SCAN_ROWS,
    Capabilities,
    Condition,
    Delete,
    Entry,
    IfMatch,
    Operation,
    Put,
    Row,
    Scan,
    Storage,
    check_limit,
    content_etag,
    prefix_range,
)
from ssshelf.storages.urls import environment_url

try:
    from ssshelf.storages._aws_client import AWSOptions, is_aws, url_settings
    from ssshelf.storages._dynamodb_client import DynamoDBPool
except ModuleNotFoundError as error:
    msg = f"DynamoDBStorage needs {error.name}: pip install 'ssshelf[dynamodb]'"
    raise ModuleNotFoundError(msg, name=error.name) from error
from ssshelf.storages import _dynamodb_setup as setup
from ssshelf.storages._dynamodb_listing import Listing
from ssshelf.storages._dynamodb_refusals import other_schema, refused
from ssshelf.storages._dynamodb_rows import LARGEST_DATA_BYTES, PARTITION, POSITION, Rows, entry_of
from ssshelf.storages._dynamodb_table import Table
from ssshelf.storages._together import Together

if TYPE_CHECKING:
    from typing import Self, Unpack

    from ssshelf.storages.probe import Probe

__all__ = ["DynamoDBOptions", "DynamoDBStorage"]

_URL_OPTIONS = {"region": "region_name", **{name: name for name in ("endpoint_url", "prefix", "transactions")}}
_KEYS = {PARTITION: "S", POSITION: "S"}
_LARGEST_TRANSACTION = 100
_LARGEST_TRANSACTION_BYTES = 4 * 2**20
_LONGEST_PREFIX_BYTES = 2048 - MAX_KEY_BYTES - 1
_NAMES_BYTES = 4096
"""More than the names in a row take."""
# A request is refused once its date is 15 minutes off, mostly much earlier; its sender's clock may be as much ahead.
_LATE_S = 1800.0


class DynamoDBOptions(AWSOptions, total=False):
    """Where the store is, who asks, and what it can do: those of ``AWSOptions``, and one more.

    Attributes:
        transactions: Whether the store has transactions: DynamoDB does, others that speak its language mostly do not.
            Without them, items are committed by conditional writes of single rows, as on S3.
    """

    transactions: bool


class DynamoDBStorage(Storage):
    """Entries as the rows of a table, which ``create_table`` makes.

    Reads, listings, deletions and unconditional writes are repeated when the store does not answer, and so are
    transactions, by an idempotency token; a single conditional write is sent once, so that its caller sees each
    attempt. All reads are strongly consistent. Nothing is sent before the first use. Use it as ``async with
    DynamoDBStorage(…) as storage``, or call ``aclose``, within each ``asyncio.run``.

    Args:
        table: The table; ``None`` takes table, prefix and options from ``SSSHELF_URL``.
        prefix: Keeps several storages in one table apart; partition keys begin with it and an ``@``.
        session: An aioboto3 ``Session`` or aiobotocore ``AioSession`` to make clients with.
        client: A ready aioboto3 or aiobotocore client; it is not closed here.
        concurrency: Most requests at a time, and connections kept open.
        retries: How reads and other safe requests are repeated.
        options: Region, endpoint, credentials, time limits, transactions: see ``DynamoDBOptions``. Without
            credentials, botocore's usual chain finds them: environment, profile, role.

    Cost:
        One request for each call; a scan one for each partition and for each MB that it reads, the data of rows
        included. Gets that are made at the same moment, as for a page of items, are sent together, one request for
        each 100, and so are unconditional puts, one for each 25; ``get_many``, ``put_many`` and ``delete_many``
        likewise. This object's first write to a partition costs a get more, and the very first one a put.
    """

    def __init__(
        self,
        table: str | None = None,
        prefix: str = "",
        *,
        session: Any = None,
        client: Any = None,
        concurrency: int = CONCURRENCY,
        retries: RetryPolicy | None = None,
        **options: Unpack[DynamoDBOptions],
    ) -> None:
        if table is None:
            table, prefix, options = _settings(environment_url(), prefix, options)
        if len(prefix.encode()) > _LONGEST_PREFIX_BYTES:
            msg = f"a prefix of {len(prefix.encode())} bytes is too long, {_LONGEST_PREFIX_BYTES} is the most"
            raise ValueError(msg)
        self.table = table
        self.prefix = prefix
        transactions = options.pop("transactions", True)
        pool = DynamoDBPool(session, client, concurrency, options)
        self._table = Table(table, pool, retries or RetryPolicy(), refused)
        self._rows = Rows(prefix)
        self._listing = Listing(self._table, self._rows)
        self._gets = Together(self._read)
        self._puts = Together(self._write)
        self._capabilities = Capabilities(
            atomic_batch=_LARGEST_TRANSACTION if transactions else 1,
            max_value_bytes=LARGEST_DATA_BYTES,
            late_s=None,
            descending_scan=True,
        )

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the storage of ``dynamodb://table?region=…&endpoint_url=…&prefix=…&transactions=no``."""
        table, prefix, options = _settings(url, "", {})
        return cls(table, prefix, **options)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def create_table(
        self,
        *,
        capacity: tuple[int, int] | None = None,
        point_in_time_recovery: bool = False,
        ttl_attribute: str | None = None,
    ) -> None:
        """Make the table, if there is none, and return once it can be used; many may do so at once.

        Args:
            capacity: Read and write units to provision; ``None`` pays for each request. Only for a new table.
            point_in_time_recovery: Also switch on continuous backups.
            ttl_attribute: Also let DynamoDB remove rows by this attribute. No row of ssshelf has it: it is for others.

        Raises:
            UnsupportedError: There is such a table, and it has other keys.
            DeniedError: The credentials do not allow it.
            UnavailableError: The table is not ready in time; safe to repeat.
        """
        with self._table.mapped():
            client = await self._table.client()
            made = await setup.make_table(client, self.table, _KEYS, capacity)
            if list(made.items()) != list(_KEYS.items()):
                raise other_schema(self.table)
            if point_in_time_recovery:
                await setup.keep_backups(client, self.table)
            if ttl_attribute is not None:
                await setup.expire_by(client, self.table, ttl_attribute)
        self._listing.forget()

    async def get(self, key: Key) -> Entry:
        if len(key.text) > MAX_KEY_BYTES:  # DynamoDB would call the request malformed
            raise NotFoundError(key)
        row = await self._gets.ask(key)
        if row is None:
            raise NotFoundError(key)
        return entry_of(key, row)

    async def get_many(self, keys: Sequence[Key]) -> list[Entry | None]:
        """Return the newest entry under each of ``keys``; ``None`` where there is none."""
        rows = await self._read_batch(keys)
        return [None if row is None else entry_of(key, row) for key, row in zip(keys, rows, strict=True)]

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self._capabilities.check_entry(key, data)
        await self._listing.register([key])
        if condition is None:
            await self._puts.ask((key, data))
        else:
            await self._send_put(self._table.send, Put(key, data, condition))
        return content_etag(data)

    async def put_many(self, entries: Mapping[Key, bytes]) -> None:
        """Store all of ``entries``, each whole; safe to repeat after an error."""
        for key, data in entries.items():
            self._capabilities.check_entry(key, data)
        await self._listing.register(entries)
        await self._write_batch(entries)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if len(key.text) > MAX_KEY_BYTES and condition is None:
            return
        self._capabilities.check_key(key)
        operation = Delete(key, condition)
        send = self._table.send if condition else self._table.repeat
        await send("delete_item", [operation], TableName=self.table, **self._rows.request(operation, None))

    async def delete_many(self, keys: Sequence[Key]) -> None:
        texts = {key.text: key for key in keys if len(key.text) <= MAX_KEY_BYTES}
        await self._table.write_all([{"DeleteRequest": {"Key": self._rows.key(key)}} for key in texts.values()])

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        self._check_transaction(operations)
        if not operations:  # which DynamoDB would call malformed
            return []
        await self._listing.register(operation.key for operation in operations if isinstance(operation, Put))
        now = self._table.clock.now()
        requests = [
            {type(operation).__name__: {"TableName": self.table, **self._rows.request(operation, now)}}
            for operation in operations
        ]
        failures: list[UnavailableError] = []
        token = uuid.uuid4().hex

        async def attempt() -> None:
            await self._table.send("transact_write_items", operations, TransactItems=requests, ClientRequestToken=token)

        try:
            await self._table.retries.repeat(attempt, failures=failures)
        except ConflictError as error:
            if any(failure.maybe_applied for failure in failures):  # the attempt before may yet arrive
                msg = f"DynamoDB: a transaction was refused after an attempt that was not answered: {error.key}"
                raise UnavailableError(msg) from error
            raise
        return [content_etag(operation.data) if isinstance(operation, Put) else None for operation in operations]

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return await self._scan(prefix, prefix_range(prefix, after, before), limit)

    async def scan_descending(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        return await self._scan(prefix, prefix_range(prefix, after, before), limit, descending=True)

    async def _scan(self, prefix: Key, bounds: tuple[str, str], limit: int, *, descending: bool = False) -> Scan:
        check_limit(limit)
        rows: list[Row] = []
        partitions = await self._listing.partitions(prefix, *bounds)
        for partition in reversed(partitions) if descending else partitions:
            found, more = await self._listing.rows(partition, *bounds, limit - len(rows), descending=descending)
            rows += found
            if more:
                return Scan(tuple(rows), rows[-1].key.text)
        return Scan(tuple(rows), None)

    async def probe(self, *, fresh: bool = True) -> Probe:
        client = await self._table.client()
        late_s = _LATE_S + self._table.late_s if is_aws(client.meta.endpoint_url) else None
        self._capabilities = dataclasses.replace(self._capabilities, late_s=late_s)
        return await super().probe(fresh=fresh)

    async def aclose(self) -> None:
        await self._table.aclose()

    async def _read(self, keys: list[Key]) -> Sequence[dict[str, Any] | None]:
        if len(keys) > 1:
            return await self._read_batch(keys)
        answer = await self._table.ask("get_item", Key=self._rows.key(keys[0]))
        return [answer.get("Item")]

    async def _read_batch(self, keys: Sequence[Key]) -> Sequence[dict[str, Any] | None]:
        wanted = {key.text: key for key in keys if len(key.text) <= MAX_KEY_BYTES}
        rows = await self._table.get_all([self._rows.key(key) for key in wanted.values()])
        found = {row[POSITION]["S"]: row for row in rows}
        return [found.get(key.text) for key in keys]

    async def _write(self, entries: list[tuple[Key, bytes]]) -> Sequence[None]:
        if len(entries) > 1:  # of those under one key, which nobody can have told apart, the last one stays
            await self._write_batch(dict(entries))
        else:
            await self._send_put(self._table.repeat, Put(*entries[0]))
        return [None] * len(entries)

    async def _write_batch(self, entries: Mapping[Key, bytes]) -> None:
        now = self._table.clock.now()
        await self._table.write_all(
            [{"PutRequest": {"Item": self._rows.item(*entry, now)}} for entry in entries.items()]
        )

    async def _send_put(self, send: Callable[..., Awaitable[object]], put: Put) -> None:
        request = self._rows.request(put, self._table.clock.now())
        await send("put_item", [put], TableName=self.table, **request)

    def _check_transaction(self, operations: Sequence[Operation]) -> None:
        most = self._capabilities.atomic_batch
        if most == 1:
            msg = f"{self!r} was made without transactions"
            raise UnsupportedError(msg)
        if len(operations) > most:
            msg = f"{self!r}: a transaction takes {most} operations, not {len(operations)}"
            raise UnsupportedError(msg)
        size_bytes = 0
        for operation in operations:
            self._capabilities.check_key(operation.key)
            if isinstance(operation, Put):
                self._capabilities.check_entry(operation.key, operation.data)
                size_bytes += len(operation.data) + _NAMES_BYTES
        if size_bytes > _LARGEST_TRANSACTION_BYTES:
            msg = f"{self!r}: a transaction takes {_LARGEST_TRANSACTION_BYTES} bytes, names included, not {size_bytes}"
            raise UnsupportedError(msg)

    def __repr__(self) -> str:
        return f"DynamoDBStorage({self.table!r}, {self.prefix!r})"

    def __del__(self) -> None:
        table = getattr(self, "_table", None)
        if table is not None and table.pool.is_open:
            text = f"{self!r} was never closed: use `async with`, or await its aclose()"
            warnings.warn(text, ResourceWarning, source=self, stacklevel=2)


def _settings(url: str, prefix: str, options: DynamoDBOptions) -> tuple[str, str, DynamoDBOptions]:
    parsed, found = url_settings(url, "dynamodb://table", _URL_OPTIONS)
    if parsed.path.strip("/"):
        msg = "a dynamodb:// URL has no path: several storages in one table are kept apart by ?prefix="
        raise ValueError(msg)
    if "transactions" in found:
        found["transactions"] = _yes(found["transactions"])
    prefix = prefix or found.pop("prefix", "")
    found.pop("prefix", None)
    found.update(options)
    return parsed.host, prefix, DynamoDBOptions(**found)  # type: ignore[typeddict-item]


def _yes(text: str) -> bool:
    if text not in ("yes", "no"):
        msg = f"transactions in a dynamodb:// URL is yes or no, not {text!r}"
        raise ValueError(msg)
    return text == "yes"
