"""The policy of the README allows all that the shortener and its operator do, and no action that they do not need."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import UNSIGNED

from examples.url_shortener.shortener.service import Shortener
from ssshelf import AlreadyExistsError, DeniedError, S3Storage
from tests.servers.fault_proxy import FaultProxy, Request

README = Path(__file__).parent.parent / "README.rst"
PREFIX = "shortener"


class Done(NamedTuple):
    """What a request does: an action, and the name or the prefix it is about."""

    action: str
    where: str


def statements(bucket: str) -> list[dict[str, Any]]:
    block = re.search(r"\.\. code-block:: json\n\n(.*?)\n\n   \S", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    policy = json.loads(block[1].replace("my-bucket", bucket))
    return [{**one, "Action": [*as_list(one["Action"])]} for one in policy["Statement"]]


def as_list(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


@contextlib.asynccontextmanager
async def client_of(url: str, **config: Any) -> AsyncIterator[Any]:
    settings = AioConfig(s3={"addressing_style": "path"}, **config)
    async with get_session().create_client("s3", endpoint_url=url, region_name="us-east-1", config=settings) as client:
        yield client


@contextlib.asynccontextmanager
async def new_bucket(url: str) -> AsyncIterator[tuple[str, Any]]:
    """Make a bucket, and yield its name and a client that may do anything with it."""
    async with client_of(url) as client:
        bucket = f"shortener-{uuid.uuid4().hex}"
        await client.create_bucket(Bucket=bucket)
        yield bucket, client


async def live(storage: S3Storage) -> None:
    """Do all that the shortener and its operator do."""
    shortener = Shortener(storage)
    assert await shortener.find("nobody") is None
    await shortener.shorten("https://example.org/", "it")
    with pytest.raises(AlreadyExistsError):  # the loser takes its index entries back
        await shortener.shorten("https://example.org/", "it")
    assert await shortener.find("it")
    for _ in range(2):
        shortener.clicks.click("it")
        await shortener.clicks.save()
    assert (await shortener.clicks.by_day("it", 2))[-1][1] == 2
    assert len(await shortener.newest()) == len(await shortener.newest("example.org")) == 1
    assert (await shortener.links.verify()).is_clean
    await shortener.links.remove_item("it")
    assert await shortener.look_up("it") is None
    await shortener.links.sweep(grace_s=86_400)


def done_by(request: Request, bucket: str) -> Done:
    url = urlsplit(request.path)
    key = url.path.removeprefix(f"/{bucket}").removeprefix("/")
    query = parse_qs(url.query, keep_blank_values=True)
    if "list-type" in query:
        return Done("s3:ListBucket", query["prefix"][0])
    if "delete" in query:  # the names are in the body
        return Done("s3:DeleteObject", f"{PREFIX}/")
    return Done({"GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}[request.method], key)


def is_allowed(done: Done, policy: Iterable[dict[str, Any]], bucket: str) -> bool:
    def allows(one: dict[str, Any]) -> bool:
        if done.action != "s3:ListBucket":
            return fnmatch.fnmatchcase(f"arn:aws:s3:::{bucket}/{done.where}", one["Resource"])
        prefix = one["Condition"]["StringLike"]["s3:prefix"]
        return bool(one["Resource"] == f"arn:aws:s3:::{bucket}") and fnmatch.fnmatchcase(done.where, prefix)

    return any(done.action in one["Action"] and allows(one) for one in policy)


async def test_each_request_is_allowed_and_each_action_is_needed(moto_url: str) -> None:
    async with (
        new_bucket(moto_url) as (bucket, _),
        FaultProxy(moto_url).serving() as proxy,
        client_of(proxy.url) as client,
        S3Storage(bucket, PREFIX, client=client) as storage,
    ):
        await live(storage)

    policy = statements(bucket)
    done = {done_by(request, bucket) for request in proxy.requests}
    assert [one for one in done if not is_allowed(one, policy, bucket)] == []
    assert {one.action for one in done} == {action for one in policy for action in one["Action"]}


@pytest.mark.ceph
async def test_a_store_that_enforces_it_lets_the_shortener_live(ceph_url: str) -> None:
    async with new_bucket(ceph_url) as (bucket, owner), client_of(ceph_url, signature_version=UNSIGNED) as anybody:
        policy = {"Version": "2012-10-17", "Statement": [{**one, "Principal": "*"} for one in statements(bucket)]}
        await owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        async with S3Storage(bucket, PREFIX, client=owner) as storage:
            await storage.probe()  # of the store, which the shortener then finds in the bucket

        async with S3Storage(bucket, PREFIX, client=anybody) as storage:
            await live(storage)


@pytest.mark.ceph
async def test_a_store_that_enforces_it_denies_what_is_elsewhere(ceph_url: str) -> None:
    async with new_bucket(ceph_url) as (bucket, owner), client_of(ceph_url, signature_version=UNSIGNED) as anybody:
        policy = {"Version": "2012-10-17", "Statement": [{**one, "Principal": "*"} for one in statements(bucket)]}
        await owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        async with S3Storage(bucket, "elsewhere", client=anybody) as storage:
            shortener = Shortener(storage)

            for attempt in (shortener.look_up("it"), shortener.newest(), shortener.shorten("https://example.org/")):
                with pytest.raises(DeniedError):
                    await attempt
