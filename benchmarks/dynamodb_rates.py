"""How many entries a table of DynamoDB takes and gives in a second, against the same requests by hand with aioboto3.

On DynamoDB Local, which tests/servers/install.sh installs: the server is half of what is measured, so ratios count. And
aiodynamo and PynamoDB, if they are installed: what else a program could have used. PynamoDB blocks, so that it runs in
as many threads as there are requests at a time.

ssshelf sends gets that are made at the same moment together, and puts; "alone" is one after the other, which is what
compares the same requests. Processor time is that of this process, the server's not included.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import os
import statistics
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aioboto3
from aiobotocore.config import AioConfig

from benchmarks.report import in_turns, medians, same, save, table
from ssshelf import DynamoDBStorage, Key
from ssshelf.storages.base import Put, content_etag
from ssshelf.testing.servers import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SERVER = Path(__file__).parent.parent / "tests" / "servers" / "dynamodb.sh"
TABLE = "benchmarks"
REGION = "us-east-1"
ROUNDS = 5
AT_ONCE = 32
ENTRIES = 320
ALONE = ", alone"
TIMES = {
    "put": ENTRIES,
    "get": ENTRIES,
    f"put{ALONE}": 64,
    f"get{ALONE}": 64,
    "transaction of 4": 96,
    "listing of 100": 96,
}
DATA = b"x" * 300
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


def key(number: int) -> Key:
    return Key("items", "things", f"item-{number:04}")


def rows_of(prefix: str, number: int) -> dict[str, Any]:
    """Return the row that ssshelf writes, but for its date."""
    text = key(number).text
    return {
        "p": {"S": f"{prefix}@items!/things!"},
        "k": {"S": text},
        "e": {"S": content_etag(DATA)},
        "s": {"N": str(len(DATA))},
        "d": {"B": DATA},
        "t": {"N": "1700000000000000"},
    }


@contextlib.asynccontextmanager
async def ssshelf_work(url: str) -> AsyncIterator[dict[str, Callable[[int], Awaitable[Any]]]]:
    async with DynamoDBStorage(
        TABLE, uuid.uuid4().hex, endpoint_url=url, region_name=REGION, concurrency=AT_ONCE
    ) as storage:
        await storage.create_table()

        async def put(number: int) -> None:
            await storage.put(key(number), DATA)

        async def get(number: int) -> None:
            same((await storage.get(key(number))).data, DATA)

        async def transact(number: int) -> None:
            await storage.commit([Put(Key("items", "others", f"{number}-{part}"), DATA) for part in range(4)])

        async def scan(_: int) -> None:
            same(len((await storage.scan(Key("items", "things"), limit=100)).rows), 100)

        yield {"put": put, "get": get, "transaction of 4": transact, "listing of 100": scan}


@contextlib.asynccontextmanager
async def aioboto3_work(url: str) -> AsyncIterator[dict[str, Callable[[int], Awaitable[Any]]]]:
    prefix = uuid.uuid4().hex
    config = AioConfig(max_pool_connections=AT_ONCE)
    async with aioboto3.Session().client("dynamodb", endpoint_url=url, region_name=REGION, config=config) as client:

        async def put(number: int) -> None:
            await client.put_item(TableName=TABLE, Item=rows_of(prefix, number))

        async def get(number: int) -> None:
            row = rows_of(prefix, number)
            answer = await client.get_item(TableName=TABLE, Key={"p": row["p"], "k": row["k"]}, ConsistentRead=True)
            same(answer["Item"]["d"]["B"], DATA)

        async def transact(number: int) -> None:
            rows = [{**rows_of(prefix, number), "k": {"S": f"others-{number}-{part}"}} for part in range(4)]
            await client.transact_write_items(
                TransactItems=[{"Put": {"TableName": TABLE, "Item": row}} for row in rows],
                ClientRequestToken=uuid.uuid4().hex,
            )

        async def scan(_: int) -> None:
            answer = await client.query(
                TableName=TABLE,
                ConsistentRead=True,
                Limit=102,
                KeyConditionExpression="p = :p AND k BETWEEN :low AND :high",
                ProjectionExpression="k, e, s, t",
                ExpressionAttributeValues={
                    ":p": {"S": f"{prefix}@items!/things!"},
                    ":low": {"S": "items!/things!/"},
                    ":high": {"S": "items!/things!0"},
                },
            )
            same(len(answer["Items"]), 102)

        yield {"put": put, "get": get, "transaction of 4": transact, "listing of 100": scan}


@contextlib.asynccontextmanager
async def aiodynamo_work(url: str) -> AsyncIterator[dict[str, Callable[[int], Awaitable[Any]]]]:
    prefix = uuid.uuid4().hex
    modules = {
        name: importlib.import_module(f"aiodynamo.{name}")
        for name in ("client", "credentials", "expressions", "http.aiohttp")
    }
    aiohttp, yarl = importlib.import_module("aiohttp"), importlib.import_module("yarl")
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        client = modules["client"].Client(
            modules["http.aiohttp"].AIOHTTP(session), modules["credentials"].Credentials.auto(), REGION, yarl.URL(url)
        )
        things = client.table(TABLE)
        expressions = modules["expressions"]

        async def put(number: int) -> None:
            row = {"p": prefix, "k": key(number).text, "e": content_etag(DATA), "s": 300, "d": DATA, "t": 17 * 10**14}
            await things.put_item(row)

        async def get(number: int) -> None:
            item = await things.get_item({"p": prefix, "k": key(number).text}, consistent_read=True)
            same(item["d"], DATA)

        async def scan(_: int) -> None:
            condition = expressions.HashKey("p", prefix) & expressions.RangeKey("k").begins_with("items!/things!/")
            projection = expressions.F("k") & expressions.F("e") & expressions.F("s") & expressions.F("t")
            page = await things.query_single_page(condition, limit=102, projection=projection, consistent_read=True)
            same(len(page.items), 102)

        yield {"put": put, "get": get, "listing of 100": scan}


@contextlib.asynccontextmanager
async def pynamodb_work(url: str) -> AsyncIterator[dict[str, Callable[[int], Awaitable[Any]]]]:
    prefix = uuid.uuid4().hex
    models, attributes = importlib.import_module("pynamodb.models"), importlib.import_module("pynamodb.attributes")
    meta = type("Meta", (), {"table_name": TABLE, "host": url, "region": REGION, "max_pool_connections": AT_ONCE})
    fields = {
        "Meta": meta,
        "p": attributes.UnicodeAttribute(hash_key=True),
        "k": attributes.UnicodeAttribute(range_key=True),
        "e": attributes.UnicodeAttribute(),
        "s": attributes.NumberAttribute(),
        "d": attributes.BinaryAttribute(legacy_encoding=False),
        "t": attributes.NumberAttribute(),
    }
    thing: Any = type("Thing", (models.Model,), fields)
    with ThreadPoolExecutor(AT_ONCE) as pool:

        async def run(function: Callable[[], Any]) -> Any:
            return await asyncio.get_running_loop().run_in_executor(pool, function)

        async def put(number: int) -> None:
            await run(thing(prefix, key(number).text, e=content_etag(DATA), s=300, d=DATA, t=17 * 10**14).save)

        async def get(number: int) -> None:
            same((await run(functools.partial(thing.get, prefix, key(number).text, consistent_read=True))).d, DATA)

        async def scan(_: int) -> None:
            condition = thing.k.startswith("items!/things!/")
            query = functools.partial(
                thing.query, prefix, condition, consistent_read=True, limit=102, attributes_to_get=["k", "e", "s", "t"]
            )
            same(len(await run(lambda: list(query()))), 102)

        yield {"put": put, "get": get, "listing of 100": scan}


CONTESTANTS = {
    "ssshelf": ssshelf_work,
    "by hand, aioboto3": aioboto3_work,
    "aiodynamo": aiodynamo_work,
    "PynamoDB": pynamodb_work,
}


async def rate(
    request: Callable[[int], Awaitable[Any]], times: int, at_once: int = AT_ONCE, cpu_s: list[float] | None = None
) -> float:
    """Return how many requests a second there are; append to ``cpu_s`` how long this process worked on each."""
    waiting = iter(range(times))

    async def work() -> None:
        for number in waiting:
            await request(number)

    started, cpu_started = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    taken, worked = time.perf_counter() - started, time.process_time() - cpu_started
    if cpu_s is not None:
        cpu_s.append(worked / times)
    return times / taken


Measured = dict[str, dict[str, list[float]]]


async def compare(url: str) -> tuple[Measured, Measured]:
    """Return requests a second, and the processor time of each, by their kind and by who made them."""
    rates: Measured = {}
    cpu_s: Measured = {}
    async with contextlib.AsyncExitStack() as stack:
        work: dict[str, dict[str, Callable[[int], Awaitable[Any]]]] = {}
        for name, opened in CONTESTANTS.items():
            try:
                work[name] = await stack.enter_async_context(opened(url))
            except ModuleNotFoundError as error:
                print(f"{name} is not measured: {error}")
        for kind, times in TIMES.items():
            what, at_once = kind.removesuffix(ALONE), 1 if kind.endswith(ALONE) else AT_ONCE
            cpu_s[kind] = {name: [] for name, requests in work.items() if what in requests}
            able = {
                name: functools.partial(rate, work[name][what], times, at_once, worked)
                for name, worked in cpu_s[kind].items()
            }
            rates[kind] = await in_turns(able, ROUNDS)
    return rates, cpu_s


def main() -> None:
    for name, value in CREDENTIALS.items():
        os.environ.setdefault(name, value)
    with served([SERVER, "run", "local"]) as url:
        rates, cpu_s = asyncio.run(compare(url))
    rows = []
    for kind, measured in rates.items():
        found = medians(measured)
        cells = [f"{found[name]:,.0f}" if name in found else "" for name in CONTESTANTS]
        rows.append([kind, *cells, *(f"{ratio:.2f}" for ratio in ratios(measured, cpu_s[kind]))])
    header = ["", *CONTESTANTS, "ssshelf / by hand", "by processor time"]
    table(f"Requests a second, {AT_ONCE} at a time", header, rows)
    save("dynamodb_rates", {"at_once": AT_ONCE, "requests_per_second": rates, "cpu_s": cpu_s})


def ratios(rates: dict[str, list[float]], cpu_s: dict[str, list[float]]) -> tuple[float, float]:
    """Return how much faster ssshelf is than requests by hand, in pairs: by the clock, and by processor time."""
    ours, theirs = "ssshelf", "by hand, aioboto3"
    return (
        statistics.median(mine / hand for mine, hand in zip(rates[ours], rates[theirs], strict=True)),
        statistics.median(hand / mine for mine, hand in zip(cpu_s[ours][1:], cpu_s[theirs][1:], strict=True)),
    )


if __name__ == "__main__":
    main()
