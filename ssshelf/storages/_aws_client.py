"""The aiobotocore clients of a storage on AWS: one for each event loop, made when first needed."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import io
import warnings
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, TypedDict
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import aiohttp
import botocore.session
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import get_session
from botocore.handlers import add_expect_header
from botocore.utils import parse_timestamp
from yarl import URL

from ssshelf.storages._limits import CHUNK_BYTES, FEW_BYTES, Limit, Limits, limit_here, read_all
from ssshelf.storages.urls import StorageURL

__all__ = [
    "AWSOptions",
    "ClientPool",
    "OneAttemptSession",
    "Slot",
    "is_aws",
    "moment",
    "url_settings",
]

_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 30.0
_CLOSE_TIMEOUT_S = 5.0
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu")


class AWSOptions(TypedDict, total=False):
    """Where the store is and who asks; names and defaults are those of botocore's clients.

    An attempt takes no longer than ``connect_timeout_s`` and ``read_timeout_s`` together, however slowly an answer
    trickles in and however many wait for a connection; data adds the time that they take at 16 KiB/s.

    Attributes:
        verify: Check TLS certificates: a path to a CA bundle, or true.
        connect_timeout_s: How long a connection may take; 5 seconds unless told.
        read_timeout_s: How long the store may be silent, beside what connecting has left; 30 seconds unless told.
    """

    region_name: str
    endpoint_url: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str
    verify: bool | str
    connect_timeout_s: float
    read_timeout_s: float


class _Answer(aiohttp.ClientResponse):
    """An answer that botocore reads whole: what has come extends the limit of the attempt."""

    async def read(self) -> bytes:
        if self._body is None and (limit := limit_here()) is not None:
            try:
                self._body = await read_all(self.content, limit)
            except BaseException:
                self.close()
                raise
        return await super().read()


class OneAttemptSession(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore is not typed
    """Sends each request once, and keeps no cookies.

    aiohttp sends a PUT again by itself when a kept-alive connection breaks. If the first one had been applied, the
    second fails its condition, and a write that succeeded would look lost.
    """

    async def send(self, request: Any) -> Any:
        if isinstance(request.body, bytes):
            request.body = _piecewise(request.body)
        return await super().send(request)

    async def exchange(self, method: str, url: str, headers: dict[str, str], data: bytes) -> aiohttp.ClientResponse:
        """Send a request as it is and return the answer, whose body is not read yet; where there is no proxy."""
        session = await self._get_session(None)
        timeout = session.timeout if len(data) > FEW_BYTES else self._limited  # or silence could last as long as data
        response: aiohttp.ClientResponse = await session.request(
            method,
            URL(url, encoded=True),
            headers=headers,
            data=_piecewise(data) or None,
            allow_redirects=False,
            timeout=timeout,
        )
        return response

    def needs_proxy(self, url: str) -> bool:
        """Return whether requests to ``url`` go through a proxy."""
        return self._proxy_config.proxy_url_for(url) is not None

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        if session._retry_connection:
            session._retry_connection = False
            session._cookie_jar = aiohttp.DummyCookieJar()
            session._response_class = _Answer
            # A timer less, and another one less each time that something comes: limits end silence, too.
            self._limited = aiohttp.ClientTimeout(sock_connect=session.timeout.sock_connect)
        return session


@dataclass
class Slot:
    """The client of one event loop.

    Attributes:
        client: The client; ``None`` before it is made.
        requests: What its user sends requests with, if that is made once, too.
        stack: Closes the client.
        lock: Is held while any of them is made.
        limits: End attempts that take too long.
    """

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    client: Any = None
    requests: Any = None
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    limits: Limits = field(default_factory=Limits)


class ClientPool:
    """Clients by event loop, since the connections of a client belong to the loop that opened them.

    Args:
        service: What botocore calls the store: ``"s3"`` or ``"dynamodb"``.
        session: An aiobotocore ``AioSession`` or an aioboto3 ``Session``; ``None`` makes one.
        client: A ready client to use everywhere; it stays the caller's to close.
        concurrency: How many connections each client keeps.
        options: What clients are made with.

    Attributes:
        config: What else the configuration of clients says.
        patience_s: How long an attempt may take, without the time for its data.
    """

    config: ClassVar[dict[str, Any]] = {}

    def __init__(self, service: str, session: Any, client: Any, concurrency: int, options: AWSOptions) -> None:
        self._service = service
        self._session = session
        self._given = client
        self._concurrency = concurrency
        self._options = options
        self.patience_s = options.get("connect_timeout_s", _CONNECT_TIMEOUT_S) + options.get(
            "read_timeout_s", _READ_TIMEOUT_S
        )
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, Slot] = WeakKeyDictionary()

    async def get(self) -> Any:
        """Return the client of the running loop."""
        return (await self.slot()).client

    @property
    def here(self) -> Slot:
        """What the running loop has; it may not have a client yet."""
        loop = asyncio.get_running_loop()
        slot = self._slots.get(loop)
        if slot is None:
            self._forget_dead_loops()
            slot = self._slots[loop] = Slot(client=self._given)
        return slot

    async def slot(self) -> Slot:
        """Return the client of the running loop, with what belongs to it."""
        slot = self.here
        if slot.client is None:
            async with slot.lock:
                if slot.client is None:
                    client = await slot.stack.enter_async_context(await self._create())
                    self._adapt(client)
                    slot.client = client
        return slot

    def limit(self, sent_bytes: int = 0) -> Limit:
        """Return what bounds an attempt that sends so many bytes, its wait for a connection included.

        Answers extend the limit. The limits of aiohttp do not do: waiting for a free connection has none, and each
        byte read starts another.
        """
        return Limit(self.here.limits, self.patience_s, sent_bytes)

    @property
    def is_open(self) -> bool:
        """Whether there are clients that ``aclose`` would close."""
        return self._given is None and any(slot.client is not None for slot in self._slots.values())

    async def aclose(self) -> None:
        """Close the clients of all loops that still run, each in its own loop; nobody can close the others."""
        here = asyncio.get_running_loop()
        while self._slots:
            loop, slot = self._slots.popitem()
            if loop is here:
                await slot.stack.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(slot.stack.aclose(), loop)
                with contextlib.suppress(TimeoutError):  # that loop may stop at any time
                    await asyncio.wait_for(asyncio.wrap_future(closing), _CLOSE_TIMEOUT_S)

    def _adapt(self, client: Any) -> None:
        """Have a new client do less."""
        # It would have each PUT ask for leave to send its data: a round trip more.
        client.meta.events.unregister("before-call.s3", add_expect_header)

    def _forget_dead_loops(self) -> None:
        for loop in [loop for loop in self._slots if loop.is_closed()]:
            slot = self._slots.pop(loop)
            if slot.client is None or slot.client is self._given:
                continue
            text = "a storage was not closed before its event loop ended: use `async with` in each asyncio.run"
            warnings.warn(text, ResourceWarning, stacklevel=3)

    async def _create(self) -> Any:
        settings = dict(self._options)
        config = AioConfig(
            http_session_cls=OneAttemptSession,
            max_pool_connections=self._concurrency,
            # One attempt each: what may be repeated, and how a conditional write is, our own code decides.
            retries={"total_max_attempts": 1, "mode": "standard"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=settings.pop("connect_timeout_s", _CONNECT_TIMEOUT_S),
            read_timeout=settings.pop("read_timeout_s", _READ_TIMEOUT_S),
            s3={"addressing_style": settings.pop("addressing_style", "auto")},  # other services take no notice of it
            **self.config,
        )
        session = self._session
        if hasattr(session, "client"):  # aioboto3
            return session.client(self._service, config=config, **settings)
        if session is None:
            session = self._session = get_session()
        await asyncio.to_thread(_read_files, session, self._service)
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=moment)
        return session.create_client(self._service, config=config, **settings)


def is_aws(endpoint_url: str) -> bool:
    """Return whether a client with this endpoint talks to AWS itself, which does what it documents."""
    return (urlsplit(endpoint_url).hostname or "").endswith(_AWS_DOMAINS)


def url_settings(url: str, example: str, known: dict[str, str]) -> tuple[StorageURL, dict[str, Any]]:
    """Return the pieces of a storage's URL, which looks like ``example``, and its options by the names in ``known``.

    Raises:
        ValueError: It has another scheme, names no bucket or table, or has options that would be ignored.
    """
    parsed = StorageURL.parse(url)
    scheme, _, name = example.partition("://")
    if parsed.scheme != scheme or not parsed.host:
        msg = f"this storage needs a URL such as {example}, not a {parsed.scheme}:// one without a {name.split('/')[0]}"
        raise ValueError(msg)
    parsed.check_options(known)
    if "@" in parsed.options.get("endpoint_url", ""):
        msg = "an endpoint_url holds no credentials; they come from AWS_ACCESS_KEY_ID and the like"
        raise ValueError(msg)
    return parsed, {known[name]: value for name, value in parsed.options.items()}


def _piecewise(data: bytes) -> bytes | io.BytesIO:
    return io.BytesIO(data) if len(data) > CHUNK_BYTES else data  # which aiohttp sends piece by piece


def moment(text: Any) -> dt.datetime:
    """Return the time in an answer: half of what a listing costs when botocore reads all formats there are."""
    try:
        return dt.datetime.fromisoformat(text)
    except TypeError:  # a number
        return parse_timestamp(text)  # type: ignore[no-any-return]
    except ValueError:
        return _other_moment(text)


def _other_moment(text: str) -> dt.datetime:
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return parse_timestamp(text)  # type: ignore[no-any-return]


def _read_files(session: Any, service: str) -> None:
    """Have ``session`` read all files that a client for ``service`` is made of, which takes a tenth of a second.

    A synchronous client that is thrown away reads them into the loader that both sessions share.
    """
    scratch = botocore.session.Session()
    scratch.register_component("data_loader", session.get_component("data_loader"))
    scratch.create_client(service, region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-")  # noqa: S106
