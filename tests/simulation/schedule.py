"""One schedule: all that one seed decides."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

from ssshelf import envelope, listings
from ssshelf.maintenance import survey
from tests.simulation.bucket import BatchConnection, Bucket, Connection
from tests.simulation.client import Client
from tests.simulation.faults import LATE_S, SHORT_LINEAGE, Weather
from tests.simulation.history import History
from tests.simulation.journal import Counts, Journal
from tests.simulation.listings import Listing, check_page
from tests.simulation.loop import PROCESS, Process, simulate
from tests.simulation.oracle import Oracle
from tests.simulation.plan import Plan
from tests.simulation.shelf import LISTINGS, Things, retry_policy

__all__ = ["Schedule", "run_seed", "style_of"]

_SETTLED_S = 6 * LATE_S  # also for who sleeps, and what that sends then


class Schedule:
    """Clients, their processes and their bucket.

    Args:
        seed: Decides everything.
        tell: Gets the lines of the trace.
    """

    def __init__(self, seed: int, tell: Callable[[str], object] | None = None) -> None:
        self._dice = random.Random(seed)
        self._exclusive_delete = seed % 3 > 0
        self.plan = Plan(self._dice)
        self.weather = Weather(random.Random(seed ^ 0x5EED << 32), late=self.plan.style == "late")
        self.order = random.Random(seed ^ 0x10AD << 32)
        self.journal = Journal(lambda: 0.0, tell)
        self.history = History(self.journal)
        self.oracle = Oracle(self.history, self.journal, calm=not self.weather.rate)
        self._processes = 0
        self._clients: list[tuple[Process, asyncio.Task[None]]] = []

    async def run(self) -> None:
        """Run all phases; then let everything land, and check what is left."""
        loop = asyncio.get_running_loop()
        self.journal.clock = loop.time
        transactions = self._dice.random() < 0.15
        bucket = Bucket(
            self.weather,
            self.history,
            self.journal,
            transactions=transactions,
            conditional_delete=transactions or self._dice.random() < 0.8,
            exclusive_delete=transactions or self._exclusive_delete,
        )
        self.journal.note("bucket", f"{bucket.memory.capabilities} faults {self.weather.rate} style {self.plan.style}")
        await self._stock(bucket)
        for _ in range(self.plan.phases):
            await self._phase(bucket)
            await asyncio.sleep(self.plan.rest_s(self._dice))
        await asyncio.sleep(_SETTLED_S)
        self.oracle.close()
        self.weather.rate = 0.0
        _, shelf, _ = self._process(Connection, bucket)
        await self._check_listings(shelf)
        await self._check_sweep(shelf, conditional_delete=bucket.capabilities.conditional_delete)

    async def _stock(self, bucket: Bucket) -> None:
        """Begin with some items."""
        rate, self.weather.rate = self.weather.rate, 0.0
        _, shelf, _ = self._process(Connection, bucket)
        keeper = Client("keeper", shelf, self.oracle, self._dice, self.plan)
        for _ in range(self._dice.choice((0, 1, 3))):
            await keeper.add()
        self.weather.rate = rate

    async def _phase(self, bucket: Bucket) -> None:
        """Run the clients of a phase until each is done, or its process is dead or asleep."""
        dice, clock = self._dice, asyncio.get_running_loop().time
        kind = dice.choice((Connection, BatchConnection))
        processes = [self._process(kind, bucket) for _ in range(dice.randrange(1, 4))]
        for number in range(self.plan.clients(dice)):
            process, shelf, context = dice.choice(processes)
            client = Client(
                f"{process.name}.{number}", shelf, self.oracle, random.Random(dice.getrandbits(64)), self.plan
            )
            self._clients.append((process, asyncio.create_task(client.run(), context=context.copy())))
        while any(not task.done() and process.runs(clock()) for process, task in self._clients):  # noqa: ASYNC110
            await asyncio.sleep(1)
        for _, task in self._clients:
            if task.done():
                task.result()

    def _process(self, kind: type[Connection], bucket: Bucket) -> tuple[Process, Things, contextvars.Context]:
        self._processes += 1
        process = Process(f"P{self._processes}")
        context = contextvars.Context()
        context.run(PROCESS.set, process)
        clock = asyncio.get_running_loop().time
        retries, for_storage = (retry_policy(random.Random(self._dice.getrandbits(64)), clock) for _ in range(2))
        connection = kind(bucket, process, for_storage, self.weather.accident())
        return process, Things(connection, concurrency=self._dice.choice((1, 2, 64)), retries=retries), context

    async def _check_listings(self, shelf: Things) -> None:
        """Check that every collection agrees with the items."""
        for name in LISTINGS:
            call = self.oracle.begin("end", f"{name}.get_items")
            page = await getattr(shelf, name).get_items(1000)
            self.oracle.end(call, page)
            check_page(self.history, self.journal, call, Listing(name), (1000, None), page)

    async def _check_sweep(self, shelf: Things, *, conditional_delete: bool) -> None:
        """Check that a sweep leaves nothing that belongs to no item, and that a verification finds nothing then."""
        await shelf.sweep()  # which may go on where an earlier one stopped
        swept = await shelf.sweep()
        if garbage := self.history.garbage(conditional_delete=conditional_delete):
            self.journal.broken("I8 crash", f"{swept} left {sorted(garbage)}")
        found = await shelf.verify()
        if not (found.is_clean if conditional_delete else found.is_sound):
            self.journal.broken("verify", f"found {[str(finding) for finding in found.findings]} after a sweep")


@contextmanager
def _small(dice: random.Random) -> Iterator[None]:
    """Make limits so small that few items and few commits reach them."""
    with (
        mock.patch.object(listings, "PAGE_LIMIT", 2),
        mock.patch.object(envelope, "LINEAGE", dice.choice((SHORT_LINEAGE, 16))),
        mock.patch.object(survey, "_GROUPS", dice.choice((1, 64))),
    ):
        yield


def run_seed(seed: int, tell: Callable[[str], object] | None = None) -> Counts:
    """Run the schedule of a seed.

    Raises:
        Violation: A promise was broken.
    """
    schedule = Schedule(seed, tell)
    with _small(schedule.order):
        simulate(schedule.run(), schedule.order)
    schedule.journal.counts.schedules = 1
    if schedule.journal.violation is not None:
        schedule.journal.violation.add_note(
            f"seed {seed}; to replay and read it: python -m tests.simulation --seed {seed} --trace"
        )
        raise schedule.journal.violation
    return schedule.journal.counts


def style_of(seed: int) -> str:
    """Return the style of the schedule of a seed."""
    return Plan(random.Random(seed)).style
