"""Requests that are sent without aiobotocore: the same as its own, and only where they are."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore import UNSIGNED

from ssshelf import Key, S3Storage, ShelfError, UnavailableError
from ssshelf.storages._s3_requests import BotocoreRequests
from ssshelf.storages._s3_wire import WireRequests
from ssshelf.storages.base import Entry, IfAbsent, IfMatch
from tests.scripted_s3 import OK, error, http, scripted, storage_at
from tests.storages import BUCKET, OVERHEARD_SESSION, SESSION

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ssshelf.storages._s3_requests import S3Requests

KEY = Key("a", 1)
TOKEN: dict[str, Any] = {"aws_access_key_id": "id", "aws_secret_access_key": "secret", "aws_session_token": "a token"}
BOTH = pytest.mark.parametrize("session", [SESSION, OVERHEARD_SESSION], ids=["wire", "aiobotocore"])
LISTING = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"

REQUESTS: dict[str, Callable[[S3Storage], Awaitable[Any]]] = {
    "get": lambda storage: storage.get(KEY),
    "get another": lambda storage: storage.get_changed(KEY, "e1"),
    "put": lambda storage: storage.put(KEY, b"data"),
    "put nothing": lambda storage: storage.put(KEY, b""),
    "put much": lambda storage: storage.put(KEY, bytes(2 * 2**20)),
    "put new": lambda storage: storage.put(KEY, b"data", condition=IfAbsent()),
    "put over": lambda storage: storage.put(KEY, b"data", condition=IfMatch("e1")),
    "delete": lambda storage: storage.delete(KEY),
    "delete one": lambda storage: storage.delete(KEY, condition=IfMatch("e1")),
    "delete many": lambda storage: storage.delete_many([KEY, Key("b c"), Key("\u00e9")]),
    "scan": lambda storage: storage.scan(Key("a")),
    "scan all": lambda storage: storage.scan(Key(), after="a!/", limit=7),
}


def told(head: str) -> tuple[str, dict[str, str]]:
    """Return what a request tells a store: its first line, parameters in order, and the headers that matter."""
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    parameters = sorted(pair.partition("=")[::2] for pair in query.split("&"))
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    scope = re.search(r"Credential=([^,]+)", headers.pop("authorization", ""))
    for name in list(headers):
        if name.startswith("amz-sdk-") or "checksum" in name or name in ("x-amz-date", "content-md5"):
            del headers[name]
    del headers["host"]  # each has a server of its own
    headers["user-agent"] = headers["user-agent"].partition(" ")[0]  # the rest is in no order
    return f"{method} {path} {parameters} {scope and scope[1]}", headers


async def sent_by(session: AioSession, request: Callable[[S3Storage], Awaitable[Any]], prefix: str) -> list[Any]:
    def answer(method: str, _: int) -> bytes:
        return {"POST": http(200, "<DeleteResult/>"), "LIST": http(200, LISTING)}.get(method, OK)

    async with scripted(answer, session=session, prefix=prefix, **TOKEN) as (script, storage):
        script.answer = lambda method, _: answer("LIST" if "list-type" in script.heads[-1] else method, 0)
        await request(storage)
        return [*map(told, script.heads), await chosen(storage)]


async def chosen(storage: S3Storage) -> type[S3Requests]:
    return type((await storage._slot()).requests)


@pytest.mark.parametrize("prefix", ["tests", "a b/\u00e9+&<~>%41/"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_store_is_told_what_aiobotocore_tells_it(
    request_: Callable[[S3Storage], Awaitable[Any]], prefix: str
) -> None:
    *ours, wire = await sent_by(SESSION, request_, prefix)
    *theirs, aiobotocore = await sent_by(OVERHEARD_SESSION, request_, prefix)

    assert ours == theirs
    assert (wire, aiobotocore) == (WireRequests, BotocoreRequests)


@pytest.mark.parametrize(
    "body", ["", "<html>Bad Gateway</html>", "<html>", "<Error><Code>X</Code></Error>", "<Error/>"]
)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 412, 429, 501, 502, 503])
async def test_a_refusal_means_the_same(status: int, body: str) -> None:
    failures = []
    for session in (SESSION, OVERHEARD_SESSION):
        async with scripted(lambda *_: http(status, body), session=session) as (_, storage):
            results = await asyncio.gather(
                storage.put(KEY, b"", condition=IfAbsent()), storage._get(KEY), return_exceptions=True
            )
            failures.append([(type(each), str(each)) for each in results])

    assert failures[0] == failures[1]


@BOTH
async def test_what_is_known_is_not_sent_again(session: AioSession) -> None:
    async with scripted(lambda *_: http(304, ETag='"e1"'), session=session) as (script, storage):
        assert await storage.get_changed(KEY, "e1") is None
        assert 'if-none-match: "e1"' in script.heads[0].lower()

    async with scripted(lambda *_: http(200, "data", ETag='"e1"'), session=session) as (_, storage):
        assert await storage.get_changed(KEY, "e1") is None  # of a store that takes no notice
        changed = await storage.get_changed(KEY, "e2")
        assert changed == Entry(b"data", "e1")


@BOTH
async def test_nobody_is_told_that_what_was_not_asked_for_has_not_changed(session: AioSession) -> None:
    async with scripted(lambda *_: http(304), session=session) as (_, storage):
        for request in (storage.get(KEY), storage.put(KEY, b""), storage.delete(KEY), storage.scan(KEY)):
            with pytest.raises(ShelfError):
                await request


@BOTH
async def test_an_answer_without_an_etag_is_none_of_a_store(session: AioSession) -> None:
    async with scripted(lambda *_: http(200, "<html>Log in</html>"), session=session) as (_, storage):
        for request in (storage.get(KEY), storage.put(KEY, b"")):
            with pytest.raises(UnavailableError, match="no ETag"):
                await request


@pytest.mark.parametrize(
    "elsewhere",
    [
        error(400, "AuthorizationHeaderMalformed"),
        error(400, "IllegalLocationConstraintException"),
        http(301),
        http(307, Location="http://127.0.0.1:9/"),
    ],
)
async def test_a_bucket_that_is_elsewhere_is_left_to_aiobotocore_from_then_on(elsewhere: bytes) -> None:
    async with scripted(lambda _, number: elsewhere if number == 1 else OK) as (script, storage):
        await storage.put(KEY, b"", condition=IfAbsent())
        assert await chosen(storage) is BotocoreRequests
        await storage.put(KEY, b"")

    assert script.requests == ["PUT"] * 3


@BOTH
async def test_who_answers_has_to_prove_who_it_is(session: AioSession, tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")

    async with scripted(lambda *_: OK, tls=tls, session=session, verify=str(tmp_path / "authority.pem")) as (_, known):
        assert (await known.get(KEY)).etag == "e1"
        assert await chosen(known) is (WireRequests if session is SESSION else BotocoreRequests)

    async with scripted(lambda *_: OK, tls=tls, session=session) as (script, unknown):
        with pytest.raises(UnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            await unknown.get(KEY)
    assert script.requests == []


async def test_credentials_are_those_of_the_moment() -> None:
    async with scripted(lambda *_: OK, **TOKEN) as (script, storage):
        await storage.put(KEY, b"")
        credentials = (await storage._client())._get_credentials()
        credentials.access_key, credentials.token = "another", None
        await storage.put(KEY, b"")

    first, second = script.heads
    assert "Credential=id/" in first
    assert "x-amz-security-token: a token" in first
    assert "Credential=another/" in second
    assert "x-amz-security-token" not in second


def session_with(**settings: Any) -> AioSession:
    session = get_session()
    session.set_default_client_config(AioConfig(**settings))
    return session


async def test_what_is_unusual_is_left_to_aiobotocore(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:9"
    for unusual in (OVERHEARD_SESSION, session_with(signature_version=UNSIGNED), session_with(signature_version="s3")):
        async with storage_at(url, session=unusual) as storage:
            assert await chosen(storage) is BotocoreRequests
    async with get_session().create_client("s3", region_name="us-east-1") as client, storage_at(url) as ours:
        assert await chosen(ours) is WireRequests
        for given in (client, await ours._client()):
            async with S3Storage(BUCKET, client=given) as storage:
                expected = WireRequests if given is not client else BotocoreRequests
                assert await chosen(storage) is expected
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    async with storage_at("http://s3.example") as storage:
        assert await chosen(storage) is BotocoreRequests


@pytest.mark.parametrize(
    ("bucket", "options", "host", "path"),
    [
        ("bucket", {}, "bucket.s3.eu-west-1.amazonaws.com", "/"),
        ("bucket", {"addressing_style": "path"}, "s3.eu-west-1.amazonaws.com", "/bucket/"),
        ("dotted.bucket", {}, "s3.eu-west-1.amazonaws.com", "/dotted.bucket/"),
        ("arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", {}, None, "/"),
        ("bucket", {"endpoint_url": "https://Store.example:443"}, "store.example", "/bucket/"),
        ("bucket", {"endpoint_url": "https://store.example:8443/below"}, "store.example:8443", "/below/bucket/"),
    ],
)
async def test_where_a_bucket_is_says_aiobotocore(
    bucket: str, options: dict[str, str], host: str | None, path: str
) -> None:
    async with S3Storage(bucket, region_name="eu-west-1", **options) as storage:  # type: ignore[arg-type]
        requests = (await storage._slot()).requests

    assert isinstance(requests, WireRequests)
    origin = requests._origin
    assert origin.path == path
    assert origin.scope == ("eu-west-1", "s3")
    assert host is None or origin.host == host
