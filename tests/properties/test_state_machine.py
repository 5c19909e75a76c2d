"""Any sequence of writes: the shelf agrees with a dict, and each collection lists what ``key`` says, once."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ssshelf import AlreadyExistsError, ConflictError, MemoryStorage, NotFoundError, SQLiteStorage
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

slugs = st.sampled_from(["a", "aa", "b", "a/b", "é", "~"])
items = st.builds(
    lambda slug, year, tags: bookmark(slug, year, *tags),
    slugs,
    st.integers(-3, 3),
    st.lists(st.sampled_from(["x", "xy", "y!"]), unique=True, max_size=3),
)


UNKNOWN = "1-0"


class ShelfMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.storage = self.open_storage()
        self.shelf = Bookmarks(self.storage)
        self.model: dict[str, Bookmark] = {}
        self.revs: dict[str, str] = {}

    def open_storage(self) -> Storage:
        raise NotImplementedError

    def teardown(self) -> None:
        self.runner.run(self.storage.aclose())
        self.runner.close()

    @rule(item=items)
    def add(self, item: Bookmark) -> None:
        self.revs[item["slug"]] = self.runner.run(self.shelf.add_item(item))
        self.model[item["slug"]] = item

    @rule(item=items)
    def insert(self, item: Bookmark) -> None:
        try:
            rev = self.runner.run(self.shelf.insert_item(item))
        except AlreadyExistsError:
            assert item["slug"] in self.model
        else:
            assert item["slug"] not in self.model
            self.model[item["slug"]] = item
            self.revs[item["slug"]] = rev

    @rule(item=items, as_text=st.booleans())
    def replace(self, item: Bookmark, *, as_text: bool) -> None:
        rev = self.revs.get(item["slug"], UNKNOWN)
        try:
            newer = self.runner.run(self.shelf.replace_item(item, expect=str(rev) if as_text else rev))
        except ConflictError:
            assert item["slug"] not in self.model or rev == UNKNOWN
        else:
            assert item["slug"] in self.model
            self.model[item["slug"]] = item
            self.revs[item["slug"]] = newer

    @rule(item=items)
    def update(self, item: Bookmark) -> None:
        try:
            rev = self.runner.run(self.shelf.update_item(item["slug"], lambda _: item))
        except NotFoundError:
            assert item["slug"] not in self.model
        else:
            self.model[item["slug"]] = item
            self.revs[item["slug"]] = rev

    @rule(slug=slugs)
    def remove(self, slug: str) -> None:
        removed = self.runner.run(self.shelf.remove_item(slug))

        assert removed == (self.model.pop(slug, None) is not None)

    @rule(batch=st.lists(items, max_size=5))
    def add_many(self, batch: list[Bookmark]) -> None:
        self.runner.run(self.shelf.add_items(batch))
        for item in batch:
            self.model[item["slug"]] = item
            self.revs.pop(item["slug"], None)

    @rule(limit=st.integers(1, 4), prefix=st.sampled_from([(), ("x",), ("xy",), ("x", 1)]))
    def pages_add_up(self, limit: int, prefix: tuple[str, ...]) -> None:
        async def paged() -> list[Bookmark]:
            found: list[Bookmark] = []
            after: str | None = None
            while True:
                page = await self.shelf.tagged.get_items(limit, after, prefix=prefix)
                found += page.items
                if (after := page.after) is None:
                    return found

        async def streamed() -> list[Bookmark]:
            return [item async for item in self.shelf.tagged.prefix(*prefix)]

        assert self.runner.run(paged()) == self.runner.run(streamed())

    @invariant()
    def everything_is_in_step(self) -> None:
        self.runner.run(assert_in_step(self.shelf, list(self.model.values())))

    @invariant()
    def entries_cover_what_items_hold(self) -> None:
        rows = self.runner.run(self.shelf.newest.get_covered())

        assert {row.pk: row.values for row in rows} == {
            slug: {"tags": item["tags"], "year": item["year"]} for slug, item in self.model.items()
        }

    @invariant()
    def the_index_is_exact(self) -> None:
        entries = sum(2 + len(item["tags"]) for item in self.model.values())
        listings = (self.shelf.every, self.shelf.tagged, self.shelf.newest)
        counts = [self.runner.run(listing.count()) for listing in listings]

        assert sum(counts) == entries


class MemoryMachine(ShelfMachine):
    def open_storage(self) -> Storage:
        return MemoryStorage()


class PlainMachine(ShelfMachine):
    def open_storage(self) -> Storage:
        return MemoryStorage(transactions=False)


class SQLiteMachine(ShelfMachine):
    def open_storage(self) -> Storage:
        self.folder = tempfile.mkdtemp()
        return SQLiteStorage(Path(self.folder) / "shelf.db")

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


quiet = {"deadline": None, "suppress_health_check": list(HealthCheck)}
MACHINES = [(MemoryMachine, 60), (PlainMachine, 60), (SQLiteMachine, 10)]


@pytest.mark.parametrize(("machine", "examples"), MACHINES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_shelf_agrees_with_a_dict(machine: type[ShelfMachine], examples: int) -> None:
    case = machine.TestCase
    case.settings = settings(max_examples=examples, stateful_step_count=25, **quiet)  # type: ignore[arg-type]

    case("runTest").runTest()
