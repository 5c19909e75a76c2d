"""``python -m tests.simulation``: run schedules, or replay one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.simulation.campaign import Campaign, run_all
from tests.simulation.journal import Violation
from tests.simulation.report import summary
from tests.simulation.schedule import run_seed

_SHOWN = 10


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many schedules to run")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one")
    parser.add_argument("--json", type=Path, help="where to write what was counted")
    parser.add_argument("--seed", type=int, help="replay this one only")
    parser.add_argument("--trace", action="store_true", help="print what happens in it")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return _replay(arguments.seed, trace=arguments.trace)
    return _run(arguments)


def _replay(seed: int, *, trace: bool) -> int:
    try:
        run_seed(seed, print if trace else None)
    except Violation as violation:
        print(f"seed {seed}: {violation}")
        return 1
    print(f"seed {seed}: every promise was kept")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    told: list[tuple[int, str]] = []

    def progress(campaign: Campaign) -> None:
        new = campaign.violations[len(told) : _SHOWN]  # at once: who ends a long run early has the seeds
        told.extend(new)
        for seed, message in new:
            print(f"\nseed {seed}: {message}", flush=True)
        done = campaign.counts.schedules + len(campaign.violations)
        rate = done / campaign.seconds
        line = f"\r{done} of {arguments.seeds} schedules, {rate:.0f} a second, {len(campaign.violations)} violations"
        print(line, end="", file=sys.stderr, flush=True)

    campaign = run_all(arguments.first, arguments.seeds, progress)
    print(file=sys.stderr)
    counted = campaign.as_json()
    print(summary(counted))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(counted, indent=1) + "\n", encoding="utf-8")
    return 1 if campaign.violations else 0


if __name__ == "__main__":
    sys.exit(main())
