"""What a benchmark is made of: who does what, where, how often, and what ssshelf is to reach."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Size = Literal["quick", "usual", "full"]
OURS = "ssshelf"


@dataclass(frozen=True)
class Contestant:
    """Who takes part.

    Attributes:
        name: For people.
        environment: Where it is installed: see ``environments``.
        script: In ``peers``, with its arguments.
        task: What it does there.
        settings: Further arguments of the task.
        prefix: Whose data in the bucket it uses; its own without.
    """

    name: str
    environment: str
    script: str
    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""


@dataclass(frozen=True)
class Target:
    """What is to be reached at ``place``, by the medians of pairs.

    Attributes:
        ours: Who is to reach it.
        theirs: Whom it is compared with; nobody when ``sense`` is "at most".
        sense: "faster": theirs / ours is at least ``limit``. "within": ours / theirs is at most ``limit``. "more":
            ours is at most ``limit`` seconds more. "at most": ours is at most ``limit``.
        figure: "wall" and "cpu" are seconds for an operation; a task may have figures of its own.
    """

    place: str
    ours: str
    theirs: str
    sense: Literal["faster", "within", "more", "at most"]
    limit: float
    figure: str = "wall"


@dataclass(frozen=True)
class Scenario:
    """One comparison.

    Attributes:
        unit: What an operation is.
        text: What a reader has to know about it.
        rounds: How often each contestant works at each place.
    """

    name: str
    title: str
    unit: str
    text: str
    places: tuple[str, ...]
    contestants: tuple[Contestant, ...]
    rounds: int
    targets: tuple[Target, ...] = ()


def rounds(size: Size, usual: int) -> int:
    return 2 if size == "quick" else usual
