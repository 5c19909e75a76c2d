"""``DynamoDBMapping``, on moto, DynamoDB Local and dynalite."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import gc
import os
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable, Iterator, MutableMapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import aioboto3
import boto3
import pytest
from aiobotocore.session import get_session
from boto3.dynamodb.conditions import Attr, Key
from botocore.credentials import RefreshableCredentials

from ssshelf import (
    AsyncDynamoDBMapping,
    ConflictError,
    DeniedError,
    DynamoDBMapping,
    NotFoundError,
    RetryPolicy,
    StoreNotFoundError,
    UnavailableError,
    UnsupportedError,
)
from ssshelf.dynamodb_mapping import DynamoDBItem
from tests.dynamodb_script import Answer, Asked, error, served_script
from tests.storages import servers

SERVERS = [
    "moto",
    pytest.param("dynamodb", marks=servers),
    pytest.param("dynalite", marks=pytest.mark.shelves),
]
SESSION = get_session()
ATTEMPTS = 3


class Opened(NamedTuple):
    """Mappings of new tables, and what they have asked for."""

    url: str
    asked: list[str]
    counts: bool = True
    """Whether the server counts items as they come and go, which DynamoDB does not, nor dynalite."""

    def estimate(self, count: int) -> int:
        return count if self.counts else 0

    def table(self, keys: dict[str, type] | None = None, **options: Any) -> DynamoDBMapping:
        settings = {"boto3_session": SESSION, "endpoint_url": self.url, **options}
        mapping = DynamoDBMapping.create_table(f"t-{uuid.uuid4().hex}", keys or {"id": str}, **settings)
        self.asked.clear()
        return mapping

    def twin(self, mapping: DynamoDBMapping) -> AsyncDynamoDBMapping:
        return AsyncDynamoDBMapping(mapping.table_name, SESSION, endpoint_url=self.url)


@pytest.fixture(params=SERVERS)
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    asked: list[str] = []

    def hear(model: Any, **_: Any) -> None:
        asked.append(model.name)

    SESSION.register("before-call.dynamodb", hear)
    yield Opened(request.getfixturevalue(f"{request.param}_url"), asked, counts=request.param != "dynalite")
    SESSION.unregister("before-call.dynamodb", hear)


@pytest.fixture
def mapping(opened: Opened) -> Iterator[DynamoDBMapping]:
    with opened.table() as made:
        yield made


def test_the_readme_of_dynamodb_mapping(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", opened.url)
    with DynamoDBMapping.create_table("my_table", {"id": str}) as made:
        made.clear()
    program = """
        from ssshelf import DynamoDBMapping

        mapping = DynamoDBMapping(table_name="my_table")

        # Create or modify an item:
        mapping["my_item"] = {"description": "foo", "price": 123}
        mapping["my_item"]["price"] = 456

        # Iterate over all items:
        for key, value in mapping.items():
            print(key, value)

        # Get a single item:
        print(mapping["my_item"])

        # Number of items in table:
        # (read bellow on how to get the estimated vs precise number of items)
        print(len(mapping))

        # Delete an item:
        del mapping["my_item"]

        print(list(mapping.values()), len(list(mapping.keys())))
    """

    exec(textwrap.dedent(program), {})  # noqa: S102

    item = {"id": "my_item", "description": "foo", "price": Decimal(456)}
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert eval(first.removeprefix("my_item ")) == eval(second) == item  # noqa: S307
    assert rest == [str(opened.estimate(1)), "[] 0"]


def test_it_is_a_mutable_mapping(opened: Opened, mapping: DynamoDBMapping) -> None:
    assert isinstance(mapping, MutableMapping)
    assert not mapping
    assert mapping == {}

    mapping["a"] = {"n": 1}
    mapping.put_item("b", {"n": 2})
    items = {"a": {"id": "a", "n": 1}, "b": {"id": "b", "n": 2}}

    assert mapping
    assert (len(mapping), mapping.count()) == (opened.estimate(2), 2)
    assert set(mapping) == set(mapping.keys()) == {"a", "b"}
    assert mapping == dict(mapping.items()) == items
    assert sorted(mapping.values(), key=lambda item: str(item["id"])) == list(items.values())
    assert ("a", items["a"]) in mapping.items()
    assert items["b"] in mapping.values()
    assert {"id": "c"} not in mapping.values()
    assert mapping.keys() & {"a", "x"} == {"a"}
    assert mapping.get("a") == items["a"]
    assert mapping.get("x") is None
    assert repr(mapping) == f"DynamoDBMapping({mapping.table_name!r})"
    mapping.clear()
    assert dict(mapping) == {}


def test_what_is_not_there_is_a_key_error(mapping: DynamoDBMapping) -> None:
    absents: list[Any] = ["x", None, 5, b"x", "", object()]
    for lookup in (mapping.__getitem__, mapping.__delitem__, mapping.pop, mapping.get_item):
        for absent in absents:
            with pytest.raises(KeyError):
                lookup(absent)
            assert absent not in mapping
        with pytest.raises(ValueError, match="has a value for each of"):
            lookup(("a", "b"))
    assert ("a", "b") not in mapping
    with pytest.raises(KeyError, match="is empty"):
        mapping.popitem()
    assert mapping.pop("x", None) is None
    mapping.del_item("x", check_existing=False)


def test_what_cannot_be_a_key_cannot_be_written(mapping: DynamoDBMapping, opened: Opened) -> None:
    wrong: list[tuple[Any, type[Exception]]] = [
        (None, TypeError),
        (5, TypeError),
        ("", ValueError),
        (["a", "b"], ValueError),
    ]
    for key, kind in wrong:
        for write in (mapping.set_item, mapping.modify_item, mapping.setdefault):
            with pytest.raises(kind):
                write(key, {"n": 1})
        with pytest.raises(kind):
            mapping.update([("a", {}), (key, {})])
    with pytest.raises(TypeError, match="an item is a mapping"):
        mapping["a"] = 5  # type: ignore[assignment]
    assert opened.asked == []


def test_composite_keys_of_reserved_words(opened: Opened) -> None:
    with opened.table({"hash": str, "range": int}) as mapping:
        assert mapping.key_names == ("hash", "range")
        mapping["p", 2] = {"name": "b"}
        mapping["p", 1] = {"hash": "ignored", "name": "a"}
        mapping["q", 1.5] = {}

        assert mapping["p", 1] == {"hash": "p", "range": 1, "name": "a"}
        assert mapping["p", Decimal("1.0")]["name"] == "a"
        assert set(mapping) == {("p", 1), ("p", 2), ("q", Decimal("1.5"))}
        assert ("p", 2) in mapping
        assert "p" not in mapping
        assert [item["range"] for item in mapping.query("p")] == [1, 2]
        assert [item["range"] for item in mapping.query("p", Key("range").gte(2))] == [2]
        assert [item["range"] for item in mapping.query("p", ScanIndexForward=False, Limit=1)] == [2, 1]
        assert [item["range"] for item in mapping.query(KeyConditionExpression=Key("hash").eq("q"))] == [Decimal("1.5")]
        with pytest.raises(TypeError, match="KeyConditionExpression cannot be given"):
            list(mapping.query("p", KeyConditionExpression=Key("hash").eq("q")))
        assert mapping.get_many([("p", 1.0), ("p", 9), ("q", 1.5)]).keys() == {("p", 1.0), ("q", 1.5)}
        mapping["p", 2]["name"] = "c"
        assert mapping.pop(("p", 2)) == {"hash": "p", "range": 2, "name": "c"}
        mapping.clear()
        assert not mapping


def test_keys_of_bytes(opened: Opened) -> None:
    with opened.table({"id": bytes}) as mapping:
        mapping[bytearray(b"a")] = {"data": b"\0\xff"}

        assert list(mapping.items()) == [(b"a", {"id": b"a", "data": b"\0\xff"})]
        assert type(next(iter(mapping))) is bytes
        assert mapping.get_many([bytearray(b"a"), b"x"]) == {b"a": {"id": b"a", "data": b"\0\xff"}}


def test_keys_that_end_with_bytes(opened: Opened) -> None:
    with opened.table({"id": str, "part": bytes}) as mapping:
        mapping["a", bytearray(b"p")] = {}

        assert mapping.get_many([["a", bytearray(b"p")]]).keys() == {("a", b"p")}  # type: ignore[list-item]


def test_every_page_has_the_same_parameters(mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping.update({f"k{n:02}": {"n": n, "long": "x" * 100} for n in range(30)})
    opened.asked.clear()

    found = list(mapping.scan(FilterExpression=Attr("n").gte(27), ProjectionExpression="n", Limit=7))

    assert sorted(item["n"] for item in found) == [27, 28, 29]
    assert all(item.keys() == {"n"} for item in found)
    assert opened.asked == ["Scan"] * 5
    assert mapping.count(FilterExpression=Attr("n").lt(5), Limit=7) == 5


def test_what_would_not_list_items_is_refused(mapping: DynamoDBMapping, opened: Opened) -> None:
    for listing in (
        mapping.scan(Select="COUNT"),
        mapping.query("a", Select="COUNT"),
    ):
        with pytest.raises(TypeError, match=r"count\(\) counts them"):
            next(listing)
    with pytest.raises(TypeError, match="sort belongs to a partition"):
        next(mapping.query(None, Key("n").eq(1), KeyConditionExpression=Key("id").eq("a")))
    assert opened.asked == []


def test_pages_are_asked_for_when_they_are_wanted(mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping.update({f"k{n}": {} for n in range(9)})
    opened.asked.clear()

    rows = mapping.scan(Limit=3)
    assert opened.asked == []
    for _ in range(4):
        next(rows)
    assert opened.asked == ["Scan"] * 2


@pytest.mark.parametrize(
    "iterate",
    [
        lambda mapping: mapping.scan(Limit=2),
        lambda mapping: mapping.query("k", Limit=2),
        iter,
        lambda mapping: iter(mapping.keys()),
        lambda mapping: iter(mapping.values()),
        lambda mapping: iter(mapping.items()),
    ],
)
def test_an_iterator_keeps_a_mapping_open_that_nobody_holds(
    iterate: Callable[[DynamoDBMapping], Iterator[Any]], opened: Opened
) -> None:
    with opened.table({"id": str, "n": int}) as mapping:
        mapping.update({("k", n): {} for n in range(9)})
        held = iterate(DynamoDBMapping(mapping.table_name, SESSION, endpoint_url=opened.url))

        next(held)
        gc.collect()

        assert len(list(held)) == 8


CHANGES: dict[str, Callable[[Any], Any]] = {
    "set": lambda item: item.__setitem__("price", 456),
    "set the same": lambda item: item.__setitem__("price", 1),
    "set None": lambda item: item.__setitem__("price", None),
    "delete": lambda item: item.__delitem__("price"),
    "pop": lambda item: item.pop("price"),
    "popitem": lambda item: item.popitem(),
    "update": lambda item: item.update({"price": 2, "new.name": "x"}, name="y"),
    "|=": lambda item: item.__ior__({"price": None, "new": {"a": {1}}}),
    "setdefault": lambda item: item.setdefault("new", []),
    "nested dict": lambda item: item["deep"]["list"].append({"x": 1}),
    "nested list": lambda item: item["deep"]["list"].sort(),
    "nested delete": lambda item: item["deep"].clear(),
    "set add": lambda item: item["tags"].add("c"),
    "set discard": lambda item: item["tags"].discard("a"),
    "true for one": lambda item: item.update(price=True),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_an_item_is_one_request(name: str, mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping["a"] = {"price": 1, "deep": {"list": [3, 2]}, "tags": {"a", "b"}, "null": None}
    item = mapping["a"]
    opened.asked.clear()

    CHANGES[name](item)

    assert opened.asked == ["UpdateItem"]
    stored = mapping["a"]
    assert stored == {name: value for name, value in item.items() if value is not None or name == "null"}


def test_a_change_writes_its_attribute_only(mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping["a"] = {"price": 1, "stock": 5}
    mine, theirs = mapping["a"], mapping["a"]

    mine["price"] = 2
    theirs["stock"] = 4
    theirs["price"] = 1  # which it was, when it was read
    opened.asked.clear()
    theirs.setdefault("price", 7)

    assert mapping["a"] == {"id": "a", "price": 1, "stock": 4}
    assert opened.asked == ["GetItem"]


def test_an_item_that_was_deleted_meanwhile_is_not_created_again(mapping: DynamoDBMapping) -> None:
    mapping["a"] = {"list": [1]}
    item = mapping["a"]
    del mapping["a"]

    for change in (lambda: item.update(n=1), lambda: item["list"].append(2)):
        with pytest.raises(NotFoundError):
            change()

    assert "a" not in mapping
    assert item == {"id": "a", "list": [1]}


def test_a_change_that_is_refused_is_undone(mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping["a"] = {"tags": {"x"}, "n": 1}
    item = mapping["a"]
    opened.asked.clear()

    for change, says in (
        (item["tags"].clear, "no empty sets"),
        (item.clear, "of an item cannot change"),
        (lambda: item.update(id="b"), "of an item cannot change"),
        (lambda: item.pop("id"), "of an item cannot change"),
        (lambda: item.update(n=float("nan")), "no NaN"),
    ):
        with pytest.raises(ValueError, match=says):
            change()
    item["id"] = "a"

    assert item == {"id": "a", "tags": {"x"}, "n": 1}
    assert opened.asked == []


def test_copies_of_an_item_are_plain(mapping: DynamoDBMapping) -> None:
    mapping["a"] = {"list": [1]}
    item = mapping["a"]

    assert isinstance(item, DynamoDBItem)
    copied = copy.deepcopy(item)
    copied["list"].append(2)
    dict(item)["n"] = item.copy()["n"] = 1
    assert mapping["a"] == item == {"id": "a", "list": [1]}


def test_an_item_of_which_parts_were_read_is_plain(mapping: DynamoDBMapping) -> None:
    mapping["a"] = {"deep": {"x": 1, "y": 2}, "n": 1}

    part = mapping.get_item("a", ProjectionExpression="deep.x")
    part["deep"]["x"] = 7
    some = mapping.get_item("a", ProjectionExpression="n")
    some["n"] = 8

    assert mapping["a"] == {"id": "a", "deep": {"x": 1, "y": 2}, "n": 8}


def test_modify_item_sets_removes_and_creates(mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping.modify_item("a", {"name": "x", "size": 1, "a.b": 2})
    mapping.modify_item("a", {"name": "y", "size": None})

    assert mapping["a"] == {"id": "a", "name": "y", "a.b": 2}
    opened.asked.clear()
    with pytest.warns(UserWarning, match="changes nothing"):
        mapping.modify_item("a", {})
    with pytest.raises(ValueError, match="key"):
        mapping.modify_item("a", {"id": "b"})
    assert opened.asked == ["UpdateItem"]


def test_conditions_are_kept_beside_those_of_the_call(mapping: DynamoDBMapping) -> None:
    mapping["a"] = {"n": 1}
    text: dict[str, Any] = {
        "ConditionExpression": "#n = :n",
        "ExpressionAttributeNames": {"#n": "n"},
        "ExpressionAttributeValues": {":n": 1},
    }

    mapping.modify_item("a", {"n": 2}, **text)
    refused: list[Callable[[], None]] = [
        lambda: mapping.modify_item("a", {"n": 3}, **text),
        lambda: mapping.modify_item("x", {"n": 3}, ConditionExpression=Attr("n").exists()),
        lambda: mapping.set_item("a", {"n": 3}, ConditionExpression=Attr("id").not_exists()),
        lambda: mapping.del_item("a", ConditionExpression=Attr("n").eq(1)),
        lambda: mapping.del_item("x", ConditionExpression="attribute_not_exists(n)"),
        lambda: mapping.del_item("a", check_existing=False, **text),
    ]
    for write in refused:
        with pytest.raises(ConflictError, match=f"{mapping.table_name}!/.*expected what the condition asks for"):
            write()
    assert dict(mapping.items()) == {"a": {"id": "a", "n": 2}}
    mapping.del_item("a", ConditionExpression=Attr("n").eq(2))
    assert not mapping
    with pytest.raises(TypeError, match="UpdateExpression cannot be given"):
        mapping.modify_item("a", {"n": 1}, UpdateExpression="SET n = n")
    with pytest.raises(ValueError, match="Unknown parameter"):
        mapping.set_item("a", {}, Foo=1)


def test_each_call_is_one_request(mapping: DynamoDBMapping, opened: Opened) -> None:
    mapping["a"] = {}
    assert "a" in mapping
    mapping["a"]["n"] = 1
    assert mapping.setdefault("a", {}) == {"id": "a", "n": 1}
    assert mapping.pop("a") == {"id": "a", "n": 1}
    assert mapping.setdefault("b", {"n": 0.5}) == {"id": "b", "n": Decimal("0.5")}
    del mapping["b"]

    assert opened.asked == [
        "PutItem", "GetItem", "GetItem", "UpdateItem", "GetItem", "DeleteItem", "GetItem", "PutItem", "DeleteItem",
    ]  # fmt: skip


def test_a_thousand_items_are_written_and_read_in_batches(mapping: DynamoDBMapping, opened: Opened) -> None:
    items = {f"k{n:04}": {"n": n} for n in range(1000)}

    mapping.update(items)
    assert opened.asked == ["BatchWriteItem"] * 40

    opened.asked.clear()
    found = mapping.get_many([*items, "k0000", "absent"])
    assert opened.asked == ["BatchGetItem"] * 11
    assert found == {key: {"id": key, **item} for key, item in items.items()}

    opened.asked.clear()
    mapping.clear()
    assert opened.asked == ["Scan"] + ["BatchWriteItem"] * 40
    assert not mapping


def test_update_takes_what_that_of_a_dict_takes_and_the_last_one_wins(mapping: DynamoDBMapping) -> None:
    mapping.update([("a", {"n": 1}), (["a"], {"n": 2})], b={"n": 3})
    mapping.update(mapping)
    mapping.update({})

    class Keys:
        def keys(self) -> list[str]:
            return ["c"]

        def __getitem__(self, key: str) -> dict[str, str]:
            return {"name": key}

    mapping.update(Keys())

    assert {key: item.get("n", item.get("name")) for key, item in mapping.items()} == {"a": 2, "b": 3, "c": "c"}


def test_threads_share_a_mapping(mapping: DynamoDBMapping) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            key = f"{number}-{turn}"
            mapping[key] = {"n": turn}
            mapping[key]["n"] = 100
            assert mapping[key]["n"] == 100
            assert mapping.setdefault(key, {}) == {"id": key, "n": 100}

    run_threads(work)

    assert mapping.count() == 8 * 5


@servers
def test_of_threads_that_race_one_wins(dynamodb_url: str) -> None:
    settings = {"boto3_session": SESSION, "endpoint_url": dynamodb_url}
    with DynamoDBMapping.create_table(f"t-{uuid.uuid4().hex}", {"id": str}, **settings) as mapping:
        made, taken = [], []
        mapping["counter"] = {"n": 0}

        def add_one() -> None:
            while True:
                n = mapping["counter"]["n"]
                with contextlib.suppress(ConflictError):
                    return mapping.modify_item("counter", {"n": n + 1}, ConditionExpression=Attr("n").eq(n))

        def work(number: int) -> None:
            for turn in range(5):
                add_one()
                made.append(mapping.setdefault(f"shared {turn}", {"by": number})["by"] == number)

        def take(number: int) -> None:
            with contextlib.suppress(KeyError):
                while True:
                    taken.append(mapping.popitem()[0])
            assert mapping.pop(f"shared {number}", None) is None

        run_threads(work)
        assert mapping["counter"]["n"] == 8 * 5
        assert sum(made) == 5
        run_threads(take)
        assert sorted(taken) == ["counter", *(f"shared {turn}" for turn in range(5))]


def run_threads(work: Callable[[int], None]) -> None:
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_table_that_is_missing_or_other_than_wanted(opened: Opened, mapping: DynamoDBMapping) -> None:
    with pytest.raises(StoreNotFoundError, match="no table 'nothing'"):
        DynamoDBMapping("nothing", SESSION, endpoint_url=opened.url)
    settings = {"boto3_session": SESSION, "endpoint_url": opened.url}
    DynamoDBMapping.create_table(mapping.table_name, {"id": str}, **settings).close()  # it is there
    with pytest.raises(UnsupportedError, match=r"with other keys: .*; use these, or another name"):
        DynamoDBMapping.create_table(mapping.table_name, {"id": int}, **settings)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no name": (lambda: DynamoDBMapping(None), "a table is given by its name, a text, not None"),  # type: ignore[arg-type]
    "an empty name": (lambda: DynamoDBMapping(""), "a table is given by its name, a text, not ''"),
    "a text as session": (lambda: DynamoDBMapping("t", boto3_session="x"), "such as aioboto3.Session(), not str"),
    "a list of keys": (lambda: DynamoDBMapping.create_table("t", ["id"]), 'such as {"id": str}, not one list'),  # type: ignore[arg-type]
    "other numbers": (lambda: DynamoDBMapping("t", numbers=5), "as Decimal and json.loads do; int cannot"),  # type: ignore[arg-type]
    "no concurrency": (lambda: DynamoDBMapping("t", concurrency=0), "concurrency must be at least 1, not 0"),
    "letters": (lambda: DynamoDBMapping.create_table("t", {"id": "S"}), "of the types str, int, float"),  # type: ignore[dict-item]
    "three keys": (lambda: DynamoDBMapping.create_table("t", dict.fromkeys("abc", str)), "perhaps a sort key"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_given_wrong_is_told_before_anything_is_sent(name: str) -> None:
    attempt, says = WRONG[name]

    with pytest.raises((TypeError, ValueError)) as caught:
        attempt()

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_index_is_queried_and_scanned(opened: Opened) -> None:
    client = boto3.client("dynamodb", endpoint_url=opened.url)
    table, throughput = f"t-{uuid.uuid4().hex}", {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    index = {
        "IndexName": "by-name",
        "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": throughput,
    }
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "name")],
        GlobalSecondaryIndexes=[index],
        ProvisionedThroughput=throughput,
    )
    client.get_waiter("table_exists").wait(TableName=table)
    client.close()

    with DynamoDBMapping(table, SESSION, endpoint_url=opened.url) as mapping:
        mapping.update({f"i{number}": {"name": "even" if number % 2 == 0 else "odd"} for number in range(6)})
        mapping["nameless"] = {}
        found = mapping.query(KeyConditionExpression=Key("name").eq("odd"), IndexName="by-name")
        assert sorted(item["id"] for item in found) == ["i1", "i3", "i5"]
        assert mapping.count(IndexName="by-name") == len(list(mapping.scan(IndexName="by-name"))) == 6
        with pytest.raises(ValueError, match="index"):
            list(mapping.scan(IndexName="by-color"))


def test_what_is_closed_says_so(mapping: DynamoDBMapping) -> None:
    mapping.close()
    mapping.close()

    with pytest.raises(ValueError, match="this mapping is closed"):
        mapping.get("a")


def test_sessions_and_credentials(
    moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blockbuster: Any
) -> None:
    blockbuster.deactivate()  # aioboto3 and aiobotocore read the files of profiles in the loop
    config = tmp_path / "config"
    config.write_text(
        f"[profile irish]\nregion = eu-west-1\nendpoint_url = {moto_url}\n"
        "aws_access_key_id = irish\naws_secret_access_key = hush\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.delenv("AWS_DEFAULT_REGION")  # which would come before that of a profile
    keys = {"aws_access_key_id": "id", "aws_secret_access_key": "hush"}
    name = f"t-{uuid.uuid4().hex}"
    DynamoDBMapping.create_table(name, {"id": str}, endpoint_url=moto_url, aws_region="eu-west-1").close()
    irish: list[dict[str, Any]] = [
        {"aws_region": "eu-west-1", "endpoint_url": moto_url},
        {"region_name": "eu-west-1", "endpoint_url": moto_url, **keys},
        {"aws_profile": "irish"},
        {"boto3_session": boto3.Session(region_name="eu-west-1", **keys), "endpoint_url": moto_url},
        {"boto3_session": boto3.Session(profile_name="irish")},
        {"boto3_session": aioboto3.Session(region_name="eu-west-1"), "endpoint_url": moto_url},
    ]

    for number, options in enumerate(irish):
        with DynamoDBMapping(name, **options) as mapping:
            mapping[f"k{number}"] = {}
            assert "hush" not in repr(mapping)
    with pytest.raises(StoreNotFoundError):
        DynamoDBMapping(name, aws_region="us-east-1", endpoint_url=moto_url)
    with pytest.raises(ValueError, match="no region is set"):
        DynamoDBMapping(name, endpoint_url=moto_url)
    with pytest.raises(DeniedError, match="profile"):
        DynamoDBMapping(name, aws_profile="nobody", endpoint_url=moto_url)
    with DynamoDBMapping(name, aws_profile="irish") as mapping:
        assert len(mapping) == len(irish)


def test_credentials_of_boto3_that_expire_are_renewed(moto_url: str) -> None:
    renewals: list[str] = []

    def renew() -> dict[str, str]:
        renewals.append(f"key{len(renewals)}")
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)  # within the time that boto3 keeps free for it
        return {"access_key": renewals[-1], "secret_key": "hush", "token": "t", "expiry_time": soon.isoformat()}

    session = boto3.Session(region_name="us-east-1")
    session._session._credentials = RefreshableCredentials.create_from_metadata(renew(), renew, "test")
    with DynamoDBMapping.create_table(
        f"t-{uuid.uuid4().hex}", {"id": str}, boto3_session=session, endpoint_url=moto_url
    ) as mapping:
        mapping["a"] = {}
        assert "a" in mapping

    assert len(renewals) > 3


def test_a_program_ends_quietly_whatever_it_left_open(opened: Opened, request: pytest.FixtureRequest) -> None:
    program = """
        import logging
        from ssshelf import DynamoDBMapping

        logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of slow turns, in development mode
        mapping = DynamoDBMapping.create_table("quiet", {"id": str})
        mapping.clear()
        forgotten = DynamoDBMapping("quiet")
        mapping.update({str(n): {"n": n} for n in range(60)})
        rows = forgotten.scan(Limit=5)
        next(rows)
        del forgotten
        mapping["1"]["n"] = 7
        print(mapping["1"]["n"], bool(mapping))
    """
    assert ran(program, opened, request) == "7 True\n"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_what_was_opened_before_a_fork_is_refused_in_the_child_and_goes_on_in_the_parent(
    opened: Opened, request: pytest.FixtureRequest
) -> None:
    program = """
        import logging, os, sys, warnings
        from ssshelf import DynamoDBMapping

        logging.getLogger("asyncio").setLevel(logging.ERROR)
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        mapping = DynamoDBMapping.create_table("forked", {"id": str})
        mapping["a"] = {"n": 1}
        item = mapping["a"]
        child = os.fork()
        if child == 0:
            for attempt in (lambda: mapping["a"], lambda: item.update(n=5)):
                try:
                    attempt()
                except ValueError as error:
                    print(error)
            with DynamoDBMapping("forked") as own:
                own["child"] = {}
            sys.stdout.flush()
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        item["n"] = 2
        print(int(mapping["a"]["n"]), "child" in mapping)
        mapping.clear()
    """
    refused = "this was opened before a fork: open it again in each process\n"

    assert ran(program, opened, request) == f"{refused * 2}0\n2 True\n"


def ran(program: str, opened: Opened, request: pytest.FixtureRequest) -> str:
    """Return what a program prints that ends well, and without a warning."""
    environment = {**os.environ, "AWS_ENDPOINT_URL": opened.url}
    moto = "moto" in request.node.name  # whose headers aiohttp refuses in development mode
    done = subprocess.run(
        [sys.executable, *([] if moto else ["-X", "dev"]), "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


async def test_the_twin_does_the_same(opened: Opened, mapping: DynamoDBMapping) -> None:
    async with opened.twin(mapping) as twin:
        await twin.set_item("a", {"n": 1})
        assert await twin.get_item("a") == await twin.get("a") == {"id": "a", "n": 1}
        assert await twin.get("x", 5) == 5
        await twin.put_item("b", {"n": 2})
        await twin.modify_item("b", {"n": 3})
        assert await twin.has_item("b")
        assert not await twin.has_item(None)
        assert sorted([item["n"] async for item in twin.values()]) == [1, 3]
        assert sorted([key async for key in twin.keys()]) == ["a", "b"]  # noqa: SIM118
        assert {key: item["n"] async for key, item in twin.items()} == {"a": 1, "b": 3}
        assert [item["n"] async for item in twin.query("b")] == [3]
        assert (await twin.count(), await twin.estimated_count()) == (2, opened.estimate(2))
        await twin.update({"c": {}}, d={})
        assert (await twin.get_many(["c", "x"])) == {"c": {"id": "c"}}
        assert (await twin.setdefault("c", {"n": 9})) == {"id": "c"}
        assert (await twin.pop("c")) == {"id": "c"}
        key, item = await twin.popitem()
        assert item["id"] == key
        await twin.clear()
        assert await twin.is_empty()


async def test_a_twin_that_is_not_closed_is_told(moto_url: str) -> None:
    twin = AsyncDynamoDBMapping("nothing", SESSION, endpoint_url=moto_url)
    with pytest.raises(StoreNotFoundError):
        await twin.get("a")

    with pytest.warns(ResourceWarning, match="was never closed"):
        twin.__del__()
    await twin.aclose()


DESCRIBED = {
    "Table": {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
}


async def asked_of(
    answer: Callable[[Asked, int], Answer | None], work: Callable[[AsyncDynamoDBMapping], Any], **options: Any
) -> list[Asked]:
    """Return what was sent to a server that answers so, but for what the table is asked."""

    def answer_or_describe(request: Asked, number: int) -> Answer | None:
        return (200, DESCRIBED) if request.target == "DescribeTable" else answer(request, number)

    retries = RetryPolicy(ATTEMPTS, ATTEMPTS, base_s=0.001)
    async with (
        served_script(answer_or_describe) as (script, url),
        AsyncDynamoDBMapping("table", SESSION, endpoint_url=url, retries=retries, **options) as twin,
    ):
        await work(twin)
    return [request for request in script.requests if request.target != "DescribeTable"]


@pytest.mark.parametrize(
    ("write", "safe"),
    [
        (lambda twin: twin.set_item("a", {}), True),
        (lambda twin: twin.modify_item("a", {"n": 1}), True),
        (lambda twin: twin.modify_existing({"id": {"S": "a"}}, {"n": None}), True),
        (lambda twin: twin.modify_item("a", {"n": 1}, ConditionExpression="attribute_exists(id)"), False),
        (lambda twin: twin.del_item("a", check_existing=False), True),
        (lambda twin: twin.update({"a": {}}), True),
        (lambda twin: twin.get_item("a"), True),
        (lambda twin: twin.set_item("a", {}, ConditionExpression=Attr("n").exists()), False),
        (lambda twin: twin.del_item("a"), False),
        (lambda twin: twin.pop("a"), False),
    ],
)
@pytest.mark.parametrize(
    ("answer", "applied"),
    [(error("InternalServerError", 500), True), (None, True), (error("ThrottlingException"), False)],
)
async def test_what_must_not_be_applied_twice_is_repeated_only_if_it_was_not(
    write: Callable[[AsyncDynamoDBMapping], Any],
    safe: bool,  # noqa: FBT001
    answer: Answer | None,
    applied: bool,  # noqa: FBT001
) -> None:
    async def work(twin: AsyncDynamoDBMapping) -> None:
        with pytest.raises(UnavailableError) as caught:
            await write(twin)
        assert caught.value.maybe_applied == applied

    requests = await asked_of(lambda *_: answer, work)

    assert len(requests) == (ATTEMPTS if safe or not applied else 1)


async def test_a_throttled_conditional_write_succeeds_later() -> None:
    requests = await asked_of(
        lambda _, number: error("ThrottlingException") if number < 3 else (200, {}), lambda twin: twin.del_item("a")
    )

    assert [request.target for request in requests] == ["DeleteItem"] * 2


@pytest.mark.parametrize(("consistent", "sent"), [(True, True), (False, None)])
async def test_reads_are_consistent_unless_that_is_not_wanted(consistent: bool, sent: bool | None) -> None:  # noqa: FBT001
    async def work(twin: AsyncDynamoDBMapping) -> None:
        await twin.get("a")
        await twin.has_item("a")
        await twin.count()
        assert [item async for item in twin.query("a")] == []
        assert [item async for item in twin.scan(IndexName="by-name")] == []

    requests = await asked_of(lambda *_: (200, {"Items": [], "Count": 0}), work, consistent=consistent)

    assert [request.body.get("ConsistentRead") for request in requests] == [sent] * 4 + [None]


async def test_what_others_create_and_delete_all_the_time_is_a_conflict_in_the_end() -> None:
    async def work(twin: AsyncDynamoDBMapping) -> None:
        with pytest.raises(ConflictError):
            await twin.setdefault("a", {})

    requests = await asked_of(
        lambda request, _: (200, {}) if request.target == "GetItem" else error("ConditionalCheckFailedException"), work
    )

    assert [request.target for request in requests] == ["GetItem", "PutItem"] * ATTEMPTS
