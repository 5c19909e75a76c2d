"""Whatever happens to whichever request: strict reads are right afterwards, and doing it again heals it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from ssshelf import (
    CManager,
    CommitUnknownError,
    ConflictError,
    DeniedError,
    DictItems,
    Key,
    MemoryStorage,
    RetryPolicy,
    UnavailableError,
)
from ssshelf.storages.base import Entry
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.testing import CrashError, Fault, FaultyStorage, Request, fail_at
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark
from tests.storages import TABLES, open_named

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssshelf.storages.base import Storage

BYSTANDER = bookmark("bystander", 2001, "x", "y")
OLD = bookmark("a", 2024, "x", "y")
NEW = bookmark("a", 1999, "y", "z")
MANY_OLD = [bookmark(f"m{i}", 2000 + i, "x") for i in range(3)]
MANY_NEW = [bookmark(f"m{i}", 1990 + i, "z") for i in range(3)]
LOST = "a failure of this test"


def at_once(attempts: int = 3) -> RetryPolicy:
    return RetryPolicy(attempts=attempts, conflicts=5, base_s=0.0)


class Tagless(CManager[Bookmark]):
    item_manager = DictItems(pk="slug")


class Case(NamedTuple):
    """An operation, what there is before it, and what there is after."""

    before: list[Bookmark]
    do: Callable[[Bookmarks], Awaitable[Any]]
    after: list[Bookmark]


CASES = {
    "insert": Case([], lambda m: m.insert_item(NEW), [NEW]),
    "add": Case([], lambda m: m.add_item(NEW), [NEW]),
    "add over": Case([OLD], lambda m: m.add_item(NEW), [NEW]),
    "update": Case([OLD], lambda m: m.update_item("a", lambda item: {**item, **NEW}), [NEW]),
    "update in place": Case([OLD], lambda m: m.update_item("a", lambda _: {**OLD, "note": 1}), [{**OLD, "note": 1}]),
    "remove": Case([OLD], lambda m: m.remove_item("a"), []),
    "add many": Case(MANY_OLD, lambda m: m.add_items(MANY_NEW), MANY_NEW),
    "remove many": Case(MANY_OLD, lambda m: m.remove_items(["m0", "m1", "m2"]), []),
}
each_case = pytest.mark.parametrize("name", CASES)


async def found(shelf: Bookmarks, case: Case) -> list[Bookmark]:
    """Return the items there are, of those that the case is about, each as it was before or will be after."""
    slugs = dict.fromkeys(item["slug"] for item in (*case.before, *case.after))
    items = [item for slug in slugs if (item := await shelf.find_item(slug)) is not None]
    assert all(item in case.before or item in case.after for item in items)
    return items


async def prepared(storage: Storage, case: Case) -> Bookmarks:
    shelf = Bookmarks(storage)
    await shelf.add_items([BYSTANDER, *case.before])
    return shelf


async def again(shelf: Bookmarks, case: Case) -> None:
    """Do the operation once more; that it was done already is no failure."""
    try:
        await case.do(shelf)
    except ConflictError:
        assert await found(shelf, case) == case.after


async def crash_at_each_request(storage: Storage, case: Case, fault: Fault) -> None:
    for step in count():
        part = PrefixedStorage(storage, Key(step))
        shelf = await prepared(part, case)
        faulty = FaultyStorage(part, fail_at(step, fault))

        try:
            # One at a time, so that each request is met in turn.
            await case.do(Bookmarks(faulty, concurrency=1))
        except CrashError:
            assert len(faulty.requests) == step + 1
        else:
            assert len(faulty.requests) <= step
            break

        await assert_in_step(shelf, [BYSTANDER, *await found(shelf, case)])
        await again(shelf, case)
        await assert_in_step(shelf, [BYSTANDER, *case.after])
    assert step >= 1


crashes = pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=str)


@each_case
@crashes
async def test_a_crash_at_any_request(storage: Storage, name: str, fault: Fault) -> None:
    await crash_at_each_request(storage, CASES[name], fault)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("name", ["insert", "update", "remove"])
@crashes
async def test_a_crash_at_any_request_to_a_table(
    request: pytest.FixtureRequest, kind: str, name: str, fault: Fault
) -> None:
    async with open_named(kind, request) as storage:
        await crash_at_each_request(storage, CASES[name], fault)


@each_case
@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST], ids=str)
async def test_a_single_failure_of_any_request(storage: Storage, name: str, fault: Fault) -> None:
    case = CASES[name]
    for step in count():
        part = PrefixedStorage(storage, Key(step))
        shelf = await prepared(part, case)
        faulty = FaultyStorage(part, fail_at(step, fault))

        try:
            await case.do(Bookmarks(faulty, concurrency=1, retries=at_once()))
        except UnavailableError:
            assert len(faulty.requests) > step
        else:
            assert await found(shelf, case) == case.after
        if len(faulty.requests) <= step:
            break

        await assert_in_step(shelf, [BYSTANDER, *await found(shelf, case)])
        await again(shelf, case)
        await assert_in_step(shelf, [BYSTANDER, *case.after])


@each_case
@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST], ids=str)
async def test_a_store_that_fails_from_some_request_on(storage: Storage, name: str, fault: Fault) -> None:
    case = CASES[name]
    for step in count():
        part = PrefixedStorage(storage, Key(step))
        shelf = await prepared(part, case)
        faulty = FaultyStorage(part, lambda request, step=step: fault if request.number >= step else None)  # type: ignore[misc]

        try:
            await case.do(Bookmarks(faulty, concurrency=1, retries=at_once()))
        except (UnavailableError, CommitUnknownError) as error:
            # What is reported as not done must not be done, nor be done later.
            if isinstance(error, UnavailableError) and len(case.before + case.after) <= 2:
                assert await found(shelf, case) == case.before
        else:
            assert await found(shelf, case) == case.after
            if len(faulty.requests) <= step:
                break

        await assert_in_step(shelf, [BYSTANDER, *await found(shelf, case)])
        await again(shelf, case)
        await assert_in_step(shelf, [BYSTANDER, *case.after])


async def test_an_insert_whose_answer_was_lost_succeeds_once(storage: Storage) -> None:
    faulty = FaultyStorage(
        storage, lambda r: Fault.ANSWER_LOST if r.kind in ("commit", "put") and r.number < 9 else None
    )
    shelf = Bookmarks(faulty, retries=at_once(attempts=20))
    entries_only = FaultyStorage(storage, None)

    if storage.capabilities.atomic_batch == 1:  # entries are retried by the store itself, the item by the protocol
        faulty.plan = lambda r: Fault.ANSWER_LOST if r.keys[0].parts[0] == "items" and r.number < 9 else None
    rev = await shelf.insert_item(NEW)

    _, current = await Bookmarks(entries_only).get_revision("a")
    assert current == rev
    await assert_in_step(Bookmarks(storage), [NEW])


async def test_a_commit_that_may_still_arrive_is_neither_done_nor_refused(storage: Storage) -> None:
    await prepared(storage, CASES["add over"])

    def lose_commits(request: Request) -> Fault | None:
        is_commit = request.kind == "commit" or (request.kind, request.keys[0].parts[0]) == ("put", "items")
        return Fault.LOST if is_commit else None

    faulty = FaultyStorage(storage, lose_commits)

    with pytest.raises(CommitUnknownError) as caught:
        await Bookmarks(faulty, retries=at_once()).update_item("a", lambda _: NEW)

    assert caught.value.rev.startswith("2-")
    await assert_in_step(Bookmarks(storage), [BYSTANDER, OLD])


async def test_a_commit_that_was_overtaken_after_its_answer_was_lost_still_counts() -> None:
    """The revision is found in the lineage of what others have written since."""
    storage = MemoryStorage(transactions=False)
    other = Bookmarks(storage)
    await other.add_item(OLD)

    class Overtaken(FaultyStorage):
        async def put(self, key: Key, data: bytes, **options: Any) -> str:
            await self.inner.put(key, data, **options)
            if key.parts[0] == "items" and self.plan is None:
                self.plan = lambda _: None
                await other.update_item("a", lambda item: item.update(note="from another"))
                raise UnavailableError(LOST)
            return ""

    rev = await Bookmarks(Overtaken(storage), retries=at_once()).add_item(NEW)

    item, current = await other.get_revision("a")
    assert item == {**NEW, "note": "from another"}
    assert (rev, current) == (f"2-{rev[2:]}", f"3-{current[2:]}")
    await assert_in_step(other, [item])


async def test_a_storage_that_is_closed_while_an_answer_is_missing_leaves_the_outcome_open() -> None:
    storage = MemoryStorage(transactions=False)

    class ClosedMeanwhile(FaultyStorage):
        async def put(self, key: Key, data: bytes, **options: Any) -> str:
            if key.parts[0] != "items" or not self.requests:
                self.requests.append(Request(0, "put", (key,)))
                await self.inner.put(key, data, **options)
                if key.parts[0] == "items":
                    raise UnavailableError(LOST)
                return ""
            raise ValueError(LOST)

        async def get(self, key: Key) -> Entry:
            raise ValueError(LOST, key)

    with pytest.raises(CommitUnknownError):
        await Tagless(ClosedMeanwhile(storage), retries=at_once()).insert_item(NEW)

    assert await Tagless(storage).get_item("a") == NEW


async def test_a_denied_repetition_of_a_commit_that_was_applied_loses_nothing() -> None:
    storage = MemoryStorage(transactions=False)

    class Expiring(FaultyStorage):
        attempts = 0

        async def put(self, key: Key, data: bytes, **options: Any) -> str:
            if key.parts[0] != "items":
                return await self.inner.put(key, data, **options)
            self.attempts += 1
            if self.attempts > 1:
                raise DeniedError(LOST)
            await self.inner.put(key, data, **options)
            raise UnavailableError(LOST)

    await Bookmarks(Expiring(storage), retries=at_once()).add_item(NEW)

    await assert_in_step(Bookmarks(storage), [NEW])


@pytest.mark.parametrize(("failing", "error"), [(range(1, 4), UnavailableError), (range(1, 9), CommitUnknownError)])
async def test_an_insert_that_a_tombstone_refused_is_not_over_before_a_younger_one_is_there(
    failing: range, error: type[Exception]
) -> None:
    """Its first attempt may still arrive, and would find nothing in its way once the old one is swept."""
    storage = MemoryStorage(transactions=False)
    shelf = Bookmarks(storage)
    await shelf.add_item(OLD)
    await shelf.remove_item("a")
    item = (await storage.scan(Key("items"))).rows[0]
    commits: list[Request] = []

    def fail(request: Request) -> Fault | None:
        if request.kind != "put" or request.keys[0].parts[0] != "items":
            return None
        commits.append(request)
        return Fault.UNSENT if len(commits) - 1 in failing else None

    with pytest.raises(error):
        await Bookmarks(FaultyStorage(storage, fail), retries=at_once()).insert_item(NEW)

    (now,) = (await storage.scan(Key("items"))).rows
    assert (now.etag != item.etag) == (error is UnavailableError)
    assert await shelf.find_item("a") is None


async def test_an_insert_that_was_overtaken_many_times_still_counts() -> None:
    """Its answer was lost, and it is read again only after more commits than a lineage remembers."""
    storage = MemoryStorage(transactions=False)
    other = Bookmarks(storage)

    class Overtaken(FaultyStorage):
        async def put(self, key: Key, data: bytes, **options: Any) -> str:
            etag = await self.inner.put(key, data, **options)
            if key.parts[0] == "items":
                for number in range(40):
                    await other.update_item("a", lambda item, number=number: item.update(note=number))  # type: ignore[misc]
                raise UnavailableError(LOST)
            return etag

    rev = await Bookmarks(Overtaken(storage), retries=at_once()).insert_item(NEW)

    assert rev.startswith("1-")
    assert await other.was_committed("a", rev)
    await assert_in_step(other, [{**NEW, "note": 39}])
