"""What the shortener does, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from ssshelf import AlreadyExistsError, CommitUnknownError, Page, RetryPolicy
from ssshelf.storages.base import Storage

from .cache import LinkCache
from .clicks import ClickCounter
from .models import ClickCounts, Link, Links
from .slugs import is_slug, new_slug

DRAWS = 5
"""How many slugs are drawn for a link until one is free."""
WRITE_S = 10.0
"""How long a write is tried; the library's default of a minute is more than a browser should wait."""
PAGE = 20


def utc_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  the one clock of the program


class Shortener:
    """Links, their clicks, and the cache in front of them.

    Args:
        storage: Where all of it is; closed at the end of ``running``.
        clock: Tells the time.
        draw: Makes slugs for links that come without one.
        retries: How long writes are tried.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Callable[[], datetime] = utc_now,
        draw: Callable[[], str] = new_slug,
        retries: RetryPolicy | None = None,
    ) -> None:
        retries = retries or RetryPolicy(deadline_s=WRITE_S)
        self.clock = clock
        self.links = Links(storage, retries=retries)
        self.clicks = ClickCounter(ClickCounts(storage, retries=retries), clock)
        self.cache = LinkCache(self.links)
        self._storage = storage
        self._draw = draw

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Save clicks in the background while inside; at the end save the last ones, and close the storage."""
        async with self._storage:
            saving = asyncio.create_task(self.clicks.run())
            try:
                yield
            finally:
                saving.cancel()
                await asyncio.wait([saving])
                await self.cache.aclose()
                await self.clicks.drain()

    async def shorten(self, url: str, slug: str | None = None, expires: datetime | None = None) -> Link:
        """Make a link, under ``slug`` or one that is drawn.

        Raises:
            AlreadyExistsError: The slug is taken. Of those who want one at the same time, one gets it.
            CommitUnknownError: The storage did not say whether the link was made.
            ShelfError: It was not made.
        """
        if slug is not None:
            return await self._insert(Link(slug, url, self.clock(), expires))
        for _ in range(DRAWS - 1):
            try:
                return await self._insert(Link(self._draw(), url, self.clock(), expires))
            except AlreadyExistsError:
                continue
        return await self._insert(Link(self._draw(), url, self.clock(), expires))

    async def find(self, slug: str) -> Link | None:
        """Return the link, unless there is none or it has expired.

        Raises:
            ShelfError: The storage does not answer.
        """
        link = await self.cache.get(slug) if is_slug(slug) else None
        return link if link is not None and link.is_live(self.clock()) else None

    async def look_up(self, slug: str) -> Link | None:
        """Return the link as it is stored now, also if it has expired.

        Raises:
            ShelfError: The storage does not answer.
        """
        return await self.links.find_item(slug) if is_slug(slug) else None

    async def newest(self, host: str | None = None, after: str | None = None) -> Page[Link]:
        """Return a page of links, of all or of one host, the newest first.

        Raises:
            InvalidCursorError: ``after`` is not of such a page.
            ShelfError: The storage does not answer.
        """
        if host is None:
            return await self.links.newest.get_items(PAGE, after, skip_corrupt=True)
        return await self.links.by_host.get_items(PAGE, after, prefix=host, skip_corrupt=True)

    async def _insert(self, link: Link) -> Link:
        try:
            rev: str = await self.links.insert_item(link)
        except CommitUnknownError as error:
            if not await self.links.was_committed(link.slug, error.rev):
                raise
            rev = error.rev
        self.cache.put(link, rev)
        return link
