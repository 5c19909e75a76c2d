"""Commits that were made elsewhere, stored as they are: their names are not fresh, so whoever loses removes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ssshelf import MemoryStorage, Revision
from ssshelf.documents import Documents
from ssshelf.drafts import Lost
from ssshelf.layout import Layout
from ssshelf.storages.base import Put
from ssshelf.testing import CountingStorage
from ssshelf.transfer.arrivals import Arrivals
from ssshelf.transfer.parcels import Parcel
from ssshelf.transfer.tally import Fate, Tally
from tests.moving import Guests, assert_agrees, everything, guest

if TYPE_CHECKING:
    from ssshelf.commit import Committer
    from ssshelf.storages.base import Storage

ITEM = Layout("guests").item("a")


@pytest.fixture(params=["transactions", "plain"])
def storage(request: pytest.FixtureRequest) -> Storage:
    return MemoryStorage(transactions=request.param == "transactions")


def committer(storage: Storage) -> Committer:
    return Documents(storage, "guests").committer


async def two_revisions() -> tuple[Parcel, Parcel]:
    """Return an item as it was and as it is; both are listed under one tag, and have one seat."""
    source = MemoryStorage()
    await Guests(source).add_item(guest("a", 1, "x"))
    first = Parcel.unpack(ITEM, (await source.get(ITEM)).data)
    await Guests(source).update_item("a", lambda item: item.update(tags=["x", "y"]))
    return first, Parcel.unpack(ITEM, (await source.get(ITEM)).data)


async def test_who_loses_removes_nothing_that_the_winner_names(storage: Storage) -> None:
    first, second = await two_revisions()
    here = committer(storage)
    await here.transplant(Put(ITEM, first.data), None, first.header)

    lost = await here.transplant(Put(ITEM, second.data), None, second.header)

    assert isinstance(lost, Lost)
    assert lost.current is not None
    assert lost.current.header == first.header
    await assert_agrees(storage)


async def test_what_is_there_already_or_was_overtaken_counts_as_done(storage: Storage) -> None:
    first, second = await two_revisions()
    here = committer(storage)
    await here.transplant(Put(ITEM, second.data), None, second.header)

    for parcel in (second, first):
        outcome = await here.transplant(Put(ITEM, parcel.data), None, parcel.header)
        assert isinstance(outcome, Revision)

    assert (await storage.get(ITEM)).data == second.data
    await assert_agrees(storage)


async def test_what_the_replaced_one_named_is_dropped(storage: Storage) -> None:
    first, second = await two_revisions()
    here = committer(storage)
    await here.transplant(Put(ITEM, second.data), None, second.header)

    back = await here.transplant(Put(ITEM, first.data), await here.load(ITEM), first.header)

    assert back == first.header.rev
    assert sum(key.startswith("collections") for key in await everything(storage)) == 2
    await assert_agrees(storage)


async def test_many_at_once_are_all_stored_or_none(storage: Storage) -> None:
    source = MemoryStorage()
    guests = Guests(source)
    await guests.add_items(guest(name, number) for number, name in enumerate("ab"))
    parcels = [Parcel.unpack(key, (await source.get(key)).data) for key in (Layout("guests").item(n) for n in "ab")]
    here = committer(storage)

    done = await here.transplant_new([(Put(one.key, one.data), one.header) for one in parcels])
    again = await here.transplant_new([(Put(one.key, one.data), one.header) for one in parcels[1:]])

    assert done == here.has_transactions
    assert not again
    assert await everything(storage) == (await everything(source) if done else {})


async def test_of_two_at_once_that_want_one_unique_value_neither_is_stored() -> None:
    storage = MemoryStorage()
    parcels = []
    for name in "ab":
        source = MemoryStorage()
        await Guests(source).add_item(guest(name, 1))
        key = Layout("guests").item(name)
        parcels.append(Parcel.unpack(key, (await source.get(key)).data))

    assert not await committer(storage).transplant_new([(Put(one.key, one.data), one.header) for one in parcels])
    assert await everything(storage) == {}


async def test_a_tombstone_that_refused_an_item_is_written_anew(storage: Storage) -> None:
    """The refused write may arrive once more, and would find nothing in its way when an old tombstone is swept."""
    first, _ = await two_revisions()
    await Guests(storage).add_item(guest("a", 7))
    await Guests(storage).remove_item("a")
    before = await storage.get(ITEM)
    tally = Tally()

    await Arrivals(Documents(storage, "guests"), tally).receive(first, is_new=True)

    assert tally[Fate.CONFLICT] == 1
    assert (await storage.get(ITEM)).etag != before.etag
    assert await Guests(storage).find_item("a") is None


async def test_a_transplant_costs_what_a_commit_does() -> None:
    first, _ = await two_revisions()
    storage = CountingStorage(MemoryStorage(transactions=False))

    await committer(storage).transplant(Put(ITEM, first.data), None, first.header)

    assert storage.counts == {"put": 4}
    assert storage.steps == 2
