"""A read cache, so that a redirect seldom waits for the storage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache, TTLCache

from ssshelf import NotFoundError, ShelfError

from .models import Link, Links

MOST_LINKS = 10_000
MOST_UNKNOWN = 10_000
FRESH_S = 10.0
"""For how long a link is taken for what it was; so long may one that was removed still lead somewhere."""
UNKNOWN_S = 1.0
"""For how long a slug is taken for free; so long may a link that another process has just made be unknown here."""
STALE_S = 3600.0
"""For how long a link that was confirmed is good when the storage does not answer."""
PATIENCE_S = 1.0
"""How long the storage may take to confirm a link before the one that is known is used."""


@dataclass(slots=True)
class _Known:
    link: Link
    rev: str
    confirmed: float
    ask_at: float


class LinkCache:
    """Links by slug, each asked for again after a short time: if its revision is the same, nothing has changed.

    However many wait for one slug, the storage is asked once.
    """

    def __init__(self, links: Links, clock: Callable[[], float] = time.monotonic) -> None:
        self._links = links
        self._clock = clock
        self._known: LRUCache[str, _Known] = LRUCache(MOST_LINKS)
        self._unknown: TTLCache[str, None] = TTLCache(MOST_UNKNOWN, UNKNOWN_S, timer=clock)
        self._asking: dict[str, asyncio.Task[Link | None]] = {}

    async def get(self, slug: str) -> Link | None:
        """Return the link, if there is one.

        Raises:
            ShelfError: The storage does not say, and has not said within the last hour.
        """
        known = self._known.get(slug)
        if known is not None and self._clock() < known.ask_at:
            return known.link
        if known is None and slug in self._unknown:
            return None
        task = self._asking.get(slug)
        if task is None:
            task = self._asking[slug] = asyncio.create_task(self._ask(slug, known))
            task.add_done_callback(lambda done: self._asked(slug, done))
        return await asyncio.shield(task)  # whoever gives up leaves it to the others

    def put(self, link: Link, rev: str) -> None:
        """Remember a link that was just written."""
        now = self._clock()
        self._known[link.slug] = _Known(link, rev, now, now + FRESH_S)
        self._unknown.pop(link.slug, None)

    async def aclose(self) -> None:
        """Ask no more."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _ask(self, slug: str, known: _Known | None) -> Link | None:
        try:
            async with asyncio.timeout(PATIENCE_S if known else None):
                link, rev = await self._links.get_revision(slug)
        except NotFoundError:
            if self._known.get(slug) is known:  # nobody has made it meanwhile
                self._known.pop(slug, None)
                self._unknown[slug] = None
            return None
        except (ShelfError, TimeoutError):
            if known is None or self._clock() >= known.confirmed + STALE_S:
                raise
            known.ask_at = self._clock() + FRESH_S
            return known.link
        if known is not None and known.rev == rev:
            link = known.link
        self.put(link, rev)
        return link

    def _asked(self, slug: str, task: asyncio.Task[Link | None]) -> None:
        del self._asking[slug]
        if not task.cancelled():
            task.exception()  # those who wait for it raise it; perhaps nobody does any more
