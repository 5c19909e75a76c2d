"""What an ``S3Storage`` believes of its store: AWS does what it documents, any other what a probe found out."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from ssshelf.errors import NotFoundError, ShelfError, UnavailableError, UnsupportedError
from ssshelf.keys import Key
from ssshelf.storages._aws_client import is_aws
from ssshelf.storages._s3_errors import mapped
from ssshelf.storages.base import Capabilities, Condition, IfMatch, check_holds_items
from ssshelf.storages.probe import Probe, ask
from ssshelf.storages.wrapper import WrapperStorage

if TYPE_CHECKING:
    from ssshelf.storages.s3 import S3Storage

__all__ = ["AS_DOCUMENTED", "Trust", "is_known"]

_OLD = dt.timedelta(minutes=20)
_TOO_OLD = "RequestTimeTooSkewed"
_DIRECTORY_BUCKET = "--x-s3"
_SIGNED_FOR = re.compile(r"AWS4-HMAC-SHA256 Credential=.+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request,")
AS_DOCUMENTED = Probe(**dict.fromkeys((field.name for field in dataclasses.fields(Probe)), True))
"""What Amazon S3 does."""


def is_known(endpoint_url: str, bucket: str) -> bool:
    """Return whether the store is Amazon S3, and the bucket one that it lists in order.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html
    """
    return is_aws(endpoint_url) and not bucket.endswith(_DIRECTORY_BUCKET)


class Trust:
    """What is known of one store; nothing, before the first conditional write.

    Args:
        documented: What the store can do if it does what S3 does.

    Attributes:
        capabilities: What it can do as far as is known.
        etag_quoted: Whether it takes the etag of If-Match in quotes, which HTTP demands and some refuse.
    """

    def __init__(self, documented: Capabilities) -> None:
        self.capabilities = self._documented = documented
        self.etag_quoted = True
        self._probe: Probe | None = None
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._failure: ShelfError | None = None

    async def check(self, storage: S3Storage, *, deletes: bool = False) -> None:
        """Refuse a conditional write of which it is not known that its condition will be honoured.

        Raises:
            UnsupportedError: It would not be.
            UnavailableError: The store did not answer; nothing was written.

        Cost:
            None on AWS, and none but the first time; then 1 get, or a probe if no result is remembered.
        """
        try:
            await self.known(storage)
        except UnavailableError as error:
            raise UnavailableError(error.reason, maybe_applied=False) from error
        check_holds_items(storage)
        if deletes and not self.capabilities.conditional_delete:
            msg = f"{storage!r} cannot delete on condition: {self.capabilities.advice}"
            raise UnsupportedError(msg)

    async def known(self, storage: S3Storage) -> Probe:
        """Return what is known, or remembered in the bucket, or else asked now: once, however many wait for it."""
        if self._probe is not None:
            return self._probe
        failure = self._failure
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._probe is not None:
                return self._probe
            if self._failure is not None and self._failure is not failure:
                raise self._failure  # who waited for an answer that did not come does not ask again
            try:
                return self.learn(await self._recalled(storage))
            except ShelfError as error:
                self._failure = error
                raise

    async def asked(self, storage: S3Storage) -> Probe:
        """Return what the store does now, and remember it in the bucket."""
        probe = await _ask(storage, etag_quoted=True)
        if not probe.if_match_writes:
            unquoted = await _ask(storage, etag_quoted=False)
            probe = unquoted if unquoted.if_match_writes else probe
        probe = dataclasses.replace(probe, old_signature_refused=await _refuses_old_signature(storage))
        await storage.put(await _place(storage), probe.to_json())
        return self.learn(probe)

    def learn(self, probe: Probe) -> Probe:
        """Believe a result from now on."""
        self._probe = probe
        self.capabilities = probe.applied_to(self._documented)
        self.etag_quoted = probe.etag_quoted is not False
        return probe

    async def _recalled(self, storage: S3Storage) -> Probe:
        client = await storage._client()
        if is_known(client.meta.endpoint_url, storage.bucket):
            return AS_DOCUMENTED
        try:
            return Probe.from_json((await storage.get(await _place(storage))).data)
        except (NotFoundError, ValueError):
            return await self.asked(storage)


class _Unchecked(WrapperStorage):
    """An ``S3Storage`` that sends conditional writes to a store of which nothing is known yet."""

    inner: S3Storage

    def __init__(self, inner: S3Storage, *, etag_quoted: bool) -> None:
        super().__init__(inner)
        self._etag_quoted = etag_quoted

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        if condition is None:
            return await self.inner.put(key, data)
        return await self.inner._put(key, data, condition, etag_quoted=self._etag_quoted)

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        if condition is None:
            await self.inner.delete(key)
        else:
            await self.inner._delete(key, condition, etag_quoted=self._etag_quoted)


async def _ask(storage: S3Storage, *, etag_quoted: bool) -> Probe:
    probe = await ask(_Unchecked(storage, etag_quoted=etag_quoted), storage._retries)
    return dataclasses.replace(probe, etag_quoted=etag_quoted)


async def _place(storage: S3Storage) -> Key:
    """Return where the result is remembered: by endpoint, since a bucket may be copied to another store."""
    client = await storage._client()
    return Key("meta", "probe", urlsplit(client.meta.endpoint_url).netloc)


async def _refuses_old_signature(storage: S3Storage) -> bool:
    """Return whether the store says that it refuses a request because it was signed too long ago.

    Any other answer, also one that refuses it for another reason, shows nothing of the kind.
    """
    client, mark = await storage._client(), uuid.uuid4().hex

    async def sign_anew(request: Any, **_: Any) -> None:
        if mark in request.url:
            await _sign_as_of_long_ago(client, request)

    async def send() -> bool:
        try:
            with mapped(storage.bucket, Key(mark)):
                async with storage._pool.limit():
                    name = storage._root + Key("meta", "probing", mark).text
                    await client.get_object(Bucket=storage.bucket, Key=name)
        except ShelfError as error:
            if isinstance(error.__cause__, ClientError):
                return bool(error.__cause__.response["Error"].get("Code") == _TOO_OLD)
            raise
        return False

    client.meta.events.register("before-send.s3.GetObject", sign_anew, mark)
    try:
        return await storage._retries.repeat(send)
    finally:
        client.meta.events.unregister("before-send.s3.GetObject", sign_anew, mark)


async def _sign_as_of_long_ago(client: Any, request: Any) -> None:
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    scope = _SIGNED_FOR.match(headers.get("Authorization", ""))
    credentials = client._get_credentials()
    if scope is None or credentials is None:  # unsigned, or in a way that has no date
        return
    frozen = await credentials.get_frozen_credentials()
    again = AWSRequest(method=request.method, url=request.url, headers=headers)
    _LongAgo(frozen, scope["service"], scope["region"]).add_auth(again)
    for name, value in again.headers.items():
        request.headers[name] = value


class _LongAgo(S3SigV4Auth):  # type: ignore[misc]  # botocore is not typed
    """Signs as if it were some time ago."""

    def _modify_request_before_signing(self, request: Any) -> None:
        now = dt.datetime.strptime(request.context["timestamp"], SIGV4_TIMESTAMP).replace(tzinfo=dt.UTC)
        request.context["timestamp"] = (now - _OLD).strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)
