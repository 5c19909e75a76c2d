"""What the real ssshelf 0.1.3 has stored is migrated; ``data/ssshelf-0.1.3.jsonl`` is what it stores."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import AlreadyExistsError, CManager, Collection, DictItems, Key, MemoryStorage, S3Storage
from ssshelf.documents import Document, Documents
from ssshelf.layout import Layout
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage
from ssshelf.transfer import Fate, Migration
from tests.moving import everything
from tests.storages import s3_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ssshelf.storages.base import Operation, Storage

HERE = Path(__file__).parent.parent
SCRIPT = HERE / "servers" / "legacy.sh"
CAPTURED = [json.loads(line) for line in (HERE / "data" / "ssshelf-0.1.3.jsonl").read_text().splitlines()]
PLACES = {"by-place": "author-items", "by-tag": "bookmark-items", "by-month": "bookmark-items"}

Item = dict[str, Any]


class Bookmarks(CManager[Item]):
    item_manager = DictItems(pk="pk")
    by_tag = Collection[Item](lambda item: item["tags"])
    by_month = Collection[Item](lambda item: item["month"])


async def put_captured(storage: Storage) -> None:
    for name, text in CAPTURED:
        await storage.put(Key.from_text(name), text.encode())


@pytest.fixture(params=["memory", "moto"])
async def old(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """Yield a bucket with what ssshelf 0.1.3 stored."""
    if request.param == "memory":
        storage = MemoryStorage()
        await put_captured(storage)
        yield storage
        return
    async with s3_storage(request.getfixturevalue("moto_url")) as bucket:
        await put_captured(bucket)
        yield bucket


async def check_as_it_was(storage: Storage) -> None:
    """Check that the documents are listed where 0.1 listed them."""
    documents = Documents(storage, "bookmark-items")
    by_tag, by_month = documents.collection("by-tag"), documents.collection("by-month")

    assert (await documents.get_item("é x+y")).body.startswith(b'{"pk": "\\u00e9 x+y"')
    assert [one.pk async for one in by_tag.prefix("python")] == ["100%", "UPPER_lower-1.2~3", "a/b", "plain", "é x+y"]
    assert [one.pk async for one in by_tag.prefix("a/b c")] == ["100%", "UPPER_lower-1.2~3", "a/b", "plain", "é x+y"]
    assert [one.pk async for one in by_tag.prefix("old")] == ["changed"]
    assert [one.pk async for one in by_tag.prefix("new")] == ["changed"]
    assert len([one async for one in by_month.prefix("2")]) == 7
    authors = Documents(storage, "author-items").collection("by-place")
    assert [one.pk async for one in authors.prefix("UK")] == ["plain", "ada"]


async def test_documents_are_moved_as_they_are(old: Storage) -> None:
    new = MemoryStorage()
    before = {name: (await old.get(Key.from_text(name))).data for name, _ in CAPTURED}

    done = await Migration(old, new, collections=PLACES).run()

    assert done.is_complete
    assert done.managers == {"author-items": "author-items", "bookmark-items": "bookmark-items"}
    assert (done.tally[Fate.COPIED], done.entries, done.dangling) == (9, 68, 7)
    await check_as_it_was(new)
    assert before == {name: (await old.get(Key.from_text(name))).data for name, _ in CAPTURED}


async def test_the_bucket_itself_may_be_the_destination(old: Storage) -> None:
    done = await Migration(old, old, collections=PLACES).run()

    assert (done.is_complete, done.tally[Fate.COPIED]) == (True, 9)
    await check_as_it_was(old)


async def test_a_class_lists_the_items_as_it_says(old: Storage) -> None:
    new = MemoryStorage()
    bookmarks = Bookmarks(new)

    done = await Migration(old, new, {"bookmark-items": bookmarks}, ["bookmark-items"]).run()

    assert (done.is_complete, dict(done.managers)) == (True, {"bookmark-items": "bookmarks"})
    assert (await bookmarks.verify()).is_clean
    assert [item["pk"] async for item in bookmarks.by_tag.prefix("old")] == []
    assert await bookmarks.by_month.count("2017-09") == 7
    assert (await bookmarks.get_item("a/b"))["tags"] == ["python", "a/b c", "ü"]


async def test_doing_it_again_changes_nothing_and_keeps_what_has_changed(old: Storage) -> None:
    new = MemoryStorage()
    migration = Migration(old, new, collections=PLACES)
    await migration.run()
    before = await everything(new)

    again = await migration.run()
    assert (again.tally[Fate.SAME], again.is_complete) == (9, True)
    assert await everything(new) == before

    await Documents(new, "author-items").remove_item("ada")
    await Documents(new, "bookmark-items").update_item("plain", lambda one: type(one)("plain", b"{}"))
    later = await migration.run()
    assert (later.tally[Fate.SAME], later.tally[Fate.CONFLICT], later.tally[Fate.KEPT]) == (7, 1, 1)
    assert not later.is_complete
    assert await Documents(new, "author-items").find_item("ada") is None


async def test_a_dry_run_writes_nothing(old: Storage) -> None:
    new = MemoryStorage()

    done = await Migration(old, new, collections=PLACES, is_dry=True).run()

    assert (done.tally[Fate.COPIED], done.entries, done.dangling, dict(done.checked)) == (9, 68, 7, {})
    assert (await new.scan(Key())).rows == ()


async def test_collections_of_several_managers_have_to_be_told_apart(old: Storage) -> None:
    new = MemoryStorage()

    with pytest.raises(ValueError, match="by-month those of author-items or bookmark-items"):
        await Migration(old, new).run()

    assert (await new.scan(Key())).rows == ()


@pytest.mark.parametrize(
    "wrong",
    [{"only": ["books"]}, {"collections": {"by-size": "author-items"}}, {"collections": {"by-tag": "books"}}],
    ids=["manager", "collection", "manager of a collection"],
)
async def test_a_name_that_is_not_there_is_refused(old: Storage, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there is no"):
        await Migration(old, MemoryStorage(), **wrong).run()


async def test_a_bucket_without_anything_of_0_1_is_refused() -> None:
    storage = MemoryStorage()
    await Bookmarks(storage).add_item({"pk": "a", "tags": [], "month": "x"})

    with pytest.raises(ValueError, match="nothing of ssshelf"):
        await Migration(storage, storage).run()


async def test_what_the_class_cannot_read_is_told() -> None:
    old, new = MemoryStorage(), MemoryStorage()
    await put_captured(old)
    await old.put(Key.from_text("items/bookmark-items/broken"), b"no JSON")
    await old.put(Key.from_text("items/bookmark-items/lacking"), b'{"pk": "lacking"}')

    done = await Migration(old, new, {"bookmark-items": Bookmarks(new)}, ["bookmark-items"]).run()

    assert (done.tally[Fate.COPIED], done.tally[Fate.UNREADABLE], done.is_complete) == (7, 2, False)


async def test_an_interrupted_migration_goes_on() -> None:
    old, new = MemoryStorage(), MemoryStorage()
    await put_captured(old)
    dying = FaultyStorage(new, lambda request: Fault.CRASH_BEFORE if request.number > 20 else None)
    with pytest.raises((CrashError, ExceptionGroup)):
        await Migration(old, dying, collections=PLACES).run()

    done = await Migration(old, new, collections=PLACES).run()

    assert done.is_complete
    await check_as_it_was(new)


async def test_what_somebody_writes_meanwhile_is_never_replaced() -> None:
    old, new = MemoryStorage(), MemoryStorage()
    await put_captured(old)
    documents = Documents(new, "bookmark-items")

    class Racing(CountingStorage):
        async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
            if Layout("bookmark-items").item("plain") in {one.key for one in operations}:
                with contextlib.suppress(AlreadyExistsError):
                    await documents.insert_item(Document("plain", b"mine"))
            return await super().commit(operations)

    done = await Migration(old, Racing(new), only=["bookmark-items"], collections=PLACES).run()

    assert (done.tally[Fate.COPIED], done.tally[Fate.CONFLICT]) == (6, 1)
    assert (await documents.get_item("plain")).body == b"mine"


@pytest.mark.servers
async def test_the_real_one(moto_url: str) -> None:
    """Fill a bucket with ssshelf 0.1.3 from PyPI, in an environment of its own, and migrate that."""
    bucket = f"legacy-{uuid.uuid4().hex[:8]}"
    without = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {**without, "PYTHON": sys.executable}

    def run(*arguments: str) -> str:
        done = subprocess.run([str(SCRIPT), *arguments], check=True, env=environment, stdout=subprocess.PIPE, text=True)
        return done.stdout

    await asyncio.to_thread(run, "install")
    told = await asyncio.to_thread(run, "fill", moto_url, bucket)
    assert [json.loads(line) for line in told.splitlines()] == CAPTURED

    async with S3Storage(bucket, endpoint_url=moto_url, region_name="us-east-1", addressing_style="path") as storage:
        done = await Migration(storage, storage, collections=PLACES).run()
        assert (done.is_complete, done.tally[Fate.COPIED], done.dangling) == (True, 9, 7)
        await check_as_it_was(storage)
