"""What a campaign counted, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["rows", "summary"]

_SHOWN = 10


def summary(counted: Mapping[str, Any]) -> str:
    """Return what was counted, a line for each kind."""
    return "\n".join(f"{what:<30} {much}" for what, much in rows(counted))


def rows(counted: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was counted, and how much of it."""
    yield "schedules", f"{counted['schedules'] + len(counted['violations']):,} in {counted['seconds']:,.0f} s"
    yield "requests", _kinds(counted["requests"])
    yield "faults injected", _kinds(counted["faults"])
    yield "processes crashed", f"{counted['crashes']:,}"
    yield "processes asleep", f"{counted['sleeps']:,}"
    yield "owners fenced", f"{counted['fences']:,}"
    yield "operations", _kinds(_by_outcome(counted["operations"]))
    yield "violations", f"{len(counted['violations']):,}{_seeds([seed for seed, _ in counted['violations']])}"
    yield "double owners of unique values", f"{sum(text.startswith('I7') for _, text in counted['violations']):,}"


def _seeds(seeds: Sequence[int]) -> str:
    more = " and more" if len(seeds) > _SHOWN else ""
    return f", with seed {', '.join(map(str, seeds[:_SHOWN]))}{more}" if seeds else ""


def _by_outcome(operations: Mapping[str, int]) -> dict[str, int]:
    outcomes: dict[str, int] = {}
    for name, count in operations.items():
        outcome = name.rpartition(": ")[2]
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    return outcomes


def _kinds(counts: Mapping[str, int]) -> str:
    each = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=lambda pair: -pair[1]))
    return f"{sum(counts.values()):,}: {each}"
