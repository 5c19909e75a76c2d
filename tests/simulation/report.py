"""What a campaign counted, for people: a summary, and rows for the table in the docs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["rows", "summary", "table"]


def summary(counted: Mapping[str, Any]) -> str:
    """Return what was counted, a line for each kind."""
    return "\n".join(f"{what:<22} {much}" for what, much in rows(counted))


def table(campaigns: Sequence[Mapping[str, Any]], more: Sequence[tuple[str, str]] = ()) -> str:
    """Return an RST table of what campaigns counted, and of ``more`` rows that others have measured."""
    lines = [".. list-table::", "   :widths: 25 75", ""]
    for what, much in [*(row for counted in campaigns for row in rows(counted)), *more]:
        lines += [f"   * - {what}", f"     - {much}"]
    return "\n".join(lines)


def rows(counted: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was counted, and how much of it."""
    yield "schedules", f"{counted['schedules'] + len(counted['violations']):,} in {counted['seconds']:,.0f} s"
    yield "requests", _kinds(counted["requests"])
    yield "faults injected", _kinds(counted["faults"])
    yield "processes crashed", f"{counted['crashes']:,}"
    yield "processes asleep", f"{counted['sleeps']:,}"
    yield "owners fenced", f"{counted['fences']:,}"
    yield "operations", _kinds(_by_outcome(counted["operations"]))
    yield "violations", f"{len(counted['violations']):,}"
    if variants := counted.get("variants"):
        caught = [f"{name} ({schedules:,})" for name, schedules in variants.items() if schedules]
        what = "; ".join(caught)
        yield "weakened versions caught", f"{len(caught)} of {len(variants)}, after so many schedules: {what}"


def _by_outcome(operations: Mapping[str, int]) -> dict[str, int]:
    outcomes: dict[str, int] = {}
    for name, count in operations.items():
        outcome = name.rpartition(": ")[2]
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    return outcomes


def _kinds(counts: Mapping[str, int]) -> str:
    each = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items(), key=lambda pair: -pair[1]))
    return f"{sum(counts.values()):,}: {each}"
