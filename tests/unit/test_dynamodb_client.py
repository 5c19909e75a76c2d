"""Clients that decode answers on their own: what botocore's decode."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ssshelf.storages._aws_client import AWSOptions, ClientPool
from ssshelf.storages._dynamodb_client import DynamoDBPool
from tests.dynamodb_script import error, served_script
from tests.storages import SESSION

DATA = base64.b64encode(bytes(range(256))).decode()
ITEM: dict[str, Any] = {
    "text": {"S": "é"},
    "number": {"N": "1.5"},
    "bytes": {"B": DATA},
    "nothing": {"NULL": True},
    "truth": {"BOOL": False},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "several": {"BS": [DATA, ""]},
    "list": {"L": [{"B": DATA}, {"S": "B"}, {"L": [{"M": {}}]}]},
    "map": {"M": {"S": {"B": DATA}, "N": {"M": {"deep": {"BS": [DATA]}}}}},
    "empty": {"M": {}},
}
CAPACITY = {"TableName": "table", "CapacityUnits": 0.5}
READS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "get_item": ({"TableName": "table", "Key": {"text": {"S": "é"}}}, {"Item": ITEM, "ConsumedCapacity": CAPACITY}),
    "query": ({"TableName": "table"}, {"Items": [ITEM, ITEM], "Count": 2, "LastEvaluatedKey": ITEM}),
    "scan": ({"TableName": "table"}, {"Items": [], "Count": 0, "ScannedCount": 3, "LastEvaluatedKey": None}),
    "batch_get_item": (
        {"RequestItems": {"table": {"Keys": [{"bytes": {"B": b"1"}}]}}},
        {
            "Responses": {"table": [ITEM], "other": []},
            "UnprocessedKeys": {"table": {"Keys": [ITEM], "ConsistentRead": True}},
        },
    ),
}


async def answered(url: str, request: str, parameters: dict[str, Any], *, ours: bool = True) -> dict[str, Any]:
    options = AWSOptions(region_name="us-east-1", endpoint_url=url)
    pool = DynamoDBPool(SESSION, None, 1, options) if ours else ClientPool("dynamodb", SESSION, None, 1, options)
    try:
        answer: dict[str, Any] = await getattr(await pool.get(), request)(**parameters)
    finally:
        await pool.aclose()
    return answer


@pytest.mark.parametrize("request_name", READS)
async def test_answers_to_reads_are_those_of_botocore(request_name: str) -> None:
    parameters, body = READS[request_name]
    async with served_script(lambda *_: (200, body)) as (_, url):
        mine = await answered(url, request_name, parameters)
        theirs = await answered(url, request_name, parameters, ours=False)

    assert mine == theirs
    assert len(mine) > 1


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b"{"])
async def test_what_is_no_answer_is_none(body: bytes) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with served_script(lambda *_: page) as (_, url):
        answer = await answered(url, "query", {"TableName": "table"})

    assert answer.keys() == {"ResponseMetadata"}


async def test_refusals_are_those_of_botocore() -> None:
    failures = []
    async with served_script(lambda *_: error("ThrottlingException")) as (_, url):
        for ours in (True, False):
            with pytest.raises(Exception, match="ThrottlingException") as caught:
                await answered(url, "query", {"TableName": "table"}, ours=ours)
            failures.append(caught.value.response)  # type: ignore[attr-defined]

    assert failures[0] == failures[1]
