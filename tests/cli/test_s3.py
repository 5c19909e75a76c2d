"""The command line on buckets: what it does, and how it says what is wrong with one."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from ssshelf import Key
from tests.cli.shop import fill_storage
from tests.storages import BUCKET, SERVERS, s3_storage, unknown_s3_storage

if TYPE_CHECKING:
    from tests.cli.conftest import Run


async def filled(endpoint: str) -> str:
    """Fill a new part of the tests' bucket, and return its URL."""
    async with s3_storage(endpoint) as storage:
        await fill_storage(storage)
        return f"s3://{BUCKET}/{storage.prefix}?endpoint_url={endpoint}&region=us-east-1&addressing_style=path"


async def emptied(endpoint: str) -> str:
    async with unknown_s3_storage(endpoint, session=None) as storage:  # with the credentials of now
        return f"s3://{BUCKET}/{storage.prefix}?endpoint_url={endpoint}&region=us-east-1&addressing_style=path"


@pytest.fixture(params=SERVERS)
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a shelf in a bucket, which commands use."""
    url = asyncio.run(filled(request.getfixturevalue(f"{request.param}_url")))
    monkeypatch.setenv("SSSHELF_URL", url)
    return url


@pytest.mark.usefixtures("bucket")
def test_a_shelf_in_a_bucket(ssshelf: Run) -> None:
    listed = ssshelf("ls")
    by_tag = ssshelf("ls", "orders", "by-tag", "new")
    removed = ssshelf("rm", "orders", "a1", "--yes")
    counted = ssshelf("count")
    verified = ssshelf("verify")
    total = ssshelf("stat", "--json").json["total"]["objects"]
    bench = ssshelf("bench", "--requests", "3")

    assert listed.out == "orders\tby-day\tby-tag\npeople\tby-email\n"
    assert [row[1:] for row in by_tag.rows] == [["a1", "new", "number:1"], ["a2", "new", "number:2.5"]]
    assert (removed.code, counted.out) == (0, "2\torders\n1\tpeople\n")
    assert (verified.code, verified.out) == (0, "")
    assert bench.code == 0
    assert ssshelf("stat", "--json").json["total"]["objects"] in (total, total + 1)  # what a probe remembers


@pytest.mark.ceph
def test_a_store_that_signs_off_old_requests_is_swept(ssshelf: Run, ceph_url: str) -> None:
    url = asyncio.run(filled(ceph_url))

    swept = ssshelf("sweep", "--yes", "--url", url)

    assert (swept.code, [row[-1] for row in swept.rows]) == (0, ["orders", "people"])
    (problem,) = ssshelf("probe", "--url", url, "--json").json["problems"]
    assert problem.endswith("although it is gone (If-Match)")


@pytest.mark.ceph
@pytest.mark.parametrize(
    ("name", "code"), [("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"), ("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId")]
)
def test_wrong_credentials_are_one_line(
    ssshelf: Run, ceph_url: str, monkeypatch: pytest.MonkeyPatch, name: str, code: str
) -> None:
    url = asyncio.run(filled(ceph_url))
    monkeypatch.setenv(name, "wrongwrong")

    for command in (("ls",), ("put", "orders", "x", __file__, "--type", "text/x-python"), ("sweep", "--yes")):
        ended = ssshelf(*command, "--url", url)

        assert (ended.code, ended.out) == (5, "")
        assert ended.err == (
            f"ssshelf: S3 answered 403 {code} for bucket {BUCKET!r}: these credentials are wrong here, or their policy "
            "does not allow it\n"
        )


@pytest.mark.servers
def test_a_store_that_ignores_conditions_is_no_place_for_items(
    ssshelf: Run, s3rver_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "S3RVER")
    url = asyncio.run(emptied(s3rver_url))

    probed = ssshelf("probe", "--url", url)
    put = ssshelf("put", "orders", "x", __file__, "--type", "text/x-python", "--url", url)

    assert (probed.code, ["if_absent_refuses", "no"] in probed.rows) == (1, True)
    assert probed.err.startswith("ssshelf: this store cannot keep items: it overwrites an entry on condition")
    assert put.code == 8
    assert "then `ssshelf probe` asks it again" in put.err


def test_a_store_whose_requests_may_come_late_is_swept_only_with_a_grace(ssshelf: Run, moto_url: str) -> None:
    url = asyncio.run(filled(moto_url))

    refused = ssshelf("sweep", "--yes", "--url", url)
    swept = ssshelf("sweep", "--yes", "--url", url, "--grace", "3600")

    assert (refused.code, refused.out) == (8, "")
    assert refused.err.endswith("can no longer arrive: give the --grace that you know to be long enough\n")
    assert (swept.code, [row[-1] for row in swept.rows]) == (0, ["orders", "people"])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWS_PROFILE", "nobody", "The config profile (nobody) could not be found: set AWS_ACCESS_KEY_ID"),
        ("AWS_ACCESS_KEY_ID", "", "Unable to locate credentials: set AWS_ACCESS_KEY_ID"),
    ],
)
def test_missing_credentials_are_one_line(
    ssshelf: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    ended = ssshelf("ls", "--url", "s3://bucket/?region=us-east-1")

    assert (ended.code, ended.out) == (5, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("s3://nobody-has-it/?endpoint_url={}&addressing_style=path", 6, "there is no bucket 'nobody-has-it' at this"),
        ("s3://bucket/?endpoint_url={}&region=eu%20west", 2, "Provided region_name 'eu west' doesn't match"),
        ("s3://bucket/?endpoint_url=nonsense", 2, "Invalid endpoint: nonsense"),
        ("s3://bucket/?regio=eu", 2, "unknown option in a s3:// URL: regio; it takes addressing_style"),
        ("s3:///x", 2, "this storage needs a URL such as s3://bucket/prefix"),
    ],
)
def test_a_wrong_url_is_one_line(ssshelf: Run, moto_url: str, url: str, code: int, said: str) -> None:
    ended = ssshelf("ls", "--url", url.format(moto_url))

    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_an_endpoint_where_nobody_is_is_one_line(ssshelf: Run) -> None:
    ended = ssshelf("ls", "--url", "s3://bucket/?endpoint_url=http://127.0.0.1:1&region=us-east-1")

    assert (ended.code, ended.out) == (4, "")
    assert re.fullmatch(
        r"ssshelf: S3: ClientConnectorError: .*127\.0\.0\.1:1.*: try again, or correct the URL\n", ended.err
    )


async def put(endpoint: str, names: list[str]) -> str:
    async with s3_storage(endpoint) as storage:
        for name in names:
            await storage.put(Key.from_text(name), b"12345")
        return f"s3://{BUCKET}/{storage.prefix}?endpoint_url={endpoint}&region=us-east-1&addressing_style=path"


def test_objects_of_somebody_else_are_counted_and_left_alone(ssshelf: Run, moto_url: str) -> None:
    url = asyncio.run(put(moto_url, ["README.md", "a b/ü/\N{SNOWMAN}", "items", "items!/", "zz/%2F", "folder/"]))

    listed = ssshelf("ls", "--url", url)
    stat = ssshelf("stat", "--url", url)

    assert (listed.code, listed.err) == (1, "ssshelf: there is nothing on this shelf\n")
    assert stat.rows[0] == ["-", "other", "-", "6", "30", "0.0000"]
