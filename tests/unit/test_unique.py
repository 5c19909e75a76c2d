"""Unique values: at most one live item holds each, whoever races, crashes or takes over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    CManager,
    Collection,
    CommitUnknownError,
    ConflictError,
    CorruptionError,
    DictItems,
    Key,
    MemoryStorage,
    RetryPolicy,
    UniqueViolationError,
)
from ssshelf.claims import Claim
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.testing import CountingStorage, CrashError, Fault, FaultyStorage, Request, fail_at
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from ssshelf.storages.base import Storage

User = dict[str, Any]


class Users(CManager[User]):
    item_manager = DictItems(pk="name")
    by_email = Collection[User](lambda user: user["email"], unique=True)
    by_phone = Collection[User](lambda user: user.get("phones"), unique=True)
    by_city = Collection[User](lambda user: user.get("city"))


def user(name: str, email: str, **fields: Any) -> User:
    return {"name": name, "email": email, **fields}


NOBODY = ""
"""Whom a claim names that was given back where the store has no conditional deletion."""


async def claimed(storage: Storage) -> dict[str, str]:
    """Return the primary key that each claim names, by the text of its key."""
    rows = (await storage.scan(Key("unique"))).rows
    return {row.key.text: Claim.unpack(row.key, (await storage.get(row.key)).data).pk for row in rows}


async def test_a_value_that_a_live_item_holds_is_refused_and_its_owner_named(storage: Storage) -> None:
    users = Users(storage)
    await users.add_item(user("ada", "a@x", city="London"))

    with pytest.raises(UniqueViolationError, match="held by the item 'ada'; nothing was written") as caught:
        await users.insert_item(user("eve", "a@x", phones=["1", "2"], city="Paris"))

    assert caught.value.owner == "ada"
    assert caught.value.key == Key("unique", "users", "by-email", "a@x")
    assert await users.find_item("eve") is None
    assert await users.by_city.count("Paris") == 0
    assert set((await claimed(storage)).values()) - {NOBODY} == {"ada!"}


async def test_an_item_may_keep_its_value(storage: Storage) -> None:
    users = Users(storage)
    await users.add_item(user("ada", "a@x"))

    await users.add_item(user("ada", "a@x", city="London"))
    await users.update_item("ada", lambda item: item.update(city="Rome"))

    assert await users.get_item("ada") == user("ada", "a@x", city="Rome")


async def test_a_value_that_was_given_up_is_free(storage: Storage) -> None:
    users = Users(storage)
    await users.add_item(user("ada", "a@x", phones=["1", "2"]))

    await users.update_item("ada", lambda item: item.update(email="b@x", phones=["2", "3"]))
    await users.add_item(user("eve", "a@x", phones=["1"]))
    await users.remove_item("ada")
    await users.add_item(user("joe", "b@x", phones=["2", "3"]))

    assert {key.split("/")[-1]: pk for key, pk in (await claimed(storage)).items()} == {
        "a=40x!": "eve!",
        "1!": "eve!",
        "b=40x!": "joe!",
        "2!": "joe!",
        "3!": "joe!",
    }


async def test_a_removed_item_may_come_back_with_its_value(storage: Storage) -> None:
    users = Users(storage)
    await users.add_item(user("ada", "a@x"))
    await users.remove_item("ada")

    await users.insert_item(user("ada", "a@x"))

    with pytest.raises(UniqueViolationError):
        await users.insert_item(user("eve", "a@x"))


async def test_of_eight_writers_who_want_one_value_one_gets_it(storage: Storage) -> None:
    async def insert(number: int) -> str:
        name = f"user {number}"
        try:
            await Users(storage).insert_item(user(name, "a@x"))
        except UniqueViolationError as error:
            return error.owner
        return name

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(insert(number)) for number in range(8)]

    assert len({task.result() for task in tasks}) == 1
    assert len(await Users(storage).by_email.get_items()) == 1


@pytest.mark.parametrize("fault", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER], ids=str)
async def test_a_crash_at_any_request_leaves_no_value_taken_for_ever(storage: Storage, fault: Fault) -> None:
    for step in range(100):
        part = PrefixedStorage(storage, Key(step))
        users = Users(part, retries=RetryPolicy(base_s=0))
        await users.add_item(user("ada", "a@x", phones=["1"]))
        faulty = FaultyStorage(part, fail_at(step, fault))
        crashed = False
        try:
            await Users(faulty, concurrency=1).add_item(user("ada", "b@x", phones=["2"]))
        except CrashError:
            crashed = True

        ada = await users.get_item("ada")
        rest = {"email": "b@x", "phones": ["2"]} if ada["email"] == "a@x" else {"email": "a@x", "phones": ["1"]}
        await users.add_item({"name": "eve", **rest})
        with pytest.raises(UniqueViolationError):
            await users.add_item(user("joe", ada["email"]))
        if not crashed:
            return
    pytest.fail("it never came to its end")


async def test_a_writer_whose_claim_was_taken_over_cannot_commit_any_more() -> None:
    """Else two items would hold one value: it has the claim, is slow, and is taken for dead."""
    storage = MemoryStorage(transactions=False)
    await Users(storage).add_item(user("slow", "old@x"))
    at_commit, go_on = asyncio.Event(), asyncio.Event()

    class Slow(FaultyStorage):
        async def put(self, key: Key, data: bytes, **options: Any) -> str:
            if key.parts[0] == "items" and not go_on.is_set():
                at_commit.set()
                await go_on.wait()
            return await super().put(key, data, **options)

    slow = asyncio.create_task(Users(Slow(storage)).add_item(user("slow", "a@x")))
    await at_commit.wait()

    await Users(storage).insert_item(user("quick", "a@x"))
    go_on.set()

    with pytest.raises(UniqueViolationError) as caught:
        await slow
    assert caught.value.owner == "quick"
    assert await Users(storage).get_item("slow") == user("slow", "old@x")


async def test_a_claim_of_an_item_that_never_was_is_taken_over() -> None:
    storage = MemoryStorage(transactions=False)
    late: list[Request] = []

    def crash_at_commit(request: Request) -> Fault | None:
        if (request.kind, request.keys[0].parts[0]) != ("put", "items"):
            return None
        late.append(request)
        return Fault.CRASH_BEFORE

    with pytest.raises(CrashError):
        await Users(FaultyStorage(storage, crash_at_commit)).insert_item(user("dead", "a@x"))
    await Users(storage).insert_item(user("ada", "a@x"))

    assert await Users(storage).find_item("dead") is None
    assert (await storage.get(late[0].keys[0])).data  # a tombstone, so that the insert can no longer arrive


async def test_a_store_without_conditional_deletions_keeps_claims_of_nobody() -> None:
    storage = LimitedStorage(MemoryStorage(transactions=False), conditional_delete=False)
    users = Users(storage)
    await users.add_item(user("ada", "a@x"))
    await users.remove_item("ada")

    assert await claimed(storage) == {"unique!/users!/by-email!/a=40x!": ""}
    await users.add_item(user("eve", "a@x"))
    assert await claimed(storage) == {"unique!/users!/by-email!/a=40x!": "eve!"}


async def test_a_claim_that_cannot_be_read_is_no_free_value(storage: Storage) -> None:
    claim = Key("unique", "users", "by-email", "a@x")
    await storage.put(claim, b'{"ssshelf":2}')

    with pytest.raises(CorruptionError, match="not the stored form of a claim"):
        await Users(storage).add_item(user("ada", "a@x"))

    assert await Users(storage).find_item("ada") is None


async def test_what_stops_being_unique_gives_its_values_back(storage: Storage) -> None:
    class Plain(Users):
        item_manager = Users.item_manager
        by_email = Collection[User](lambda user: user["email"])

    await Users(storage).add_item(user("ada", "a@x"))

    await Plain(storage).update_item("ada", lambda item: item.update(city="Rome"))

    assert set((await claimed(storage)).values()) == (set() if storage.capabilities.conditional_delete else {NOBODY})


def test_a_subclass_may_say_in_its_body_that_it_is_unique() -> None:
    class ByEmail(Collection[User]):
        unique = True

    assert ByEmail().unique
    assert not Collection[User]().unique


async def test_a_unique_value_costs_one_put_together_with_the_entries() -> None:
    storage = CountingStorage(MemoryStorage(transactions=False))

    await Users(storage).insert_item(user("ada", "a@x", city="Rome"))

    assert storage.counts == {"put": 4}  # two entries, a claim, the item
    assert storage.steps == 2


async def test_values_are_given_back_at_once() -> None:
    storage = CountingStorage(MemoryStorage(transactions=False))
    await Users(storage).insert_item(user("ada", "a@x", phones=["1", "2", "3"]))
    storage.reset()

    await Users(storage).remove_item("ada")

    assert storage.counts == {"get": 1 + 4, "put": 1, "delete_many": 1, "delete": 4}
    assert storage.steps == 5  # as with one value


async def test_with_transactions_a_unique_value_costs_no_request() -> None:
    storage = CountingStorage(MemoryStorage())

    await Users(storage).insert_item(user("ada", "a@x", city="Rome"))

    assert storage.counts == {"commit": 1}


async def test_with_transactions_what_is_refused_was_never_listed() -> None:
    """Else those who do not ask the items, such as ``count``, would see what never was."""
    storage = FaultyStorage(MemoryStorage())
    users = Users(storage)
    await users.insert_item(user("ada", "a@x"))

    with pytest.raises(UniqueViolationError):
        await users.insert_item(user("eve", "a@x", phones=["1"], city="Rome"))
    await storage.inner.put(Key("unique", "users", "by-email", "b@x"), Claim("dead!", f"1-{'0' * 16}").pack())
    await users.update_item("ada", lambda item: item.update(email="b@x", city="Rome"))

    assert "collections" not in {r.keys[0].parts[0] for r in storage.requests if r.kind != "commit"}
    assert await claimed(storage) == {"unique!/users!/by-email!/b=40x!": "ada!"}
    assert (await users.verify()).is_clean


async def test_was_committed_tells_what_became_of_a_write(storage: Storage) -> None:
    users = Users(storage)
    first = await users.add_item(user("ada", "a@x"))
    second = await users.add_item(user("ada", "b@x"))
    never = f"2-{'0' * 16}"

    assert await users.was_committed("ada", first)
    assert await users.was_committed("ada", second)
    assert not await users.was_committed("ada", never)


async def test_was_committed_does_not_guess(storage: Storage) -> None:
    users = Users(storage)
    first = await users.add_item(user("ada", "a@x"))
    rev = await users.add_item(user("ada", "a@x"))

    with pytest.raises(CommitUnknownError):  # it may still arrive
        await users.was_committed("ada", f"3-{'0' * 16}")
    for year in range(17):
        await users.update_item("ada", lambda item, year=year: item.update(year=year))  # type: ignore[misc]
    with pytest.raises(CommitUnknownError):  # too long ago
        await users.was_committed("ada", rev)
    assert await users.was_committed("ada", first)
    with pytest.raises(CommitUnknownError):
        await users.was_committed("nobody", rev)
    await users.add_item(user("eve", "e@x"))
    await users.remove_item("eve")
    with pytest.raises(CommitUnknownError):  # an insert may still arrive once the tombstone is swept
        await users.was_committed("eve", f"1-{'0' * 16}")


@pytest.mark.parametrize("rev", ["", "1", "0-0123456789abcdef", "1-xyz", None, 5])
async def test_was_committed_takes_only_revisions(rev: Any) -> None:
    with pytest.raises(ValueError, match="is no revision"):
        await Users(MemoryStorage()).was_committed("ada", rev)


async def test_a_lost_race_for_an_item_frees_what_it_had_claimed() -> None:
    storage = MemoryStorage(transactions=False)
    users = Users(storage)
    rev = await users.add_item(user("ada", "a@x"))
    await users.update_item("ada", lambda item: item.update(city="Rome"))

    with pytest.raises(ConflictError):
        await users.replace_item(user("ada", "b@x"), expect=rev)

    assert set(await claimed(storage)) == {"unique!/users!/by-email!/a=40x!"}


async def test_a_lost_race_for_an_item_leaves_the_winner_its_value() -> None:
    storage = MemoryStorage(transactions=False)
    users = Users(storage)
    rev = await users.add_item(user("ada", "a@x"))
    await users.update_item("ada", lambda item: item.update(phones=["1"]))

    with pytest.raises(ConflictError):
        await users.replace_item(user("ada", "a@x", phones=["1"]), expect=rev)

    with pytest.raises(UniqueViolationError):
        await users.insert_item(user("eve", "e@x", phones=["1"]))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.ANSWER_LOST, Fault.UNSENT], ids=str)
async def test_a_claim_whose_answer_is_missing_is_claimed_once(fault: Fault) -> None:
    storage = MemoryStorage(transactions=False)
    failed: list[Request] = []

    def fail_once(request: Request) -> Fault | None:
        if failed or request.keys[0].parts[0] != "unique":
            return None
        failed.append(request)
        return fault

    await Users(FaultyStorage(storage, fail_once)).insert_item(user("ada", "a@x"))

    assert len(failed) == 1
    assert set((await claimed(storage)).values()) == {"ada!"}
    assert await Users(storage).get_item("ada") == user("ada", "a@x")


async def test_a_claim_that_hinders_a_transaction_is_looked_into(storage: Storage) -> None:
    """As one that a writer left behind who died on the way, or that a copy from another store brought along."""
    claim = Key("unique", "users", "by-email", "a@x")
    await storage.put(claim, Claim("dead!", f"1-{'0' * 16}").pack())

    await Users(storage).insert_item(user("ada", "a@x"))

    assert (await claimed(storage))[claim.text] == "ada!"


async def test_who_redoes_no_write_still_takes_over_a_dead_writer_s_claim(storage: Storage) -> None:
    await storage.put(Key("unique", "users", "by-email", "a@x"), Claim("dead!", f"1-{'0' * 16}").pack())
    users = Users(storage, retries=RetryPolicy(conflicts=1, base_s=0.001))

    await users.insert_item(user("ada", "a@x"))

    assert await users.get_item("ada") == user("ada", "a@x")


async def test_who_redoes_no_write_may_replace_and_bring_back(storage: Storage) -> None:
    users = Users(storage, retries=RetryPolicy(conflicts=1))
    await users.add_item(user("ada", "a@x"))

    await users.add_item(user("ada", "b@x"))
    await users.remove_item("ada")
    await users.insert_item(user("ada", "b@x"))

    assert await users.get_item("ada") == user("ada", "b@x")
