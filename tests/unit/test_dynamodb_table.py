"""How long requests to DynamoDB may take."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import DynamoDBStorage, Key, RetryPolicy, UnavailableError
from ssshelf.storages._aws_client import AWSOptions, ClientPool
from ssshelf.storages._dynamodb_refusals import refused
from ssshelf.storages._dynamodb_table import Table
from ssshelf.storages._limits import extended_by_answers, limit_here
from ssshelf.storages.base import Put
from ssshelf.testing import run_in_virtual_time
from tests.dynamodb_script import served_script
from tests.storages import SESSION

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

PATIENCE = AWSOptions(connect_timeout_s=1.0, read_timeout_s=2.0)
ONCE = RetryPolicy(attempts=1)
DATA = bytes(380_000)
ROW = {"id": {"S": "a"}, "deep": {"L": [{"M": {"text": {"S": "x" * 190_000}}}] * 2}}
PROMISED_BYTES_PER_S = 16 * 1024


class Line:
    """A client of DynamoDB on a slow line."""

    def __init__(self, bytes_per_s: float) -> None:
        self.bytes_per_s = bytes_per_s

    def __getattr__(self, request: str) -> Callable[..., Coroutine[Any, Any, dict[str, Any]]]:
        return self.send

    async def send(self, **parameters: Any) -> dict[str, Any]:
        sent = json.dumps(parameters, default=lambda data: base64.b64encode(data).decode())
        await asyncio.sleep(len(sent) / self.bytes_per_s)
        return {"ResponseMetadata": {"RequestId": "1"}}


def table(line: Line) -> Table:
    return Table("table", ClientPool("dynamodb", None, line, 1, PATIENCE), ONCE, refused)


def storage(line: Line) -> DynamoDBStorage:
    return DynamoDBStorage("table", client=line, retries=ONCE, **PATIENCE)


ENTRIES = {Key("a", number): DATA for number in range(10)}
WRITES: dict[str, Callable[[Line], Coroutine[Any, Any, Any]]] = {
    "batch": lambda line: table(line).write_all([{"PutRequest": {"Item": ROW}}] * 25),
    "write": lambda line: table(line).repeat("put_item", Item=ROW),
    "conditional write": lambda line: table(line).send_once("put_item", Item=ROW),
    "put": lambda line: storage(line).put(Key("a"), DATA),
    "put_many": lambda line: storage(line).put_many(ENTRIES),
    "commit": lambda line: storage(line).commit([Put(key, DATA) for key in ENTRIES]),
}


@pytest.mark.parametrize("name", WRITES)
def test_what_is_sent_has_the_time_it_needs(name: str) -> None:
    run_in_virtual_time(WRITES[name](Line(PROMISED_BYTES_PER_S)))


@pytest.mark.parametrize("name", WRITES)
def test_what_is_sent_more_slowly_than_that_is_given_up(name: str) -> None:
    with pytest.raises(UnavailableError):
        run_in_virtual_time(WRITES[name](Line(0.8 * PROMISED_BYTES_PER_S)))


class Answering(Line):
    """A client whose answers of 160 KiB come little by little."""

    async def send(self, **parameters: Any) -> dict[str, Any]:
        limit = limit_here()
        assert limit is not None
        for _ in range(10):
            await asyncio.sleep(16 * 1024 / self.bytes_per_s)
            limit.extend(16 * 1024)
        return await super().send(**parameters)


def test_what_comes_has_the_time_it_needs() -> None:
    run_in_virtual_time(table(Answering(PROMISED_BYTES_PER_S)).repeat("scan"))


def test_what_comes_more_slowly_than_that_is_given_up() -> None:
    with pytest.raises(UnavailableError):
        run_in_virtual_time(table(Answering(0.7 * PROMISED_BYTES_PER_S)).repeat("scan"))


async def test_what_has_come_of_an_answer_extends_its_time() -> None:
    items = [{"id": {"S": "x" * 1_000_000}}]
    async with served_script(lambda *_: (200, {"Items": items})) as (_, url):
        pool = ClientPool("dynamodb", SESSION, None, 1, AWSOptions(region_name="us-east-1", endpoint_url=url))
        async with pool.limit() as limit:
            before = limit.when
            with extended_by_answers(limit):
                answer = await (await pool.get()).scan(TableName="table")
            after = limit.when
        await pool.aclose()

    assert answer["Items"] == items
    assert after > before
