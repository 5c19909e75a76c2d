"""A storage in a bucket of S3, or of a store that speaks S3's language and honours its conditions."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ssshelf.errors import NotFoundError, UnavailableError
from ssshelf.keys import MAX_KEY_BYTES, Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import (
    CONCURRENCY,
    MAX_SCAN_ROWS,
    Capabilities,
    Condition,
    Entry,
    IfAbsent,
    IfMatch,
    Row,
    Scan,
    Storage,
    check_limit,
)
from ssshelf.storages.urls import environment_url

try:
    from ssshelf.storages._aws_client import AWSOptions, ClientPool, Slot, url_settings
    from ssshelf.storages._limits import Limit
    from ssshelf.storages._s3_choice import choose
    from ssshelf.storages._s3_errors import code_error, mapped
    from ssshelf.storages._s3_requests import BotocoreRequests, Listing, S3Requests
    from ssshelf.storages._s3_trust import Trust
    from ssshelf.storages._s3_wire import ElsewhereError
except ModuleNotFoundError as error:
    msg = f"S3Storage needs {error.name}: pip install 'ssshelf[s3]'"
    raise ModuleNotFoundError(msg, name=error.name) from error

if TYPE_CHECKING:
    from typing import Self, Unpack

    from ssshelf.storages.probe import Probe

__all__ = ["S3Options", "S3Storage"]

T = TypeVar("T")
_URL_OPTIONS = {"region": "region_name", "endpoint_url": "endpoint_url", "addressing_style": "addressing_style"}
_LARGEST_PUT_BYTES = 5 * 2**30
# A request is refused once its date is 15 minutes off; its sender's clock may be as much ahead.
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
_LATE_S = 1800.0


class S3Options(AWSOptions, total=False):
    """Where the store is and who asks: those of ``AWSOptions``, and one more.

    Attributes:
        addressing_style: ``"virtual"`` (bucket in the host name), ``"path"`` or ``"auto"``.
    """

    addressing_style: str


class S3Storage(Storage):
    """Entries as the objects of a bucket, their keys under ``prefix``.

    Reads, listings, deletions and unconditional writes are repeated when the store does not answer; a conditional
    write is sent once, so that its caller sees each attempt. Nothing is sent before the first use. Use it as
    ``async with S3Storage(…) as storage``, or call ``aclose``: connections are kept open until then, and requests that
    are under way then fail. Connections belong to an event loop, so close it within each ``asyncio.run``.

    Args:
        bucket: The bucket, which must exist; ``None`` takes bucket, prefix and options from ``SSSHELF_URL``.
        prefix: Leading path of all names, without which several programs would share one bucket.
        session: An aiobotocore ``AioSession`` or aioboto3 ``Session`` to make clients with.
        client: A ready aiobotocore or aioboto3 client; it is not closed here.
        concurrency: Most requests at a time, and connections kept open.
        retries: How reads and other safe requests are repeated.
        options: Region, endpoint, credentials, time limits: see ``S3Options``. Without credentials, botocore's
            usual chain finds them: environment, profile, role.

    The first conditional write to another store than AWS finds out whether the store honours conditions, and adapts
    to how it wants them written; where it ignores them, conditional writes raise ``UnsupportedError``. What was found
    is remembered in the bucket, under ``meta!/probe!``; ``probe`` asks again.

    Cost:
        One request for each call; ``delete_many`` one for each 1,000 keys. The first conditional write to another
        store than AWS costs a get more, and the very first in a bucket and prefix some 30 requests more.
    """

    def __init__(
        self,
        bucket: str | None = None,
        prefix: str = "",
        *,
        session: Any = None,
        client: Any = None,
        concurrency: int = CONCURRENCY,
        retries: RetryPolicy | None = None,
        **options: Unpack[S3Options],
    ) -> None:
        if bucket is None:
            bucket, prefix, options = _settings(environment_url(), prefix, options)
        self.bucket = bucket
        self.prefix = prefix.strip("/")
        self._root = f"{self.prefix}/" if self.prefix else ""
        self._retries = retries or RetryPolicy()
        self._pool = ClientPool("s3", session, client, concurrency, options)
        self._closed = False
        self._trust = Trust(
            Capabilities(
                max_key_bytes=MAX_KEY_BYTES - len(self._root.encode()),
                max_value_bytes=_LARGEST_PUT_BYTES,
                late_s=_LATE_S,
            )
        )

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the storage of ``s3://bucket/prefix?region=…&endpoint_url=…&addressing_style=…``."""
        bucket, prefix, options = _settings(url, "", {})
        return cls(bucket, prefix, **options)

    @property
    def capabilities(self) -> Capabilities:
        return self._trust.capabilities

    async def get(self, key: Key) -> Entry:
        return await self._retries.repeat(lambda: self._get(key))

    async def get_changed(self, key: Key, etag: str) -> Entry | None:
        return await self._retries.repeat(lambda: self._get_changed(key, etag))

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        self.capabilities.check_entry(key, data)
        if condition is not None:
            await self._trust.check(self)
            return await self._put(key, data, condition, etag_quoted=self._trust.etag_quoted)
        return await self._retries.repeat(lambda: self._put(key, data, None))

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is not None:
            await self._trust.check(self, deletes=True)
            await self._delete(key, condition, etag_quoted=self._trust.etag_quoted)
        else:
            await self._retries.repeat(lambda: self._delete(key, None))

    async def delete_many(self, keys: Sequence[Key]) -> None:
        for start in range(0, len(keys), MAX_SCAN_ROWS):
            chunk = keys[start : start + MAX_SCAN_ROWS]
            await self._retries.repeat(lambda chunk=chunk: self._delete_chunk(chunk))  # type: ignore[misc]

    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        check_limit(limit)
        return await self._retries.repeat(lambda: self._scan(prefix, after or "", before, limit))

    async def probe(self, *, fresh: bool = True) -> Probe:
        return await (self._trust.asked(self) if fresh else self._trust.known(self))

    async def aclose(self) -> None:
        self._closed = True
        await self._pool.aclose()

    async def _get(self, key: Key) -> Entry:
        if (found := await self._read(key, {})) is None:
            msg = "S3: the answer to a request without conditions was 304"
            raise UnavailableError(msg)
        return found

    async def _get_changed(self, key: Key, etag: str) -> Entry | None:
        found = await self._read(key, {"If-None-Match": f'"{etag}"'})
        return None if found is None or found.etag == etag else found  # a store may take no notice of the condition

    async def _read(self, key: Key, headers: dict[str, str]) -> Entry | None:
        if len(key.text) > self.capabilities.max_key_bytes:  # S3 would call the request malformed
            raise NotFoundError(key)
        found = await self._ask(lambda requests, limit: requests.get(self._name(key), headers, limit), key)
        return None if found is None else Entry(found[0], _unquoted(found[1]))

    async def _put(self, key: Key, data: bytes, condition: Condition | None, *, etag_quoted: bool = True) -> str:
        headers = _header(condition, etag_quoted=etag_quoted)
        etag = await self._ask(
            lambda requests, limit: requests.put(self._name(key), data, headers, limit), key, condition, len(data)
        )
        return _unquoted(etag)

    async def _delete(self, key: Key, condition: IfMatch | None, *, etag_quoted: bool = True) -> None:
        headers = _header(condition, etag_quoted=etag_quoted)
        with contextlib.suppress(NotFoundError):  # some stores say so; it is what was wanted
            await self._ask(lambda requests, limit: requests.delete(self._name(key), headers, limit), key, condition)

    async def _delete_chunk(self, keys: Sequence[Key]) -> None:
        names = [self._name(key) for key in keys]
        for code in await self._ask(lambda requests, limit: requests.delete_many(names, limit), keys[0]):
            failure = code_error(self.bucket, keys[0], code, 0)
            raise failure if not isinstance(failure, NotFoundError) else UnavailableError("S3: a deletion was not done")

    async def _scan(self, prefix: Key, after: str, before: str | None, limit: int) -> Scan:
        below, start = self._root + prefix.below, self._root + after if after > prefix.below else ""
        found: Listing = await self._ask(lambda requests, time: requests.scan(below, start, limit, time), prefix)
        cut = len(self._root)
        keys = [Key.from_text(name[cut:]) for name in found.names]
        rows = tuple(map(Row, keys, [etag.strip('"') for etag in found.etags], found.sizes, found.moments))
        more = found.more and bool(rows)
        if before is not None and rows and rows[-1].key.text >= before:
            rows, more = tuple(row for row in rows if row.key.text < before), False
        return Scan(rows, rows[-1].key.text if more else None)

    def _name(self, key: Key) -> str:
        return self._root + key.text

    async def _ask(
        self,
        request: Callable[[S3Requests, Limit], Awaitable[T]],
        key: Key,
        condition: Condition | None = None,
        sent_bytes: int = 0,
    ) -> T:
        """Make one attempt of a request about ``key``; through aiobotocore from when the bucket is found elsewhere."""
        with mapped(self.bucket, key, condition):
            async with self._pool.limit(sent_bytes) as limit:
                slot = await self._slot()
                try:
                    return await request(slot.requests, limit)
                except ElsewhereError:
                    slot.requests = BotocoreRequests(slot.client, self.bucket)
                    return await request(slot.requests, limit)

    async def _client(self) -> Any:
        return (await self._slot()).client

    async def _slot(self) -> Slot:
        if self._closed:
            msg = f"{self!r} is closed"
            raise ValueError(msg)
        slot = self._pool.here
        return slot if slot.requests is not None else await self._made()

    async def _made(self) -> Slot:
        with mapped(self.bucket, Key()):
            slot = await self._pool.slot()
            async with slot.lock:
                slot.requests = slot.requests or await choose(slot.client, self.bucket)
        return slot

    def __repr__(self) -> str:
        return f"S3Storage({self.bucket!r}, {self.prefix!r})"

    def __del__(self) -> None:
        pool = getattr(self, "_pool", None)
        if pool is not None and pool.is_open:
            text = f"{self!r} was never closed: use `async with`, or await its aclose()"
            warnings.warn(text, ResourceWarning, source=self, stacklevel=2)


def _header(condition: Condition | None, *, etag_quoted: bool) -> dict[str, str]:
    if condition is None:
        return {}
    if isinstance(condition, IfAbsent):
        return {"If-None-Match": "*"}
    return {"If-Match": f'"{condition.etag}"' if etag_quoted else condition.etag}


def _unquoted(etag: str | None) -> str:
    if etag is None:  # some page of a proxy in between
        msg = "S3: the answer had no ETag"
        raise UnavailableError(msg)
    return etag.strip('"')


def _settings(url: str, prefix: str, options: S3Options) -> tuple[str, str, S3Options]:
    parsed, found = url_settings(url, "s3://bucket/prefix", _URL_OPTIONS)
    found.update(options)
    path = "/".join(part for part in (parsed.path.strip("/"), prefix.strip("/")) if part)
    return parsed.host, path, S3Options(**found)  # type: ignore[typeddict-item]
