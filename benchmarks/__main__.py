"""Measures all scenarios, or those that are named, and keeps what it found; the others stay as they were.

python -m benchmarks [--quick | --full] [--json FILE] [NAME …]

``python -m benchmarks.page`` writes docs/performance.rst from it.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.environments import ROOT
from benchmarks.page import tables
from benchmarks.places import Places
from benchmarks.results import Results, keep, load, result
from benchmarks.running import run
from benchmarks.scenario import Scenario, Size
from benchmarks.scenarios import scenarios

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT = ROOT / "docs" / "performance.json"
QUICK = ROOT / "build" / "performance-quick.json"


def measure(wanted: Sequence[Scenario], size: Size, path: Path) -> list[str]:
    """Measure one scenario after the other; return the names of those that failed, which does not stop the others."""
    failed = []
    with contextlib.ExitStack() as stack:
        places = Places(stack)
        for scenario in wanted:
            started = time.monotonic()
            print(f"\n{scenario.name}: {scenario.title}", flush=True)
            found = _measured(scenario, size, places)
            keep(path, {**load(path), scenario.name: found})
            print("\n".join([*tables(found), found["error"]]))
            print(f"{time.monotonic() - started:.0f} s", flush=True)
            if found["error"]:
                failed.append(scenario.name)
    return failed


def _measured(scenario: Scenario, size: Size, places: Places) -> Results:
    measured, errors = {}, []
    for place in scenario.places:
        try:
            measured[place] = run(scenario, place, places)
        except Exception as error:  # noqa: BLE001  whatever went wrong at one, the others go on
            errors.append(f"{place}: {type(error).__name__}: {error}")
    return result(scenario, size, measured, "\n".join(errors))


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure; all without")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_const", const="quick", dest="size", help="two rounds of little: a try")
    how.add_argument("--full", action="store_const", const="full", dest="size", help="up to 1,000,000 items: an hour")
    parser.add_argument("--json", type=Path, help=f"where results are kept: {KEPT.relative_to(ROOT)}")
    told = parser.parse_args(arguments)
    size: Size = told.size or "usual"
    known = {scenario.name: scenario for scenario in scenarios(size)}
    if unknown := set(told.names) - set(known):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    path = told.json or (QUICK if size == "quick" else KEPT)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and the servers with it
    failed = measure([known[name] for name in told.names or known], size, path)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
