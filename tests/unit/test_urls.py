"""URLs of storages: what they open, and what is refused without repeating it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import DynamoDBStorage, MemoryStorage, S3Storage, SQLiteStorage, open_storage
from ssshelf.keys import MAX_KEY_BYTES, Key
from ssshelf.storages.urls import StorageURL, environment_url

if TYPE_CHECKING:
    from pathlib import Path

    from ssshelf.storages.base import Storage

HUSH = "hush-hush"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("url", ["memory://", "MEMORY://", "memory://?"])
async def test_a_memory_url_opens_a_new_storage(url: str) -> None:
    one, other = open_storage(url), open_storage(url)

    await one.put(Key("a"), b"1")

    assert isinstance(one, MemoryStorage)
    assert (await other.scan(Key())).rows == ()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///shelf.db", "shelf.db"),
        ("sqlite:///data/shelf.db", "data/shelf.db"),
        ("sqlite:///../shelf.db", "../shelf.db"),
        ("sqlite:////var/lib/shelf.db", "/var/lib/shelf.db"),
        ("sqlite:///my%20shelf%23%3F.db", "my shelf#?.db"),
        ("sqlite:///C:/shelf.db", "C:/shelf.db"),
    ],
)
def test_an_sqlite_url_names_a_file(url: str, path: str) -> None:
    storage = open_storage(url)

    assert isinstance(storage, SQLiteStorage)
    assert storage.path == path


async def test_a_relative_sqlite_url_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async with open_storage("sqlite:///relative.db") as storage:
        await storage.put(Key("a"), b"1")
    async with open_storage(f"sqlite:///{tmp_path}/absolute.db") as storage:
        await storage.put(Key("a"), b"1")

    assert names_in(tmp_path) == ["absolute.db", "relative.db"]


def test_opening_does_nothing_before_the_first_use(tmp_path: Path) -> None:
    open_storage(f"sqlite:///{tmp_path}/shelf.db")

    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "bucket", "prefix", "options"),
    [
        ("s3://bucket", "bucket", "", {}),
        ("s3://bucket/", "bucket", "", {}),
        ("s3://bucket/some/prefix/", "bucket", "some/prefix", {}),
        ("s3://bucket/a%20b", "bucket", "a b", {}),
        ("s3://bucket?region=eu-central-1", "bucket", "", {"region_name": "eu-central-1"}),
        (
            "s3://bucket/p?endpoint_url=http%3A%2F%2F127.0.0.1%3A9000&addressing_style=path",
            "bucket",
            "p",
            {"endpoint_url": "http://127.0.0.1:9000", "addressing_style": "path"},
        ),
        ("s3://bucket/p?endpoint_url=http://h:9000/x", "bucket", "p", {"endpoint_url": "http://h:9000/x"}),
    ],
)
def test_an_s3_url_names_bucket_prefix_and_options(url: str, bucket: str, prefix: str, options: dict[str, str]) -> None:
    storage = open_storage(url)

    assert isinstance(storage, S3Storage)
    assert (storage.bucket, storage.prefix) == (bucket, prefix)
    assert storage._pool._options == options


@pytest.mark.parametrize(
    ("url", "table", "prefix", "batch", "options"),
    [
        ("dynamodb://table", "table", "", 100, {}),
        ("dynamodb://table/", "table", "", 100, {}),
        ("dynamodb://my.table_1?region=eu-central-1", "my.table_1", "", 100, {"region_name": "eu-central-1"}),
        (
            "dynamodb://t?endpoint_url=http%3A%2F%2F127.0.0.1%3A8000&prefix=a%2Fb&transactions=no",
            "t",
            "a/b",
            1,
            {"endpoint_url": "http://127.0.0.1:8000"},
        ),
        ("dynamodb://t?transactions=yes", "t", "", 100, {}),
    ],
)
def test_a_dynamodb_url_names_table_prefix_and_options(
    url: str, table: str, prefix: str, batch: int, options: dict[str, str]
) -> None:
    storage = open_storage(url)

    assert isinstance(storage, DynamoDBStorage)
    assert (storage.table, storage.prefix) == (table, prefix)
    assert storage.capabilities.atomic_batch == batch
    assert storage._table.pool._options == options


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("dynamodb://", "this storage needs a URL such as dynamodb://table, not a dynamodb:// one without a table"),
        ("dynamodb://table/prefix", "has no path: several storages in one table are kept apart by"),
        ("dynamodb://table?transactions=1", "is yes or no, not '1'"),
        ("dynamodb://table?regoin=eu", "unknown option in a dynamodb:// URL: regoin; it takes endpoint_url, prefix,"),
        (f"dynamodb://table?endpoint_url=http://id:{HUSH}@h", "an endpoint_url holds no credentials"),
        ("", "a storage URL looks like"),
        ("shelf.db", "a storage URL looks like"),
        ("/var/lib/shelf.db", "a storage URL looks like"),
        ("s3:bucket", "a storage URL looks like"),
        ("://bucket", "a storage URL looks like"),
        ("s3://[bucket", "a storage URL looks like"),
        ("gs://bucket", "no storage for gs:// URLs; there are memory, sqlite, s3 and dynamodb"),
        ("http://bucket", "no storage for http:// URLs"),
        ("sqlite://shelf.db", "three slashes before a relative path, four before an absolute one"),
        ("sqlite://host/shelf.db", "three slashes before a relative path"),
        ("sqlite://", "three slashes before a relative path"),
        ("sqlite:///", "three slashes before a relative path"),
        ("sqlite:///:memory:", "for a storage in memory use MemoryStorage"),
        ("s3://", "this storage needs a URL such as s3://bucket/prefix"),
        ("s3:///prefix", "this storage needs a URL such as s3://bucket/prefix"),
        ("memory://name", "memory:// has neither a host nor a path"),
        ("memory:///name", "memory:// has neither a host nor a path"),
        ("memory://?size=5", "unknown option in a memory:// URL: size; it takes no options"),
        (
            "sqlite:///shelf.db?timeout=5&mode=ro",
            "unknown option in a sqlite:// URL: mode, timeout; it takes no options",
        ),
        (
            "s3://bucket?zone=a",
            "unknown option in a s3:// URL: zone; it takes addressing_style, endpoint_url, region",
        ),
        ("sqlite:///shelf#1.db", "no part behind a #"),
        ("s3://bucket/prefix#part", "no part behind a #"),
        ("s3://bucket?region=eu-west-1&region=eu-central-1", "twice"),
    ],
)
def test_a_url_that_would_be_misread_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        open_storage(url)


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIAEXAMPLE:{HUSH}@bucket/prefix",
        f"s3://{HUSH}@bucket/prefix",
        f"s3://:{HUSH}@bucket",
        f"s3://AKIAEXAMPLE:{HUSH}@",
        f"s3://AKIAEXAMPLE:{HUSH}@bu℀cket/",  # urlsplit quotes the host when it refuses it
        f"s3://[AKIAEXAMPLE:{HUSH}@bucket/",
        f"s3://bucket?aws_secret_access_key={HUSH}",
        f"s3://bucket?endpoint_url=http://AKIAEXAMPLE:{HUSH}@host:9000",
        f"s3://bucket?endpoint_url=http%3A%2F%2FAKIAEXAMPLE%3A{HUSH}%40host",
        f"s3://bucket/prefix#{HUSH}",
        f"sqlite://user:{HUSH}@host/shelf.db",
        f"memory://user:{HUSH}@host",
        f"postgres://user:{HUSH}@host/db",
        f"user:{HUSH}@bucket",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)url") as caught:
        open_storage(url)

    chain = [
        caught.value,
        caught.value.__cause__,
        None if caught.value.__suppress_context__ else caught.value.__context__,
    ]
    assert [HUSH in str(error) for error in chain] == [False, False, False]


def test_the_environment_names_the_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "sqlite:///shelf.db")

    storage = open_storage()

    assert isinstance(storage, SQLiteStorage)
    assert environment_url() == "sqlite:///shelf.db"


def test_a_url_that_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "sqlite:///shelf.db")

    assert isinstance(open_storage("memory://"), MemoryStorage)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("opened", [open_storage, S3Storage])
def test_a_missing_environment_variable_is_named(
    opened: Any, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSSHELF_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("SSSHELF_URL", value)

    with pytest.raises(ValueError, match="SSSHELF_URL, for example to s3://bucket/prefix"):
        opened()


def test_an_s3_storage_without_a_bucket_takes_it_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "s3://bucket/p?region=eu-central-1&endpoint_url=http://h:9000")

    storage = S3Storage()

    assert (storage.bucket, storage.prefix) == ("bucket", "p")
    assert storage._pool._options == {"region_name": "eu-central-1", "endpoint_url": "http://h:9000"}


def test_arguments_are_added_to_what_the_environment_says_and_go_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "s3://bucket/p?region=eu-central-1&addressing_style=path")

    storage = S3Storage(prefix="/q/", region_name="us-east-1", read_timeout_s=5)

    assert (storage.bucket, storage.prefix) == ("bucket", "p/q")
    assert storage._pool._options == {
        "region_name": "us-east-1",
        "addressing_style": "path",
        "read_timeout_s": 5,
    }


def test_a_bucket_that_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "s3://bucket/p?region=eu-central-1")

    storage = S3Storage("other", "q")

    assert (storage.bucket, storage.prefix) == ("other", "q")
    assert storage._pool._options == {}


@pytest.mark.parametrize("url", ["memory://", "sqlite:///shelf.db"])
def test_an_s3_storage_refuses_an_environment_that_names_another_store(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSSHELF_URL", url)

    with pytest.raises(ValueError, match="this storage needs a URL such as s3://bucket/prefix"):
        S3Storage()


def test_the_prefix_of_a_bucket_takes_from_the_longest_key() -> None:
    assert S3Storage("bucket").capabilities.max_key_bytes == MAX_KEY_BYTES
    assert S3Storage("bucket", "prefix").capabilities.max_key_bytes == MAX_KEY_BYTES - len("prefix/")
    assert S3Storage("bucket", "é").capabilities.max_key_bytes == MAX_KEY_BYTES - len("é/".encode())


def test_a_write_to_s3_may_be_late_by_the_life_of_its_signature_and_as_much_clock_skew() -> None:
    assert S3Storage("bucket").capabilities.late_s == 2 * 15 * 60
    assert MemoryStorage().capabilities.late_s == 0


def test_a_dynamodb_storage_takes_its_table_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "dynamodb://table?prefix=p&region=eu-central-1")

    storages = [DynamoDBStorage(), DynamoDBStorage(prefix="q", region_name="us-east-1"), DynamoDBStorage("other")]

    assert [(storage.table, storage.prefix) for storage in storages] == [("table", "p"), ("table", "q"), ("other", "")]
    assert [storage._table.pool._options.get("region_name") for storage in storages] == [
        "eu-central-1",
        "us-east-1",
        None,
    ]


def test_a_prefix_that_fits_into_no_partition_key_is_refused() -> None:
    assert DynamoDBStorage("table", "é" * 511).capabilities.max_key_bytes == MAX_KEY_BYTES
    with pytest.raises(ValueError, match="a prefix of 1024 bytes is too long, 1023 is the most"):
        DynamoDBStorage("table", "é" * 512)


@pytest.mark.parametrize(
    "storage",
    [S3Storage("bucket", "p", aws_secret_access_key=HUSH), DynamoDBStorage("table", aws_secret_access_key=HUSH)],
    ids=["s3", "dynamodb"],
)
def test_a_storage_does_not_show_its_secrets(storage: Storage) -> None:
    assert HUSH not in repr(storage) + str(storage)


def test_a_url_is_decoded() -> None:
    parsed = StorageURL.parse("s3://bucket/a%2Fb?region=")

    assert (parsed.scheme, parsed.host, parsed.path, parsed.options) == ("s3", "bucket", "/a/b", {"region": ""})


WITHOUT_AN_EXTRA = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"aiobotocore", "aiohttp", "botocore"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())

import ssshelf

for attempt in (
    lambda: ssshelf.open_storage("s3://bucket"),
    lambda: ssshelf.S3Storage,
    lambda: ssshelf.open_storage("dynamodb://table"),
    lambda: ssshelf.DynamoDBStorage,
):
    try:
        attempt()
    except ModuleNotFoundError as error:
        print(error)
ssshelf.open_storage("memory://")
ssshelf.open_storage("sqlite:///shelf.db")
"""


def test_a_missing_extra_is_named() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_AN_EXTRA], capture_output=True, text=True, check=True)

    lines = result.stdout.splitlines()
    for storage, extra in (("S3Storage", "s3"), ("DynamoDBStorage", "dynamodb")):
        first, second, *lines = lines
        assert first.startswith(f"{storage} needs ")
        assert first.endswith(f"pip install 'ssshelf[{extra}]'")
        assert second == first
