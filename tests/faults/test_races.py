"""Many writers and readers at once, on a store that is slow, fails and loses answers: one schedule for each seed.

After every request to the store, each entry that a live item names must exist; at the end nothing that was acknowledged
is missing, nothing that was refused is there, and the listings agree with the items.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import ConflictError, Key, MemoryStorage, NotFoundError, UnavailableError
from ssshelf.envelope import unpack
from ssshelf.errors import CommitUnknownError
from ssshelf.layout import Layout
from ssshelf.retries import RetryPolicy
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import Fault, FaultyStorage, Request, run_in_virtual_time
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssshelf.storages.base import Condition, IfMatch, Operation

LAYOUT = Layout("bookmarks")
SLUGS = ["a", "b"]
TAGS = ["x", "y", "z"]
FAULTS = [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST]


class Watched(WrapperStorage):
    """Checks after each request that every entry a live item names exists, and records each revision of each item."""

    def __init__(self, inner: MemoryStorage) -> None:
        super().__init__(inner)
        self.history: dict[str, list[str]] = {slug: [] for slug in SLUGS}

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        etag = await super().put(key, data, condition=condition)
        await self.check()
        return etag

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        await super().delete(key, condition=condition)
        await self.check()

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        etags = await super().commit(operations)
        await self.check()
        return etags

    async def check(self) -> None:
        there = {row.key.text for row in (await self.inner.scan(Key())).rows}
        for slug in SLUGS:
            item = LAYOUT.item(slug)
            if item.text not in there:
                continue
            header, _ = unpack(item, (await self.inner.get(item)).data)
            if header.rev not in self.history[slug]:
                self.history[slug].append(header.rev)
            named = {LAYOUT.entry(index, LAYOUT.pk_of(item), rev).text for index, rev in header.entries.items()}
            assert not header.live or named <= there, f"{slug} {header.rev} names entries that are not there"


class Schedule:
    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.watched = Watched(MemoryStorage(transactions=self.dice.random() < 0.2))
        self.done: list[tuple[str, str]] = []
        self.refused = 0

    def plan(self, _: Request) -> Fault | float:
        return self.dice.choice(FAULTS) if self.dice.random() < 0.08 else self.dice.uniform(0, 3)

    def item(self, slug: str) -> Bookmark:
        tags = self.dice.sample(TAGS, self.dice.randrange(3))
        return {**bookmark(slug, self.dice.randrange(3), *tags), "nonce": self.dice.getrandbits(64)}

    async def write(self, shelf: Bookmarks) -> None:
        slug = self.dice.choice(SLUGS)
        item = self.item(slug)
        kind = self.dice.randrange(5)
        rev: str
        if kind == 0:
            rev = await shelf.insert_item(item)
        elif kind == 1:
            rev = await shelf.update_item(slug, lambda _: item)
        elif kind == 2:
            await shelf.remove_item(slug)
            return
        elif kind == 3:
            _, current = await shelf.get_revision(slug)
            rev = await shelf.replace_item(item, expect=current)
        else:
            rev = await shelf.add_item(item)
        self.done.append((slug, rev))

    async def client(self) -> None:
        retries = RetryPolicy(attempts=6, conflicts=6, dice=self.dice, clock=lambda: 0.0)
        shelf = Bookmarks(FaultyStorage(self.watched, self.plan), retries=retries)
        for _ in range(6):
            try:
                if self.dice.random() < 0.3:
                    await self.read(shelf)
                else:
                    await self.write(shelf)
            except (ConflictError, NotFoundError, UnavailableError, CommitUnknownError):
                self.refused += 1

    async def read(self, shelf: Bookmarks) -> None:
        slugs = [item["slug"] for item in await shelf.every.get_items()]
        assert len(slugs) == len(set(slugs))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.dice.randrange(2, 6)):
                group.create_task(self.client())
        for slug, rev in self.done:
            assert self.watched.history[slug].count(rev) == 1, f"{slug} {rev} was acknowledged and is not there"
        shelf = Bookmarks(self.watched.inner)
        live = [item for slug in SLUGS if (item := await shelf.find_item(slug)) is not None]
        await assert_in_step(shelf, live)


@pytest.mark.parametrize("block", range(8))
def test_races(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        schedule: Any = Schedule(seed)
        try:
            run_in_virtual_time(schedule.run())
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
