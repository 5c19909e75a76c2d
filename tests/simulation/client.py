"""A client: one task that calls the shipped code, operation after operation, and has each judged."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, TypeVar

from ssshelf import CommitUnknownError
from ssshelf.drafts import Revision
from ssshelf.maintenance import Verified
from tests.simulation.bucket import CALL
from tests.simulation.listings import Listing, check_keys, check_page, check_stream
from tests.simulation.oracle import Oracle
from tests.simulation.shelf import LISTINGS, Thing, Things

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.simulation.history import Call
    from tests.simulation.plan import Plan

__all__ = ["Client"]

T = TypeVar("T")
_MOST_PAGES = 8


class Client:
    """One task of one process.

    Args:
        name: For the trace.
        shelf: The manager of its process.
        oracle: Judges what it is told.
        dice: Draws what it does.
        plan: What clients of this schedule do.
    """

    def __init__(self, name: str, shelf: Things, oracle: Oracle, dice: random.Random, plan: Plan) -> None:
        self.name = name
        self.shelf = shelf
        self.oracle = oracle
        self.dice = dice
        self.plan = plan
        self._held: dict[str, Revision] = {}

    async def run(self) -> None:
        """Do what the plan says."""
        for kind in self.plan.kinds(self.dice):
            await asyncio.sleep(self.plan.pause_s * self.dice.random())
            await getattr(self, kind)()

    async def insert(self) -> None:
        thing = self.plan.thing(self.dice)
        call = self._begin("insert_item", thing["pk"], thing=thing)
        rev = await self._do(call, self.shelf.insert_item(thing))
        if rev is not None:
            self.oracle.wrote(call, self._hold(call, rev), over_live=False)

    async def add(self) -> None:
        thing = self.plan.thing(self.dice)
        call = self._begin("add_item", thing["pk"], thing=thing)
        rev = await self._do(call, self.shelf.add_item(thing))
        if rev is not None:
            self.oracle.wrote(call, self._hold(call, rev), over_live=None)

    async def replace(self) -> None:
        thing = self.plan.thing(self.dice)
        held = self._held.get(thing["pk"])
        if held is None:
            held = await self.get_revision(thing["pk"])
        if held is None:
            return
        expect = held if self.dice.random() < 0.7 else str(held)
        call = self._begin("replace_item", thing["pk"], thing=thing, expect=expect)
        rev = await self._do(call, self.shelf.replace_item(thing, expect=expect))
        if rev is None:
            del self._held[thing["pk"]]
        else:
            self.oracle.wrote(call, self._hold(call, rev), over_live=True)

    async def update(self) -> None:
        pk = self.plan.pk(self.dice)
        slow_s = self.plan.pause_s * self.dice.choice((0, 0, 1))

        async def change(thing: Thing) -> Thing:
            await asyncio.sleep(slow_s)
            return {**self.plan.thing(self.dice, thing), "seen": thing["nonce"]}

        call = self._begin("update_item", pk)
        rev = await self._do(call, self.shelf.update_item(pk, change))
        if rev is not None:
            self.oracle.updated(call, self._hold(call, rev))

    async def remove(self) -> None:
        call = self._begin("remove_item", self.plan.pk(self.dice))
        found = await self._do(call, self.shelf.remove_item(call.pks[0]))
        if found is not None:
            self.oracle.removed(call, found=found)

    async def get(self) -> None:
        call = self._begin("find_item", self.plan.pk(self.dice))
        thing = await self._do(call, self._find(call.pks[0]))
        if thing is not None:
            self.oracle.read(call, call.pks[0], thing[0])

    async def get_revision(self, pk: str | None = None) -> Revision | None:
        call = self._begin("get_revision", pk or self.plan.pk(self.dice))
        found = await self._do(call, self.shelf.get_revision(call.pks[0]))
        if found is None:
            return None
        self.oracle.read(call, call.pks[0], *found)
        return self._hold(call, found[1])

    async def get_many(self) -> None:
        call = self._begin("get_items", *self.plan.pks)
        things = await self._do(call, self.shelf.get_items(call.pks))
        for pk, thing in zip(call.pks, things or (), strict=False):
            self.oracle.read(call, pk, thing)

    async def add_many(self) -> None:
        things = [self.plan.thing(self.dice) for _ in range(self.dice.randrange(2, 5))]
        call = self._begin("add_items", *(str(thing) for thing in things))
        if await self._do(call, self.shelf.add_items(iter(things))) is not None:
            self.oracle.wrote_all(call, things)

    async def remove_many(self) -> None:
        call = self._begin("remove_items", *self.plan.pks)
        count = await self._do(call, self.shelf.remove_items(call.pks))
        if count is not None:
            self.oracle.removed_all(call, count)

    async def walk(self) -> None:
        listing, limit = self._listing(), self.dice.choice((1, 2, 3, 200))
        collection = getattr(self.shelf, listing.name)
        after: str | None = None
        for _ in range(_MOST_PAGES):
            call = self._begin("get_items (page)", f"{listing} limit={limit} after={after}")
            page = await self._do(call, collection.get_items(limit, after, **listing.arguments()))
            if page is None:
                return
            check_page(self.oracle.history, self.oracle.journal, call, listing, (limit, after), page)
            after = page.after
            if after is None:
                return

    async def stream(self) -> None:
        listing = self._listing()
        collection = getattr(self.shelf, listing.name)
        call = self._begin("prefix", str(listing))

        async def read() -> list[Thing]:
            bounds = {"start": listing.start or None, "stop": listing.stop}
            return [thing async for thing in collection.prefix(*listing.prefix, **bounds)]

        rows = await self._do(call, read())
        if rows is not None:
            check_stream(self.oracle.history, self.oracle.journal, call, listing, rows)

    async def keys(self) -> None:
        listing = self._listing()
        call = self._begin("get_keys", str(listing))
        page = await self._do(call, getattr(self.shelf, listing.name).get_keys(**listing.arguments()))
        if page is not None:
            check_keys(self.oracle.history, self.oracle.journal, call, listing, page.keys)

    async def sweep(self) -> None:
        call = self._begin("sweep")
        if await self._do(call, self.shelf.sweep()) is not None:
            self.oracle.wrote_all(call, [])

    async def reindex(self) -> None:
        call = self._begin("reindex", *self.plan.pks)
        report = await self._do(call, self.shelf.reindex(force=True))
        if report is not None:
            self.oracle.reindexed(call, report)

    async def verify(self) -> None:
        call = self._begin("verify")
        found = await self._do(call, _verified(self.shelf))
        if found is not None:
            self.oracle.verified(call, found)

    def _begin(self, kind: str, *pks: str, thing: Thing | None = None, expect: str | None = None) -> Call:
        return self.oracle.begin(self.name, kind, *pks, thing=thing, expect=expect)

    async def _do(self, call: Call, operation: Awaitable[T]) -> T | None:
        """Return the result of an operation; ``None`` when it failed, which is judged here."""
        CALL.set(call)
        limit_s = self.plan.patience_s(self.dice)
        try:
            async with asyncio.timeout(limit_s):
                result = await operation
        except Exception as error:  # noqa: BLE001  all of them are judged
            self.oracle.end(call, error)
            if isinstance(error, CommitUnknownError) and call.kind != "was_committed":
                await self._settle(error)
            return None
        finally:
            CALL.set(None)
        self.oracle.end(call, result)
        return result

    async def _settle(self, unknown: CommitUnknownError) -> None:
        """Ask what became of a write, some time later."""
        await asyncio.sleep(self.plan.pause_s * self.dice.random())
        pk = str(unknown.key.parts[-1])
        call = self._begin("was_committed", pk, expect=unknown.rev)
        applied = await self._do(call, self.shelf.was_committed(pk, unknown.rev))
        if applied is not None:
            self.oracle.settled(call, unknown.rev, applied=applied)

    async def _find(self, pk: str) -> tuple[Thing | None]:
        return (await self.shelf.find_item(pk),)

    def _hold(self, call: Call, rev: Any) -> Revision:
        assert isinstance(rev, Revision)
        self._held[call.pks[0]] = rev
        return rev

    def _listing(self) -> Listing:
        name = self.dice.choice(LISTINGS)
        prefix = (self.plan.tag(self.dice),) if name == "by_tag" and self.dice.random() < 0.5 else ()
        ranked = name == "by_rank" or prefix
        start = (1,) if ranked and self.dice.random() < 0.2 else ()
        return Listing(name, prefix, start, (2,) if ranked and self.dice.random() < 0.2 else None)


async def _verified(shelf: Things) -> Verified:
    return await shelf.verify()
