"""What is stored: links, and how often each of them was clicked on each day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ssshelf import CManager, Collection, Desc, ModelItems

from .targets import host_of


@dataclass(frozen=True, slots=True)
class Link:
    """A short name for a URL."""

    slug: str
    url: str
    created: datetime
    expires: datetime | None = None

    @property
    def host(self) -> str:
        return host_of(self.url)

    def is_live(self, now: datetime) -> bool:
        return self.expires is None or now < self.expires


class Links(CManager[Link]):
    item_manager = ModelItems(Link, pk="slug")
    newest = Collection[Link](lambda link: Desc(link.created))
    by_host = Collection[Link](lambda link: (link.host, Desc(link.created)))


@dataclass(slots=True)
class Clicks:
    """How often one process has seen a link being clicked on one day.

    Only that process writes the item, each time with the whole count, so that writing it again never counts twice.
    """

    id: str
    link: str
    day: date
    count: int = 0


class ClickCounts(CManager[Clicks]):
    item_manager = ModelItems(Clicks, pk="id")
    by_link = Collection[Clicks](lambda clicks: (clicks.link, clicks.day))
