"""What the clients of a schedule do: how much of what, and to how few items, so that they meet."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.simulation.faults import LATE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.shelf import Thing

__all__ = ["Plan"]

_READS = {"get": 2, "get_revision": 1, "get_many": 1, "walk": 3, "stream": 1, "keys": 1}
_STYLES = {
    "mixed": {
        "insert": 3,
        "add": 4,
        "replace": 3,
        "update": 4,
        "remove": 4,
        "sweep": 1,
        "verify": 1,
        "reindex": 1,
        **_READS,
    },
    "duel": {"insert": 1, "add": 1, "replace": 2, "update": 6, "remove": 1, "get": 1},
    "churn": {"insert": 6, "add": 2, "remove": 6, "walk": 2, "get": 1},
    "moves": {"add": 4, "update": 6, "remove": 1, "walk": 6, "stream": 2},
    "race": {"insert": 2, "add": 4, "remove": 1, "update": 1, "get": 1},
    "upkeep": {"sweep": 3, "verify": 1, "reindex": 1, "insert": 4, "add": 2, "remove": 4, "update": 2, "walk": 1},
    "late": {"sweep": 3, "insert": 2, "add": 4, "remove": 1, "update": 4},
    "bulk": {"add_many": 4, "remove_many": 2, "update": 2, "walk": 2, "get_many": 1},
}
_TAGS = ("x", "y")
_SLOTS = ("s", "t")


class Plan:
    """Draws, of ``dice``, what is true of a whole schedule; and of each client's dice what that does next.

    Attributes:
        pks: The primary keys of all items.
        phases: How often all clients end and others begin.
        pause_s: The longest pause between two operations of a client.
    """

    def __init__(self, dice: random.Random) -> None:
        self.style = dice.choice(list(_STYLES))
        most = 1 if self.style == "duel" else dice.choice((1, 2, 2, 3))
        self.pks = ("a", "b", "c")[:most]
        self._slots = dice.choice(((), _SLOTS, _SLOTS))
        if self.style == "race":
            self.pks, self._slots = tuple("abcdefgh"), ("s", "s")
        self.phases = dice.choice((1, 1, 2, 3))
        if self.style in ("late", "upkeep"):
            self.phases = dice.choice((2, 3))
        self.pause_s = dice.choice((0.0, 0.3, 3.0))
        self._operations = dice.choice((1, 2, 2, 3))
        self._kinds = list(_STYLES[self.style])
        self._weights = list(_STYLES[self.style].values())
        self._impatient = dice.choice((0.0, 0.0, 0.1))

    def rest_s(self, dice: random.Random) -> float:
        """Draw what passes between two phases: nothing, or about as long as garbage has to stay, or longer."""
        if self.style == "late":
            return dice.uniform(LATE_S / 5, 1.5 * LATE_S)
        if self.style == "upkeep" or dice.random() < 0.4:
            return dice.choice((dice.uniform(0, LATE_S), dice.uniform(LATE_S, 1.5 * LATE_S), 3 * LATE_S))
        return 0.0

    def clients(self, dice: random.Random) -> int:
        """Draw how many clients a phase has."""
        if self.style == "race":
            return 8
        if self.style == "upkeep":
            return dice.randrange(3, 7)
        return dice.randrange(2, 7) // self.phases + 1

    def kinds(self, dice: random.Random) -> Iterator[str]:
        """Draw what a client does."""
        return iter(dice.choices(self._kinds, self._weights, k=dice.randrange(1, self._operations + 2)))

    def pk(self, dice: random.Random) -> str:
        """Draw a primary key."""
        return dice.choice(self.pks)

    def tag(self, dice: random.Random) -> str:
        """Draw a tag."""
        return dice.choice(_TAGS)

    def thing(self, dice: random.Random, before: Thing | None = None) -> Thing:
        """Draw a thing, or what becomes of one; no two are equal."""
        tags = [tag for tag in _TAGS if dice.random() < 0.4]
        slots = dice.sample(self._slots, dice.choice((0, 1, 1, 1, 2))) if self._slots else []
        pk = before["pk"] if before else self.pk(dice)
        return {"pk": pk, "rank": dice.randrange(3), "tags": tags, "slots": slots, "nonce": dice.getrandbits(48)}

    def patience_s(self, dice: random.Random) -> float | None:
        """Draw how long a client waits for an operation."""
        return dice.choice((0.1, 1.0, 10.0)) * dice.random() if dice.random() < self._impatient else None
