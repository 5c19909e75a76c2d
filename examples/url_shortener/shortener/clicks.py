"""Counting clicks, without a redirect ever waiting for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from ssshelf import ShelfError

from .models import ClickCounts, Clicks
from .slugs import new_slug

SAVE_EVERY_S = 10.0
"""How often clicks are saved; a crash loses those since the last time."""
MOST_COUNTED = 20_000
"""How many links are counted at a time; when all of them wait to be saved, clicks on further ones are dropped."""
DRAIN_S = 10.0
"""How long saving may take when the program ends."""

_log = logging.getLogger("uvicorn.error")


class ClickCounter:
    """Counts in memory, and saves what has changed every few seconds, in bulk.

    What waits to be saved are sums, so their number is that of the links, however many the clicks. Each sum is an
    item, which this process alone writes, with its whole count. So an item whose last write failed, or of which
    nobody knows whether it did, is simply written again.
    """

    def __init__(self, counts: ClickCounts, clock: Callable[[], datetime]) -> None:
        self.dropped = 0
        self._counts = counts
        self._clock = clock
        self._counted: dict[tuple[str, date], Clicks] = {}
        self._waiting: dict[str, Clicks] = {}

    @property
    def waiting(self) -> int:
        """How many links have clicks that are not saved yet."""
        return len(self._waiting)

    def click(self, slug: str) -> None:
        """Count a click; takes a microsecond, whatever the storage does."""
        key = slug, self._clock().date()
        clicks = self._counted.get(key)
        if clicks is None:
            if len(self._counted) >= MOST_COUNTED:
                self.dropped += 1
                return
            clicks = self._counted[key] = Clicks(new_slug(), *key)
        clicks.count += 1
        self._waiting[clicks.id] = clicks

    async def save(self) -> None:
        """Save what has changed.

        Raises:
            ShelfError: Not all could be saved; the rest goes on waiting.
        """
        saving, self._waiting = self._waiting, {}
        try:
            await self._counts.add_items(saving.values())
        except BaseException:
            self._waiting = saving | self._waiting
            raise
        if len(self._counted) > MOST_COUNTED // 2:  # clicks on what is forgotten here begin another item
            self._counted = {key: clicks for key, clicks in self._counted.items() if clicks.id in self._waiting}

    async def run(self) -> None:
        """Save every few seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            try:
                await self.save()
            except Exception as error:  # noqa: BLE001  whatever it is, the next time may do better
                _log.warning("The clicks of %d links could not be saved yet: %r", self.waiting, error)

    async def drain(self) -> None:
        """Save what waits, before the program ends."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self.save()
        except (ShelfError, TimeoutError) as error:
            _log.error("The last clicks of %d links are lost: %r", self.waiting, error)

    async def by_day(self, slug: str, days: int) -> list[tuple[date, int]]:
        """Return how often a link was clicked on each of the last ``days`` days, the oldest first."""
        today = self._clock().date()
        counts = {today - timedelta(ago): 0 for ago in reversed(range(days))}
        first, behind = min(counts), today + timedelta(1)
        async for clicks in self._counts.by_link.prefix(slug, start=first, stop=behind, skip_corrupt=True):
            counts[clicks.day] += clicks.count
        return list(counts.items())
