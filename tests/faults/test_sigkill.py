"""A process that is killed in the middle of its writes: what it acknowledged is there, and nothing is half there."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import S3Storage, SQLiteStorage
from ssshelf.storages.wrapper import WrapperStorage
from tests.bookmarks import Bookmark, assert_in_step
from tests.faults.writers import SLUGS, Guests
from tests.storages import BUCKET, s3_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from ssshelf.keys import Key
    from ssshelf.storages.base import Row, Scan, Storage

    Record = Callable[[str, object], None]

KILLS = 200
MOST_LINES = 40
LONGEST_DELAY_S = 0.003


class History:
    """What each item may be: as it was last acknowledged, or as any write begun since then would leave it."""

    def __init__(self) -> None:
        self.possible: dict[str, list[Bookmark | None]] = {slug: [None] for slug in SLUGS}
        self.begun: dict[int, tuple[str, Bookmark | None]] = {}
        self.acknowledged = 0

    def note(self, told: dict[str, Any]) -> None:
        if "begun" in told:
            self.begun[told["begun"]] = told["slug"], told["item"]
            self.possible[told["slug"]].append(told["item"])
        elif "acknowledged" in told:
            slug, item = self.begun.pop(told["acknowledged"])
            self.possible[slug] = [item]
            self.acknowledged += 1
        elif "refused" in told:
            slug, item = self.begun.pop(told["refused"])
            self.possible[slug].remove(item)

    async def check(self, storage: Storage) -> None:
        shelf = Guests(storage)
        found = dict(zip(SLUGS, await asyncio.gather(*map(shelf.find_item, SLUGS)), strict=True))
        items = [item for item in found.values() if item is not None]

        assert {slug: item for slug, item in found.items() if item not in self.possible[slug]} == {}
        await assert_in_step(shelf, items)
        assert [item["seat"] for item in await shelf.by_seat.get_items(1000)] == sorted(i["seat"] for i in items)
        assert len({item["seat"] for item in items}) == len(items)


class HoursLater(WrapperStorage):
    """A storage in which everything is hours old, but for what maintenance just noted."""

    async def scan(self, prefix: Key, **options: Any) -> Scan:
        scan = await super().scan(prefix, **options)
        rows = [row if row.key.parts[0] == "meta" else row._replace(modified=hours_before(row)) for row in scan.rows]
        return replace(scan, rows=tuple(rows))


def hours_before(row: Row) -> dt.datetime:
    assert row.modified is not None
    return row.modified - dt.timedelta(hours=2)


async def sweep(storage: Storage) -> None:
    """Check that what the killed writers left is garbage, and that a sweep removes all of it."""
    shelf = Guests(HoursLater(storage))
    before = await shelf.verify()

    await shelf.sweep()

    after = await shelf.verify()
    assert before.is_sound
    assert (after.is_clean, after.items, after.tombstones) == (True, before.items, 0)


class Writers:
    """The process that writers are forked from."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    def told(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.stdout.readline())
        return line

    def run_and_kill(self, history: History, dice: random.Random) -> None:
        """Have a writer write, and kill it at some moment."""
        print(dice.getrandbits(32), file=self.stdin, flush=True)
        writer = self.told()["forked"]
        for _ in range(dice.randrange(MOST_LINES)):
            history.note(self.told())
        time.sleep(dice.uniform(0, LONGEST_DELAY_S))
        os.kill(writer, signal.SIGKILL)
        while "ended" not in (told := self.told()):
            history.note(told)
        assert told == {"ended": writer, "by": signal.SIGKILL}
        history.begun.clear()


@contextlib.contextmanager
def writers(**settings: Any) -> Iterator[Writers]:
    command = [sys.executable, "-m", "tests.faults.writers", json.dumps(settings)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Writers(process)


def survive(settings: dict[str, Any], opened: Callable[[], AbstractAsyncContextManager[Any]], record: Record) -> None:
    dice = random.Random(1)
    history = History()

    async def check(*, and_sweep: bool = False) -> None:
        async with opened() as storage:
            if and_sweep:
                await sweep(storage)
            await history.check(storage)

    with writers(**settings) as forked:
        for _ in range(KILLS):
            forked.run_and_kill(history, dice)
            asyncio.run(check())
    asyncio.run(check(and_sweep=True))
    assert history.acknowledged > KILLS
    record("kills", KILLS)
    record("acknowledged", history.acknowledged)


def test_sqlite_survives(tmp_path: Path, record_property: Record) -> None:
    path = str(tmp_path / "shelf.db")
    survive({"path": path}, lambda: SQLiteStorage(path), record_property)


@pytest.mark.ceph
@pytest.mark.timeout(600)
def test_ceph_survives(ceph_url: str, record_property: Record) -> None:
    async def prefix() -> str:
        async with s3_storage(ceph_url) as storage:
            return storage.prefix

    settings: dict[str, Any] = {"bucket": BUCKET, "prefix": asyncio.run(prefix()), "endpoint_url": ceph_url}
    settings |= {"region_name": "us-east-1", "addressing_style": "path"}
    survive(settings, lambda: S3Storage(**settings), record_property)
