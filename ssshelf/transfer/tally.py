"""What became of the items that were moved."""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field

from ssshelf.keys import Key

__all__ = ["Fate", "Tally"]

_MOST_KEPT = 100


class Fate(enum.Enum):
    """What became of one item, live or removed; the last three are problems."""

    COPIED = "copied"
    """It was written."""
    SAME = "same"
    """It was there already."""
    KEPT = "kept"
    """The destination has a later revision of it, which stayed."""
    CONFLICT = "conflict"
    """The destination has something else, or another item holds one of its unique values there; that stayed."""
    UNREADABLE = "unreadable"
    """It cannot be read, here or there."""
    REFUSED = "refused"
    """Its name or its size is more than the destination takes."""

    @property
    def is_problem(self) -> bool:
        """Whether the destination lacks something that the source has."""
        return self in (Fate.CONFLICT, Fate.UNREADABLE, Fate.REFUSED)


@dataclass(slots=True)
class Tally:
    """How many items met which fate.

    Attributes:
        counts: How many, by fate; those of an interrupted run that was resumed are among them.
        problems: The first 100 items that were not moved, each with the reason; of the last run only.
    """

    counts: Counter[Fate] = field(default_factory=Counter)
    problems: list[tuple[Key, Exception]] = field(default_factory=list)

    def note(self, key: Key, fate: Fate, reason: Exception | None = None) -> None:
        """Count an item."""
        self.counts[fate] += 1
        if reason is not None and len(self.problems) < _MOST_KEPT:
            self.problems.append((key, reason))

    def include(self, other: Tally) -> None:
        """Add what another one has counted."""
        self.counts += other.counts
        self.problems.extend(other.problems[: _MOST_KEPT - len(self.problems)])

    def __getitem__(self, fate: Fate) -> int:
        return self.counts[fate]

    @property
    def seen(self) -> int:
        """How many items there were."""
        return self.counts.total()

    @property
    def is_complete(self) -> bool:
        """Whether the destination has all that the source has, or later revisions of it."""
        return not any(fate.is_problem for fate, count in self.counts.items() if count)

    def state(self) -> list[int]:
        """Return the counts as a checkpoint keeps them."""
        return [self.counts[fate] for fate in Fate]

    @classmethod
    def of(cls, state: list[int]) -> Tally:
        """Return the counts that ``state`` made."""
        return cls(Counter(dict(zip(Fate, state, strict=True))))
