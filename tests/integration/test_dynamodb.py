"""What ``DynamoDBStorage`` does beyond the contract, request by request."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    ConflictError,
    CorruptionError,
    DeniedError,
    DynamoDBStorage,
    Key,
    NotFoundError,
    RetryPolicy,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
    UnsupportedError,
)
from ssshelf.storages.base import Delete, Entry, IfAbsent, IfMatch, Put, content_etag
from tests.dynamodb_script import DATE, Answer, Asked, Script, error, served_script
from tests.storages import SESSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

ATTEMPTS = 3
KEY = Key("a", "b")


@contextlib.asynccontextmanager
async def scripted(
    answer: Callable[[Asked, int], Answer | bytes | None], *, date: str = DATE, **options: Any
) -> AsyncIterator[tuple[Script, DynamoDBStorage]]:
    retries = RetryPolicy(ATTEMPTS, base_s=0.001)
    settings = {"region_name": "us-east-1", "retries": retries, "session": SESSION, **options}
    async with (
        served_script(answer, date) as (script, url),
        DynamoDBStorage("table", **{"endpoint_url": url, **settings}) as storage,
    ):
        yield script, storage


def stored(key: Key, data: bytes) -> dict[str, Any]:
    return {
        "p": {"S": "@"},
        "k": {"S": key.text},
        "e": {"S": content_etag(data)},
        "d": {"B": base64.b64encode(data).decode()},
    }


def one_of_each(storage: DynamoDBStorage) -> dict[str, tuple[Callable[[], Awaitable[Any]], int]]:
    """Return how to make each request, and how often it may be sent."""
    return {
        "GetItem": (lambda: storage.get(KEY), ATTEMPTS),
        "BatchGetItem": (lambda: storage.get_many([KEY]), ATTEMPTS),
        "Query": (lambda: storage.scan(Key("a", "b")), ATTEMPTS),
        "PutItem": (lambda: storage.put(KEY, b"1"), ATTEMPTS),
        "PutItem IfAbsent": (lambda: storage.put(KEY, b"1", condition=IfAbsent()), 1),
        "PutItem IfMatch": (lambda: storage.put(KEY, b"1", condition=IfMatch("e")), 1),
        "DeleteItem": (lambda: storage.delete(KEY), ATTEMPTS),
        "DeleteItem IfMatch": (lambda: storage.delete(KEY, condition=IfMatch("e")), 1),
        "BatchWriteItem": (lambda: storage.delete_many([KEY]), ATTEMPTS),
        "TransactWriteItems": (lambda: storage.commit([Put(KEY, b"1"), Delete(Key("c"))]), ATTEMPTS),
    }


@pytest.mark.parametrize(
    ("answer", "maybe_applied"),
    [
        (error("InternalServerError", 500), True),
        (error("ServiceUnavailable", 503), True),
        (error("ProvisionedThroughputExceededException"), False),
        (error("ThrottlingException"), False),
        (error("RequestLimitExceeded"), False),
        (error("TransactionConflictException"), False),
        (error("TransactionInProgressException"), True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", True),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 13\r\n\r\n<html></html>", True),
        (None, True),
    ],
)
async def test_what_was_not_answered_is_asked_again_unless_it_is_a_conditional_write(
    answer: Answer | bytes | None,
    maybe_applied: bool,  # noqa: FBT001
) -> None:
    async with scripted(lambda *_: answer) as (script, storage):
        for name, (request, times) in one_of_each(storage).items():
            script.requests.clear()
            with pytest.raises(UnavailableError) as caught:
                await request()

            assert script.targets == [name.split()[0]] * times
            assert caught.value.maybe_applied == maybe_applied


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (error("ResourceNotFoundException"), StoreNotFoundError, "no table 'table' .*create_table"),
        (error("AccessDeniedException"), DeniedError, "400 AccessDeniedException"),
        (error("UnrecognizedClientException"), DeniedError, "credentials"),
        (error("ExpiredTokenException"), DeniedError, "expired"),
        (error("InvalidSignatureException"), DeniedError, "clock"),
        (error("MissingAuthenticationTokenException", 403), DeniedError, "credentials"),
        (
            error("ValidationException", message="The provided key element does not match"),
            UnsupportedError,
            "other keys",
        ),
        (error("ValidationException", message="Something else"), ShelfError, "Something else"),
        (error("UnknownOperationException"), UnsupportedError, "transactions=False"),
        (error("ItemCollectionSizeLimitExceededException"), UnsupportedError, "local secondary index"),
        (error("SomethingNewException"), ShelfError, "400 SomethingNewException"),
    ],
)
async def test_an_answer_that_will_not_change_is_not_asked_for_twice(
    answer: Answer, kind: type[Exception], says: str
) -> None:
    async with scripted(lambda *_: answer) as (script, storage):
        for name, (request, _) in one_of_each(storage).items():
            script.requests.clear()
            with pytest.raises(kind, match=says):
                await request()

            assert script.targets == [name.split()[0]]


async def test_a_condition_that_does_not_hold_is_a_conflict() -> None:
    async with scripted(lambda *_: error("ConditionalCheckFailedException")) as (script, storage):
        for condition, expected in ((IfAbsent(), None), (IfMatch("e1"), "e1")):
            with pytest.raises(ConflictError) as caught:
                await storage.put(KEY, b"1", condition=condition)
            assert (caught.value.key, caught.value.expected) == (KEY, expected)
        with pytest.raises(ConflictError):
            await storage.delete(KEY, condition=IfMatch("e1"))

    assert len(script.requests) == 3


def canceled(*codes: str) -> Answer:
    reasons = [{"Code": code, "Message": "said"} if code != "None" else {"Code": "None"} for code in codes]
    return error("TransactionCanceledException", CancellationReasons=reasons)


@pytest.mark.parametrize(
    ("codes", "kind", "attempts"),
    [
        (("None", "ConditionalCheckFailed"), ConflictError, 1),
        (("TransactionConflict", "ConditionalCheckFailed"), ConflictError, 1),
        (("TransactionConflict", "None"), UnavailableError, ATTEMPTS),
        (("ThrottlingError", "ProvisionedThroughputExceeded"), UnavailableError, ATTEMPTS),
        (("ValidationError", "None"), UnsupportedError, 1),
        (("None", "ItemCollectionSizeLimitExceeded"), ShelfError, 1),
    ],
)
async def test_the_reasons_of_a_canceled_transaction(
    codes: tuple[str, ...], kind: type[ShelfError], attempts: int
) -> None:
    async with scripted(lambda *_: canceled(*codes)) as (script, storage):
        with pytest.raises(kind) as caught:
            await storage.commit([Put(KEY, b"1"), Put(Key("c"), b"2", IfMatch("e"))])

    assert type(caught.value) is kind
    assert len(script.requests) == attempts
    assert getattr(caught.value, "key", Key("c")) == Key("c")
    assert not getattr(caught.value, "maybe_applied", False)


async def test_a_transaction_is_repeated_under_one_token_and_another_one_has_another() -> None:
    async with scripted(lambda _, number: (200, {}) if number % 3 == 0 else error("InternalServerError", 500)) as (
        script,
        storage,
    ):
        for _ in range(2):
            await storage.commit([Put(KEY, b"1"), Delete(Key("c"))])

    first, second = script.requests[:3], script.requests[3:]
    assert [request.body for request in first] == [first[0].body] * 3
    assert [request.body for request in second] == [second[0].body] * 3
    assert first[0].body["ClientRequestToken"] != second[0].body["ClientRequestToken"]


async def test_a_transaction_that_is_refused_after_an_attempt_without_answer_may_still_arrive() -> None:
    def answer(_: Asked, number: int) -> Answer | None:
        return None if number == 1 else canceled("ConditionalCheckFailed", "None")

    async with scripted(answer) as (_, storage):
        with pytest.raises(UnavailableError) as caught:
            await storage.commit([Put(KEY, b"1", IfAbsent()), Delete(Key("c"))])

    assert caught.value.maybe_applied


async def test_a_transaction_that_is_refused_after_throttling_is_a_conflict() -> None:
    def answer(_: Asked, number: int) -> Answer:
        return error("ThrottlingException") if number == 1 else canceled("ConditionalCheckFailed", "None")

    async with scripted(answer) as (_, storage):
        with pytest.raises(ConflictError):
            await storage.commit([Put(KEY, b"1", IfAbsent()), Delete(Key("c"))])


async def test_what_a_transaction_cannot_hold_is_refused_before_anything_is_sent() -> None:
    async with scripted(lambda *_: (200, {})) as (script, storage):
        most = storage.capabilities.max_value_bytes or 0
        with pytest.raises(UnsupportedError, match="takes 100 operations, not 101"):
            await storage.commit([Put(Key("a", number), b"") for number in range(101)])
        with pytest.raises(UnsupportedError, match="takes 4194304 bytes, names included"):
            await storage.commit([Put(Key("a", number), bytes(most)) for number in range(11)])
        with pytest.raises(ValueError, match=f"{most + 1} bytes are more than the {most} this store takes"):
            await storage.commit([Put(KEY, bytes(most + 1))])
        with pytest.raises(ValueError, match=f"{most + 1} bytes are more than the {most} this store takes"):
            await storage.put(KEY, bytes(most + 1))
        await storage.commit([Put(Key("a", number), b"") for number in range(100)])
        assert await storage.commit([]) == []

    assert script.targets == ["TransactWriteItems"]


async def test_a_storage_without_transactions_offers_none() -> None:
    async with scripted(lambda *_: (200, {}), transactions=False) as (script, storage):
        with pytest.raises(UnsupportedError, match="was made without transactions"):
            await storage.commit([Put(KEY, b"1")])

    assert storage.capabilities.atomic_batch == 1
    assert script.requests == []


async def test_keys_that_a_batch_did_not_read_are_asked_for_as_long_as_some_are_read() -> None:
    keys = [Key("a", number) for number in range(2 * ATTEMPTS)]

    def answer(request: Asked, _: int) -> Answer:
        first, *rest = request.body["RequestItems"]["table"]["Keys"]
        unread = {"table": {"Keys": rest, "ConsistentRead": True}} if rest else {}
        key = Key.from_text(first["k"]["S"])
        return 200, {"Responses": {"table": [stored(key, key.text.encode())]}, "UnprocessedKeys": unread}

    async with scripted(answer) as (script, storage):
        entries = await storage.get_many(keys)

    assert [entry.data if entry else None for entry in entries] == [key.text.encode() for key in keys]
    assert [len(request.body["RequestItems"]["table"]["Keys"]) for request in script.requests] == [6, 5, 4, 3, 2, 1]
    assert all(request.body["RequestItems"]["table"]["ConsistentRead"] for request in script.requests)


async def test_gets_at_the_same_moment_are_one_request_of_which_each_has_its_own_outcome() -> None:
    present, damaged, absent, long = Key("a", 1), Key("a", 2), Key("a", 3), Key("k" * 1100)
    rows = [stored(present, b"1"), {**stored(damaged, b"2"), "e": {"S": "another"}}]

    async with scripted(lambda *_: (200, {"Responses": {"table": rows}})) as (script, storage):
        asked = [present, damaged, absent, long, present]
        outcomes = await asyncio.gather(*map(storage.get, asked), return_exceptions=True)

    assert outcomes == [Entry(b"1", content_etag(b"1")), outcomes[1], outcomes[2], outcomes[3], outcomes[0]]
    assert [type(outcome) for outcome in outcomes[1:4]] == [CorruptionError, NotFoundError, NotFoundError]
    assert [getattr(outcome, "key", None) for outcome in outcomes[1:4]] == [damaged, absent, long]
    assert script.targets == ["BatchGetItem"]
    assert len(script.requests[0].body["RequestItems"]["table"]["Keys"]) == 3


async def test_puts_at_the_same_moment_are_one_request_but_for_those_with_conditions() -> None:
    keys = [Key("a", "b", number) for number in range(3)]
    async with scripted(lambda *_: (200, {})) as (script, storage):
        await storage.put(KEY, b"")  # which registers the partition
        script.requests.clear()
        etags = await asyncio.gather(
            *(storage.put(key, b"1") for key in keys),
            storage.put(Key("a", "b", 3), b"2", condition=IfAbsent()),
            storage.put(keys[0], b"3"),
        )

    assert etags == [content_etag(data) for data in (b"1", b"1", b"1", b"2", b"3")]
    assert sorted(script.targets) == ["BatchWriteItem", "PutItem"]
    (batch,) = (request.body["RequestItems"]["table"] for request in script.requests if "RequestItems" in request.body)
    written = {row["PutRequest"]["Item"]["k"]["S"]: row["PutRequest"]["Item"]["e"]["S"] for row in batch}
    assert written == {key.text: content_etag(data) for key, data in zip(keys, (b"3", b"1", b"1"), strict=True)}


async def test_rows_that_a_batch_did_not_write_are_sent_again() -> None:
    def answer(request: Asked, _: int) -> Answer:
        rest = request.body["RequestItems"]["table"][1:]
        return 200, {"UnprocessedItems": {"table": rest} if rest else {}}

    async with scripted(answer) as (script, storage):
        await storage.delete_many([Key("a", number) for number in range(3)])
        await storage.put_many({Key("a", number): b"1" for number in range(3)})

    sent = [request.body["RequestItems"]["table"] for request in script.requests]
    assert [len(rows) for rows in sent] == [3, 2, 1] * 2
    assert [next(iter(rows[0])) for rows in sent] == ["DeleteRequest"] * 3 + ["PutRequest"] * 3


async def test_a_batch_of_which_nothing_more_is_done_is_given_up() -> None:
    def answer(request: Asked, _: int) -> Answer:
        left = "UnprocessedItems" if request.target == "BatchWriteItem" else "UnprocessedKeys"
        return 200, {left: request.body["RequestItems"]}

    async with scripted(answer) as (script, storage):
        with pytest.raises(UnavailableError, match="2 rows of a batch were not read"):
            await storage.get_many([KEY, Key("c")])
        with pytest.raises(UnavailableError, match="2 rows of a batch were not written"):
            await storage.delete_many([KEY, Key("c")])

    assert script.targets == ["BatchGetItem"] * ATTEMPTS + ["BatchWriteItem"] * ATTEMPTS


async def test_large_batches_are_split() -> None:
    keys = [Key("a", number) for number in range(201)]
    async with scripted(lambda *_: (200, {})) as (script, storage):
        await storage.delete_many([*keys, *keys, Key("k" * 1100)])  # which DynamoDB would refuse: each once, and short
        assert await storage.get_many([*keys, keys[0], Key("k" * 1100)]) == [None] * 203
        await storage.put_many(dict.fromkeys(keys[:26], b""))

    assert sorted(script.targets) == ["BatchGetItem"] * 3 + ["BatchWriteItem"] * (9 + 2)


async def test_nothing_is_sent_about_keys_that_are_too_long() -> None:
    async with scripted(lambda *_: (200, {})) as (script, storage):
        long = Key("k" * 1100)
        with pytest.raises(NotFoundError):
            await storage.get(long)
        with pytest.raises(ValueError, match="1024 is the most"):
            await storage.put(long, b"")
        with pytest.raises(ValueError, match="1024 is the most"):
            await storage.delete(long, condition=IfMatch("e"))
        with pytest.raises(ValueError, match="1024 is the most"):
            await storage.commit([Delete(long)])
        await storage.delete(long)

    assert script.requests == []


async def test_reads_are_consistent_and_a_damaged_row_is_no_answer() -> None:
    damaged = {**stored(KEY, b"data"), "d": {"B": base64.b64encode(b"dada").decode()}}

    def answer(request: Asked, _: int) -> Answer:
        return 200, {"Items": []} if request.target == "Query" else {"Item": damaged}

    async with scripted(answer) as (script, storage):
        with pytest.raises(CorruptionError) as caught:
            await storage.get(KEY)
        await storage.scan(Key())
        await storage.scan(Key("a", "b"))

    assert caught.value.key == KEY
    assert [request.body["ConsistentRead"] for request in script.requests] == [True] * 3


async def test_rows_are_dated_by_the_clock_of_the_store() -> None:
    uptime_s = [1000.0]
    retries = RetryPolicy(clock=lambda: uptime_s[0])
    async with scripted(lambda *_: (200, {}), retries=retries) as (script, storage):
        await storage.put(KEY, b"1")
        uptime_s[0] += 90
        await storage.put(KEY, b"2", condition=IfAbsent())
        await storage.commit([Put(KEY, b"3")])
        await storage.put_many({KEY: b"4"})

    rows = [
        script.requests[0].body["Item"],
        script.requests[1].body["Item"],
        script.requests[2].body["TransactItems"][0]["Put"]["Item"],
        script.requests[3].body["RequestItems"]["table"][0]["PutRequest"]["Item"],
    ]
    start = int(dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC).timestamp())
    assert [int(row["t"]["N"]) / 1e6 - start for row in rows] == [0, 90, 90, 90]


async def test_rows_of_a_store_that_tells_no_time_have_none() -> None:
    async with scripted(lambda *_: (200, {}), date="") as (script, storage):
        await storage.put(KEY, b"1")

    assert "t" not in script.requests[0].body["Item"]


async def registering(answer: Callable[[Asked, int], Answer]) -> tuple[list[Asked], UnavailableError]:
    """Write until it works, and then once more; return what was sent, and how the first attempt failed."""
    async with scripted(answer, prefix="p") as (script, storage):
        with pytest.raises(UnavailableError) as caught:
            await storage.put(KEY, b"1")
        for number in range(2):
            await storage.put(Key(*KEY.parts, number), b"1", condition=IfAbsent())
        return script.requests, caught.value


def places(requests: list[Asked]) -> list[tuple[str, str]]:
    rows = [request.body.get("Item", request.body.get("Key")) or {} for request in requests]
    return [(request.target, row["p"]["S"]) for request, row in zip(requests, rows, strict=True)]


@pytest.mark.parametrize("registered", [True, False])
async def test_a_partition_is_registered_before_it_is_written_to_and_once(registered: bool) -> None:  # noqa: FBT001
    def answer(request: Asked, number: int) -> Answer:
        if number <= ATTEMPTS:
            return error("InternalServerError", 500)
        return 200, {"Item": request.body["Key"]} if registered and request.target == "GetItem" else {}

    requests, failure = await registering(answer)

    assert not failure.maybe_applied
    assert places(requests) == [
        *[("GetItem", "p@")] * (ATTEMPTS + 1),
        *[("PutItem", "p@")] * (not registered),
        *[("PutItem", "p@a!/b!")] * 2,
    ]


async def test_a_write_may_be_late_only_where_signatures_are_checked() -> None:
    async with scripted(lambda *_: (200, {})) as (script, storage):
        await storage.probe(fresh=False)
        assert storage.capabilities.late_s is None
    async with DynamoDBStorage("table", region_name="eu-west-1") as storage:
        assert storage.capabilities.late_s is None  # until it is known where the table is
        await storage.probe(fresh=False)
        assert storage.capabilities.late_s == 1800 + 60 + 2 * 35

    assert script.requests == []


async def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    async with DynamoDBStorage("table") as storage:
        with pytest.raises(ValueError, match="no region is set: give region_name"):
            await storage.get(KEY)


async def test_the_secret_is_in_no_text() -> None:
    credentials = {"aws_access_key_id": "id", "aws_secret_access_key": "hush"}
    async with scripted(lambda *_: error("UnrecognizedClientException"), **credentials) as (_, storage):
        with pytest.raises(DeniedError) as caught:
            await storage.get(KEY)

        assert "hush" not in f"{storage!r} {caught.value} {caught.value!r} {caught.value.__cause__!r}"
