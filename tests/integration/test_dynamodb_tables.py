"""Tables of servers that speak DynamoDB: made, shared, not found, of another form, and at their limits."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import aioboto3
import pytest

from ssshelf import (
    CManager,
    Collection,
    ConflictError,
    DictItems,
    DynamoDBStorage,
    Key,
    RetryPolicy,
    Shelf,
    StoreNotFoundError,
    UnsupportedError,
)
from ssshelf.maintenance import Swept
from ssshelf.storages._dynamodb_setup import make_table
from ssshelf.storages.base import Delete, IfAbsent, Put
from ssshelf.storages.counting import CountingStorage
from tests.bookmarks import Bookmarks, assert_in_step, bookmark
from tests.notes import LAYOUT, Notes, note
from tests.storages import SESSION, TABLE, TABLES, dynamodb_storage, servers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

local = pytest.param("dynamodb", marks=servers)
on_moto_and_dynamodb = pytest.mark.parametrize("server", ["moto", local])
on_dynamodb = pytest.mark.parametrize("server", [local])
on_all = pytest.mark.parametrize("server", ["moto", *TABLES])
KEY = Key("a", "b")
OTHER_KEYS = [("id", "S", "k", "S"), ("p", "S", "id", "S"), ("p", "S", "", "")]


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{server}_url")
    return found


@contextlib.asynccontextmanager
async def without_table(url: str, **options: Any) -> AsyncIterator[DynamoDBStorage]:
    settings = {"endpoint_url": url, "region_name": "us-east-1", "session": SESSION, **options}
    async with DynamoDBStorage(f"t-{uuid.uuid4().hex}", **settings) as storage:
        yield storage


@on_all
async def test_many_may_make_a_table_at_once(url: str) -> None:
    async with without_table(url) as storage:
        await asyncio.gather(*(storage.create_table() for _ in range(8)))
        await storage.put(KEY, b"1")
        await storage.create_table()  # it is there

        assert (await storage.get(KEY)).data == b"1"
        described = (await (await storage._table.client()).describe_table(TableName=storage.table))["Table"]
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


@on_moto_and_dynamodb
async def test_capacity_may_be_provisioned(url: str) -> None:
    async with without_table(url) as storage:
        await storage.create_table(capacity=(7, 5))

        described = (await (await storage._table.client()).describe_table(TableName=storage.table))["Table"]
        units = described["ProvisionedThroughput"]
        assert (units["ReadCapacityUnits"], units["WriteCapacityUnits"]) == (7, 5)


async def test_a_table_may_have_backups_and_let_rows_expire(moto_url: str) -> None:
    async with without_table(moto_url) as storage:
        for _ in range(2):  # also where it is so already
            await storage.create_table(point_in_time_recovery=True, ttl_attribute="expires")

        client = await storage._table.client()
        backups = await client.describe_continuous_backups(TableName=storage.table)
        expiry = await client.describe_time_to_live(TableName=storage.table)
        said = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert said["PointInTimeRecoveryStatus"] == "ENABLED"
        assert expiry["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


@on_all
async def test_a_missing_table_is_named(url: str) -> None:
    async with without_table(url) as storage:
        for request in (
            lambda: storage.get(KEY),
            lambda: storage.put(KEY, b"1"),
            lambda: storage.scan(Key()),
            lambda: storage.delete_many([KEY]),
        ):
            with pytest.raises(StoreNotFoundError, match=f"no table '{storage.table}' .*create_table"):
                await request()


@pytest.mark.parametrize(
    ("server", "keys"),
    [
        *(("moto", keys) for keys in OTHER_KEYS),
        *(
            pytest.param(server, keys, marks=servers)
            for server in ("dynamodb", "dynalite")
            for keys in [*OTHER_KEYS, ("p", "S", "k", "N")]  # moto looks at no types
        ),
    ],
)
async def test_a_table_with_other_keys_is_refused(url: str, keys: tuple[str, str, str, str]) -> None:
    partition, partition_type, sort, sort_type = keys
    names = {partition: partition_type, **({sort: sort_type} if sort else {})}
    async with without_table(url) as storage:
        await make_table(await storage._table.client(), storage.table, names, None)

        for request in (
            storage.create_table,
            lambda: storage.get(KEY),
            lambda: storage.put(KEY, b"1"),
            lambda: storage.scan(Key("a", "b")),
        ):
            with pytest.raises(UnsupportedError, match=f"table '{storage.table}' has other keys"):
                await request()


async def test_a_table_with_its_keys_the_other_way_round_is_refused(moto_url: str) -> None:
    async with without_table(moto_url) as storage:
        await make_table(await storage._table.client(), storage.table, {"k": "S", "p": "S"}, None)

        with pytest.raises(UnsupportedError, match=f"table '{storage.table}' has other keys"):
            await storage.create_table()


@on_all
async def test_prefixes_keep_storages_apart(url: str) -> None:
    async with dynamodb_storage(url) as made, contextlib.AsyncExitStack() as stack:
        prefixes = [made.prefix, f"{made.prefix}@", f"{made.prefix}@a!/b!", f"{made.prefix}@a"]
        options: dict[str, Any] = {"endpoint_url": url, "region_name": "us-east-1", "session": SESSION}
        storages = [await stack.enter_async_context(DynamoDBStorage(TABLE, prefix, **options)) for prefix in prefixes]
        for storage in storages:
            await storage.put(Key(*KEY.parts, "c"), storage.prefix.encode())
            await storage.put(Key("b"), storage.prefix.encode())

        for storage in storages:
            scan = await storage.scan(Key())
            assert [row.key for row in scan.rows] == [Key(*KEY.parts, "c"), Key("b")]
            assert {(await storage.get(row.key)).data for row in scan.rows} == {storage.prefix.encode()}


@pytest.mark.parametrize("server", TABLES)
async def test_a_scan_goes_over_the_borders_of_partitions(url: str) -> None:
    keys = [
        Key(*parts) for parts in (("a",), ("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d"), ("a", "bb"), ("b", 1, 2))
    ]
    texts = [key.text for key in keys]
    positions = [None, *(position for key in keys for position in (key.text, key.below, key.text[:-1], f"{key.text}~"))]
    async with dynamodb_storage(url) as storage:
        await storage.put_many(dict.fromkeys(keys, b""))

        for after in positions:
            for before in positions:
                expected = [text for text in texts if text > (after or "") and (before is None or text < before)]
                scan = await storage.scan(Key(), after=after, before=before)
                assert [row.key.text for row in scan.rows] == expected
                assert scan.after is None
        for limit in range(1, 7):
            scan = await storage.scan(Key(), limit=limit)
            assert [row.key.text for row in scan.rows] == texts[:limit]
            assert scan.after == (texts[limit - 1] if limit < 6 else None)


@on_dynamodb
async def test_a_listing_of_more_than_a_megabyte_is_complete(url: str) -> None:
    async with dynamodb_storage(url) as storage:
        keys = [Key(partition, "x", number) for partition in "ab" for number in range(10)]
        await storage.put_many({key: bytes(390 * 1024) for key in keys})

        found: list[Key] = []
        after, scans = None, 0
        while scans == 0 or after is not None:
            scan = await storage.scan(Key(), after=after)
            found += [row.key for row in scan.rows]
            after, scans = scan.after, scans + 1

        assert found == keys
        assert scans > 2
        assert [entry.data == bytes(390 * 1024) for entry in await storage.get_many(keys) if entry] == [True] * 20


@on_all
async def test_the_largest_entry_under_the_longest_key_fits_and_no_larger(server: str, url: str) -> None:
    async with dynamodb_storage(url, transactions=server != "dynalite") as storage:
        key = Key("collections", "k" * 197, "k" * 197, *["k" * 97] * 6)
        key = Key(*key.parts, "k" * (1024 - len(key.text) - 2))
        assert len(key.text) == 1024
        most = 290_000 if server == "moto" else storage.capabilities.max_value_bytes or 0

        await storage.put(key, bytes(most))
        assert (await storage.get(key)).data == bytes(most)
        assert [row.key for row in (await storage.scan(Key())).rows] == [key]
        assert [row.key for row in (await storage.scan(Key(*key.parts[:-1]))).rows] == [key]
        assert (await storage.scan(key)).rows == ()
        assert (await storage.scan(Key(), after=key.below, before="~" * 2000)).rows == ()
        with pytest.raises(ValueError, match="this store takes"):
            await storage.put(key, bytes((storage.capabilities.max_value_bytes or 0) + 1))


class Tagged(CManager[dict[str, Any]]):
    item_manager = DictItems(pk="id")
    by_tag = Collection[dict[str, Any]](lambda item: item["tags"])


@on_all
@pytest.mark.parametrize("tags", [99, 100, 150])
async def test_what_is_too_much_for_a_transaction_is_committed_as_on_s3(server: str, url: str, tags: int) -> None:
    async with dynamodb_storage(url, transactions=server != "dynalite") as storage:
        counting = CountingStorage(storage)
        shelf = Tagged(counting)
        item = {"id": "a", "tags": [f"t{number}" for number in range(tags)]}

        await shelf.insert_item(item)

        whole = server != "dynalite" and tags == 99
        assert counting.counts == ({"commit": 1} if whole else {"put": tags + 1})
        await shelf.update_item("a", lambda found: found["tags"].reverse())
        await shelf.update_item("a", lambda found: found.update(tags=found["tags"][:30]))
        assert await shelf.by_tag.count() == 30
        assert (await shelf.verify()).is_clean


@servers
async def test_of_writers_that_race_in_transactions_one_wins(racers: list[DynamoDBStorage]) -> None:
    async def write(number: int, storage: DynamoDBStorage) -> int | None:
        try:
            await storage.commit([Put(KEY, b"%d" % number, IfAbsent()), Put(Key("a", number), b"")])
        except ConflictError:
            return None
        return number

    for turn in range(5):
        results = await asyncio.gather(*(write(number, storage) for number, storage in enumerate(racers)))
        (winner,) = (result for result in results if result is not None)
        first = racers[0]
        assert (await first.get(KEY)).data == b"%d" % winner
        assert {row.key for row in (await first.scan(Key("a"))).rows} == {KEY, Key("a", winner)}
        await first.commit([Delete(KEY), Delete(Key("a", winner))])
        assert (await first.scan(Key("a"))).rows == (), turn


@pytest.fixture
async def racers(dynamodb_url: str) -> AsyncIterator[list[DynamoDBStorage]]:
    """Yield 16 storages of one prefix, each with connections of its own."""
    url = dynamodb_url
    patient = RetryPolicy(attempts=30, base_s=0.005)
    async with dynamodb_storage(url) as made, contextlib.AsyncExitStack() as stack:
        options: dict[str, Any] = {
            "endpoint_url": url,
            "region_name": "us-east-1",
            "session": SESSION,
            "retries": patient,
        }
        yield [await stack.enter_async_context(DynamoDBStorage(TABLE, made.prefix, **options)) for _ in range(16)]


@servers
async def test_a_store_without_transactions_says_how_to_do_without(dynalite_url: str) -> None:
    async with dynamodb_storage(dynalite_url) as storage:
        with pytest.raises(UnsupportedError, match="give transactions=False"):
            await Bookmarks(storage).insert_item(bookmark("a", 1, "x"))


@pytest.mark.parametrize("server", TABLES)
async def test_garbage_is_swept_by_the_time_of_the_store(server: str, url: str) -> None:
    async with dynamodb_storage(url, transactions=server != "dynalite") as storage:
        notes = Notes(storage)
        await notes.add_items(note(number, "x") for number in range(3))
        await notes.remove_item("n0001")

        with pytest.raises(UnsupportedError, match="give the grace_s that you know"):
            await notes.sweep()
        assert (await notes.sweep(grace_s=60)).too_young > 0
        await age(storage, LAYOUT.item("n0001"), seconds=120)
        assert await notes.sweep(grace_s=60) == Swept(items=3, tombstones=1)


async def age(storage: DynamoDBStorage, key: Key, seconds: int) -> None:
    """Make an entry look as if it had been written so long ago."""
    client = await storage._table.client()
    await client.update_item(
        TableName=TABLE,
        Key=storage._rows.key(key),
        UpdateExpression="SET t = t - :us",
        ExpressionAttributeValues={":us": {"N": str(seconds * 1_000_000)}},
    )


@on_all
async def test_what_is_written_is_dated(url: str) -> None:
    async with dynamodb_storage(url) as storage:
        before = dt.datetime.now(dt.UTC)
        await storage.put(KEY, b"1")

        (row,) = (await storage.scan(Key())).rows
        assert row.modified is not None
        assert abs(row.modified - before) < dt.timedelta(seconds=60)


async def test_a_session_of_aioboto3_may_be_given(moto_url: str, blockbuster: Any) -> None:
    blockbuster.deactivate()  # aioboto3 reads its files in the loop
    async with dynamodb_storage(moto_url, session=aioboto3.Session()) as storage:
        shelf = Bookmarks(storage)
        await shelf.add_item(bookmark("a", 1, "x"))

        await assert_in_step(shelf, [bookmark("a", 1, "x")])


async def test_a_client_that_was_given_stays_open(moto_url: str) -> None:
    async with dynamodb_storage(moto_url) as made:
        client = await made._table.client()
        async with DynamoDBStorage(TABLE, made.prefix, client=client) as storage:
            await storage.put(KEY, b"1")

        assert (await made.get(KEY)).data == b"1"


def test_event_loops_may_share_a_storage(moto_url: str) -> None:
    async def make() -> DynamoDBStorage:
        async with dynamodb_storage(moto_url) as made:
            return DynamoDBStorage(TABLE, made.prefix, endpoint_url=moto_url, region_name="us-east-1")

    with asyncio.Runner() as first, asyncio.Runner() as second:
        storage = first.run(make())
        first.run(storage.put(KEY, b"1"))
        assert second.run(storage.get(KEY)).data == b"1"
        second.run(storage._table.pool._slots.pop(second.get_loop()).stack.aclose())
        first.run(storage.aclose())


@on_all
async def test_pages_and_bulk_calls_read_and_write_many_rows_with_each_request(url: str, server: str) -> None:
    asked: list[str] = []
    transactions = server != "dynalite"
    things = [bookmark(f"i{number:02}", 2024, "x") for number in range(64)]
    async with dynamodb_storage(url, transactions=transactions) as storage:
        shelf, values = Bookmarks(storage), Shelf(storage)
        await shelf.add_items(things)
        await values.set("first", 0)  # which registers the partition
        client = await storage._table.client()
        client.meta.events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))

        assert list(await shelf.every.get_items()) == things
        assert await shelf.get_items([thing["slug"] for thing in things]) == things
        await values.update({f"k{number}": number for number in range(50)})
        assert len(await values.get_many(f"k{number}" for number in range(50))) == 50

    assert asked == ["Query", "BatchGetItem", "BatchGetItem", "BatchWriteItem", "BatchWriteItem", "BatchGetItem"]
