"""What a page has to show: I5, every row was true during the call; I6, what was there all the time is on it once."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssshelf.keys import Part, encode
from tests.simulation.history import Call, History
from tests.simulation.shelf import Thing, places

if TYPE_CHECKING:
    from ssshelf.pages import Page
    from tests.simulation.journal import Journal

__all__ = ["Listing", "check_keys", "check_page", "check_stream"]

_DIGEST_BYTES = 8


@dataclass(frozen=True)
class Listing:
    """What a page is asked for; written without the shipped code for windows and cursors.

    Attributes:
        name: The attribute of the collection.
        prefix: Leading parts.
        start: The first key, of the parts that follow.
        stop: The first key that no longer belongs to it.
    """

    name: str
    prefix: tuple[Part, ...] = ()
    start: tuple[Part, ...] = ()
    stop: tuple[Part, ...] | None = None

    @property
    def base(self) -> str:
        """What the positions in it start with."""
        return encode((self.name.replace("_", "-"),)) + encode(self.prefix)

    def opened(self, cursor: str) -> str:
        """Return the position that a cursor continues behind."""
        return self.base + base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[_DIGEST_BYTES:].decode()

    def held(self, thing: Thing | None, after: str | None = None, end: str | None = None) -> list[str]:
        """Return the positions of a thing that are on the page between two cursors."""
        if thing is None:
            return []
        behind = self.opened(after) if after else self.base + encode(self.start)
        last = self.opened(end) if end else "~"
        high = "~" if self.stop is None else self.base + encode(self.stop)
        return [p for p in places(self.name, thing) if p.startswith(self.base) and behind < p <= last and p < high]

    def arguments(self) -> dict[str, tuple[Part, ...] | None]:
        """Return the arguments that ask for it."""
        return {"prefix": self.prefix or None, "start": self.start or None, "stop": self.stop}


def check_page(
    history: History, journal: Journal, call: Call, listing: Listing, asked: tuple[int, str | None], page: Page[Thing]
) -> None:
    """Check a page that was asked for with a limit and a cursor."""
    limit, after = asked
    rows = {row["pk"]: row for row in page.items}
    _check_rows(history, journal, call, page.items)
    if len(page.items) > limit:
        journal.broken("I6 complete pages", f"{call}: {len(page.items)} rows, {limit} were asked for")
    wanted = sorted((place, pk) for pk, row in rows.items() for place in listing.held(row, after, page.after))
    if [rows[pk] for _, pk in wanted] != list(page.items):
        journal.broken("I6 complete pages", f"{call}: {page.items} has rows twice, too few, or out of order")
    for pk in history.pks:
        states = _states(history, call, pk)
        if pk not in rows and all(listing.held(state, after, page.after) for state in states):
            journal.broken("I6 complete pages", f"{call} missed {pk}, which was there all the time: {states[0]}")


def check_stream(history: History, journal: Journal, call: Call, listing: Listing, rows: Sequence[Thing]) -> None:
    """Check what iterating showed: pages of different instants, so that who moves may be seen twice, or not at all."""
    _check_rows(history, journal, call, rows)
    last = ""
    for row in rows:
        ahead = sorted(place for place in listing.held(row) if place > last)
        if not ahead:
            journal.broken("I6 complete pages", f"{call}: {rows} has rows twice, or out of order")
            return
        last = ahead[0]
    _check_constant(history, journal, call, listing, [row["pk"] for row in rows])


def check_keys(history: History, journal: Journal, call: Call, listing: Listing, keys: Sequence[str]) -> None:
    """Check a listing that the items have not confirmed: nothing that stayed is missing."""
    _check_constant(history, journal, call, listing, keys)


def _check_rows(history: History, journal: Journal, call: Call, rows: Sequence[Thing]) -> None:
    for row in rows:
        if row not in _states(history, call, row["pk"]):
            journal.broken("I5 sound pages", f"{call} shows {row}, which was not true during the call")


def _check_constant(history: History, journal: Journal, call: Call, listing: Listing, pks: Sequence[str]) -> None:
    for pk in history.pks:
        constant = set.intersection(*(set(listing.held(state)) for state in _states(history, call, pk)))
        if constant and pk not in pks:
            journal.broken("I6 complete pages", f"{call} missed {pk}, which was there all the time at {constant}")


def _states(history: History, call: Call, pk: str) -> list[Thing | None]:
    assert call.ended is not None
    return [version.thing for version in history.during(pk, call.began, call.ended)]
