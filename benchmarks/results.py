"""The file that results are kept in, and what can be said of them: medians, quartiles, ratios of pairs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.scenario import Scenario

Results = dict[str, Any]


class Spread(NamedTuple):
    """The middle of what was measured, and between what a half of it lies."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, median, high)


def load(path: Path) -> Results:
    """Return what was kept, nothing at first."""
    if not path.exists():
        return {}
    found: Results = json.loads(path.read_text(encoding="utf-8"))
    return found


def keep(path: Path, results: Results) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{json.dumps(name)}: {json.dumps(one)}" for name, one in results.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def result(scenario: Scenario, size: str, measured: dict[str, Any], error: str = "") -> Results:
    """Return what is kept of a scenario: its words and targets, too, so that a page can be written from it."""
    told = {name: value for name, value in asdict(scenario).items() if name in {"title", "unit", "text", "targets"}}
    return {**told, "size": size, "measured_with": surroundings(), "places": measured, "error": error}


def spread(contestant: Any, figure: str) -> Spread:
    return Spread.of([one[figure] for one in contestant["rounds"]])


def compared(place: Any, target: Any) -> Spread:
    """Return what ``target`` speaks of, by pairs of one round."""
    ours = [one[target["figure"]] for one in place[target["ours"]]["rounds"]]
    if target["sense"] == "at most":
        return Spread.of(ours)
    theirs = [one[target["figure"]] for one in place[target["theirs"]]["rounds"]]
    pairs = zip(ours, theirs, strict=True)
    if target["sense"] == "more":
        return Spread.of([our - their for our, their in pairs])
    if target["sense"] == "within":
        return Spread.of([our / their for our, their in pairs])
    return Spread.of([their / our for our, their in pairs])


def is_met(target: Any, found: Spread) -> bool:
    limit: float = target["limit"]
    return found.median >= limit if target["sense"] == "faster" else found.median <= limit


def surroundings() -> dict[str, Any]:
    """Return what figures depend on."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "ssshelf": importlib.metadata.version("ssshelf"),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "implementation": sys.implementation.name,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
