"""Signatures: the same as botocore's, whatever is signed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from ssshelf.storages._sigv4 import STAMP, Request, Scope, authorization

if TYPE_CHECKING:
    from collections.abc import Mapping

VISIBLE = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=40)
WORDS = st.from_regex("[a-z][a-z0-9-]{0,15}", fullmatch=True)
# Those that botocore never signs, dates by itself, or takes for others.
OWN = {"authorization", "date", "expect", "host", "transfer-encoding", "user-agent", "content-length", "content-type"}
HEADERS = st.dictionaries(
    WORDS.filter(lambda name: name not in OWN and not name.startswith("x-amz")),
    st.lists(VISIBLE, min_size=1, max_size=3).map("  ".join),
    max_size=4,
)
MOMENTS = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2099, 12, 31))  # noqa: DTZ001  in UTC


class _AsOf(S3SigV4Auth):  # type: ignore[misc]  # botocore is not typed
    """Signs as botocore does, at another time."""

    stamp = ""

    def _modify_request_before_signing(self, request: AWSRequest) -> None:
        request.context["timestamp"] = self.stamp
        super()._modify_request_before_signing(request)


@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "POST", "HEAD"]),
    name=st.text(max_size=40),
    query=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=5),
    headers=HEADERS,
    data=st.binary(max_size=50),
    who=st.builds(ReadOnlyCredentials, VISIBLE, SECRETS, st.none() | VISIBLE),
    scope=st.builds(Scope, WORDS, WORDS),
    moment=MOMENTS,
)
def test_signatures_are_those_of_botocore(  # noqa: PLR0913, PLR0917  all that is signed
    method: str,
    name: str,
    query: Mapping[str, str],
    headers: dict[str, str],
    data: bytes,
    who: ReadOnlyCredentials,
    scope: Scope,
    moment: dt.datetime,
) -> None:
    path = "/bucket/" + quote(name, safe="/~")
    # In whatever order the names are, they are signed in one.
    parameters = "&".join(sorted(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in query.items()))
    theirs = AWSRequest(method, f"https://host:8443{path}?{parameters}", headers=headers, data=data)
    signer = _AsOf(who, scope.service, scope.region)
    signer.stamp = moment.strftime(STAMP)
    signer.add_auth(theirs)

    signed = {key.lower(): value for key, value in theirs.headers.items() if key != "Authorization"}
    signed["host"] = "host:8443"
    pairs = sorted(pair.split("=", 1) for pair in parameters.split("&")) if parameters else []
    ours = authorization(Request(method, path, "&".join(map("=".join, pairs)), signed), scope, who)

    assert ours == theirs.headers["Authorization"]
    assert Scope.of(ours) == scope


@pytest.mark.parametrize("header", ["", "AWS AKID:signature", "AWS4-ECDSA-P256-SHA256 Credential=a/20260101/s3/x,"])
def test_signatures_of_other_kinds_hold_nowhere(header: str) -> None:
    assert Scope.of(header) is None


def test_no_secret_is_in_the_header() -> None:
    request = Request("GET", "/", "", {"host": "h", "x-amz-date": "20260101T000000Z", "x-amz-content-sha256": "e"})

    assert "hush" not in authorization(request, Scope("region", "s3"), ReadOnlyCredentials("id", "hush", "hush"))
