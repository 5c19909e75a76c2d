"""The five requests of an ``S3Storage``, signed and read here, over the connections of an aiobotocore client."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import functools
import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus
from xml.sax.saxutils import escape

import aiohttp
from botocore.exceptions import ClientError

from ssshelf.storages._aws_client import OneAttemptSession, moment
from ssshelf.storages._limits import CHUNK_BYTES, Limit, read_all
from ssshelf.storages._s3_requests import COLUMNS, NOT_MODIFIED, Listing, S3Requests, no_listing
from ssshelf.storages._s3_xml import XMLAnswer
from ssshelf.storages._sigv4 import STAMP, Request, Scope, authorization
from ssshelf.storages.base import utc_now

__all__ = ["ElsewhereError", "Origin", "WireRequests"]

_REFUSED, _FAILED = 300, 400
_WITH_BODY = {"POST", "PUT"}
_ELSEWHERE = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
_OUR_ESCAPES = (("%21", "!"), ("%2F", "/"), ("%3D", "="), ("%28", "("), ("%7E", "~"))
_OURS = re.compile(r"[A-Za-z0-9_.\-/~!=(]*")
_FLAGS = ("EncodingType", "IsTruncated")
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class ElsewhereError(Exception):
    """The bucket is not where it was thought to be; nothing was done, and aiobotocore knows how to find it."""


class Origin(NamedTuple):
    """Where the objects of a bucket are, and what each request for them has in common.

    Attributes:
        url: What stands before the path.
        path: What stands before the names of objects; it ends in a slash.
        scope: What signatures are for.
        user_agent: What aiobotocore calls itself.
    """

    url: str
    host: str
    path: str
    scope: Scope
    user_agent: str

    @property
    def bucket_path(self) -> str:
        """The path of requests about the bucket."""
        return self.path[:-1] or "/"


class WireRequests(S3Requests):
    """Requests that cost a tenth of what aiobotocore's do: it looks up each time what stays the same.

    Args:
        client: Whose credentials and connections they take.
        origin: Where they go.
    """

    def __init__(self, client: Any, origin: Origin) -> None:
        self._client = client
        self._origin = origin

    async def get(self, name: str, headers: dict[str, str], limit: Limit) -> tuple[bytes, str | None] | None:
        async with await self._answer("GET", self._path(name), limit, headers=headers) as answer:
            if answer.status == NOT_MODIFIED:
                return None
            return await read_all(answer.content, limit), answer.headers.get("etag")

    async def put(self, name: str, data: bytes, headers: dict[str, str], limit: Limit) -> str | None:
        async with await self._answer("PUT", self._path(name), limit, headers=headers, data=data) as answer:
            await read_all(answer.content, limit)
            return answer.headers.get("etag")

    async def delete(self, name: str, headers: dict[str, str], limit: Limit) -> None:
        async with await self._answer("DELETE", self._path(name), limit, headers=headers) as answer:
            await read_all(answer.content, limit)

    async def delete_many(self, names: Sequence[str], limit: Limit) -> list[str]:
        objects = "".join(f"<Object><Key>{escape(name)}</Key></Object>" for name in names)
        data = f'<Delete xmlns="{_NAMESPACE}">{objects}<Quiet>true</Quiet></Delete>'.encode()
        digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        path = f"{self._origin.bucket_path}?delete="
        async with await self._answer("POST", path, limit, headers={"content-md5": digest}, data=data) as answer:
            result = XMLAnswer(await read_all(answer.content, limit), "Code")
        return result.texts["Code"]

    async def scan(self, prefix: str, after: str, most: int, limit: Limit) -> Listing:
        query = f"encoding-type=url&list-type=2&max-keys={most}&prefix={quote(prefix, safe='')}"
        if after:
            query += f"&start-after={quote(after, safe='')}"
        try:
            async with await self._answer("GET", f"{self._origin.bucket_path}?{query}", limit) as answer:
                return _listing(XMLAnswer(await read_all(answer.content, limit), *COLUMNS, *_FLAGS))
        except (KeyError, ValueError) as error:
            raise no_listing() from error

    def _path(self, name: str) -> str:
        return self._origin.path + _quoted(name)

    async def _answer(
        self,
        method: str,
        target: str,
        limit: Limit,
        *,
        headers: dict[str, str] | None = None,
        data: bytes = b"",
    ) -> aiohttp.ClientResponse:
        """Return an answer that is not refused, to be read and left.

        Raises:
            ClientError: It is refused, as aiobotocore has it.
            ElsewhereError: It is refused here.
        """
        signed = await self._signed(method, target, headers or {}, data)
        http: OneAttemptSession = self._client._endpoint.http_session
        answer = await http.exchange(method, self._origin.url + target, signed, data)
        if answer.status < _REFUSED or (answer.status == NOT_MODIFIED and method == "GET"):
            return answer
        async with answer:
            raise _refusal(method, answer.status, await read_all(answer.content, limit))

    async def _signed(self, method: str, target: str, headers: dict[str, str], data: bytes) -> dict[str, str]:
        credentials = await self._client._get_credentials().get_frozen_credentials()
        here = len(data) <= CHUNK_BYTES  # a gigabyte takes a second or more
        signed = {
            **headers,
            "host": self._origin.host,
            "x-amz-content-sha256": _digest(data) if here else await asyncio.to_thread(_digest, data),
            "x-amz-date": _stamp(int(utc_now().timestamp())),
        }
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        path, _, query = target.partition("?")
        request = Request(method, path, query, signed)
        size = {"content-length": str(len(data))} if method in _WITH_BODY else {}
        return {
            **signed,
            **size,
            "accept-encoding": "identity",
            "authorization": authorization(request, self._origin.scope, credentials),
            "user-agent": self._origin.user_agent,
        }


@functools.lru_cache(maxsize=1)
def _stamp(second: int) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).strftime(STAMP)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _listing(answer: XMLAnswer) -> Listing:
    names, etags, sizes, moments = (answer.texts[name] for name in COLUMNS)
    is_whole = len(names) == len(etags) == len(sizes) == len(moments) and all(names) and all(etags)
    if answer.root != "ListBucketResult" or not is_whole:
        raise no_listing()
    if names and answer.first("EncodingType") == "url":
        names = _unquoted(names)
    more = {"true": True, "false": False}[answer.first("IsTruncated")]
    return Listing(names, etags, list(map(int, sizes)), _moments(moments), more)


def _moments(texts: list[str]) -> list[dt.datetime]:
    try:
        return list(map(dt.datetime.fromisoformat, texts))
    except ValueError:
        return list(map(moment, texts))


def _quoted(name: str) -> str:
    """Return a name as a path has it; ours need few escapes, and the general way takes ten times as long."""
    if not _OURS.fullmatch(name):
        return quote(name, safe="/~")
    return name.replace("!", "%21").replace("=", "%3D").replace("(", "%28")


def _unquoted(names: list[str]) -> list[str]:
    """Return names that were sent with escapes; ours have few kinds, and the general way takes ten times as long.

    What is replaced here is neither ``%`` nor ``+``, so what remains is as it was sent; and no name has a line's end.
    """
    text = "\n".join(names)
    for escaped, character in _OUR_ESCAPES:
        text = text.replace(escaped, character)
    names = text.split("\n")
    if "%" not in text and "+" not in text:
        return names
    return [unquote_plus(name) if "%" in name or "+" in name else name for name in names]


def _refusal(method: str, status: int, body: bytes) -> Exception:
    """Return what aiobotocore would raise for such an answer, or have to follow."""
    said = _said(body)
    if status < _FAILED or said["Code"] in _ELSEWHERE:
        return ElsewhereError(said["Code"])
    refusal: Exception = ClientError({"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}, method)
    return refusal


def _said(body: bytes) -> dict[str, str]:
    names = ("Code", "Message")
    try:
        answer = XMLAnswer(body, *names)
    except ValueError:  # some page of a proxy in between
        return dict.fromkeys(names, "")
    return {name: answer.first(name) for name in names}
