"""How an ``S3Storage`` sends its requests: by itself where aiobotocore would send just the same, else through it."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from ssshelf.storages._aws_client import OneAttemptSession
from ssshelf.storages._s3_requests import BotocoreRequests, S3Requests
from ssshelf.storages._s3_wire import Origin, WireRequests
from ssshelf.storages._sigv4 import Request, Scope, authorization

__all__ = ["choose"]

_HANDLED = ("provide-client-params", "before-parameter-build", "before-endpoint-resolution", "before-call")
_SENT = ("request-created", "choose-signer", "before-sign", "before-send", "response-received", "before-parse")
_DONE = ("needs-retry", "after-call", "after-call-error")
_OPERATIONS = ("GetObject", "PutObject", "DeleteObject", "DeleteObjects", "ListObjectsV2")
_OWNERS = ("aiobotocore.", "botocore.")
_USUAL = {
    *("authorization", "user-agent", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"),
    *("amz-sdk-invocation-id", "amz-sdk-request", "x-amzn-trace-id"),  # which no store needs
}
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


async def choose(client: Any, bucket: str) -> S3Requests:
    """Return the leanest requests that are the same for the store and for who made ``client``.

    Those sent here have the headers, the URL and the signature that aiobotocore gave a sample. It goes on sending them
    where others listen to the events of its requests, where the client is not one of ours, and where the sample has
    anything else: no signature, one of another kind, a session of S3 Express.

    Cost:
        No request: the sample is caught before it is sent.
    """
    connections = getattr(getattr(client, "_endpoint", None), "http_session", None)
    if isinstance(connections, OneAttemptSession) and not _is_overheard(client):
        origin = await _origin(client, bucket)
        if origin is not None:
            return WireRequests(client, origin)
    return BotocoreRequests(client, bucket)


def _is_overheard(client: Any) -> bool:
    """Return whether anybody but botocore itself handles the events of our requests."""
    events = client.meta.events._emitter
    names = [f"{event}.s3.{operation}" for event in (*_HANDLED, *_SENT, *_DONE) for operation in _OPERATIONS]
    handlers = (handler for name in names for handler in events._handlers.prefix_search(name))
    return not all(getattr(handler, "__module__", "").startswith(_OWNERS) for handler in handlers)


class _CaughtError(Exception):
    """Keeps a request from being sent."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


async def _caught(client: Any, bucket: str, name: str) -> Any:
    """Return the request by which aiobotocore would get an object with an uncommon name."""

    def catch(request: Any, **_: Any) -> None:
        if name in request.url:
            raise _CaughtError(request)

    client.meta.events.register("before-send.s3.GetObject", catch, name)
    try:
        await client.get_object(Bucket=bucket, Key=name)
    except _CaughtError as caught:
        return caught.request
    finally:
        client.meta.events.unregister("before-send.s3.GetObject", catch, name)


async def _origin(client: Any, bucket: str) -> Origin | None:
    name = uuid.uuid4().hex
    request = await _caught(client, bucket, name)
    headers = {key.lower(): _text(value) for key, value in request.headers.items()}
    url = urlsplit(request.url)
    scope = Scope.of(headers.get("authorization", ""))
    if client._endpoint.http_session.needs_proxy(request.url):
        return None
    if scope is None or url.query or not url.path.endswith(f"/{name}") or headers.keys() - _USUAL:
        return None
    host = url.netloc.lower().removesuffix(_DEFAULT_PORTS[url.scheme])
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed = {key: value for key, value in {"host": host, **headers}.items() if key in names}
    credentials = await client._get_credentials().get_frozen_credentials()
    if authorization(Request("GET", url.path, "", signed), scope, credentials) != headers["authorization"]:
        return None
    return Origin(
        f"{url.scheme}://{url.netloc}", host, url.path.removesuffix(name), scope, headers.get("user-agent", "")
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
