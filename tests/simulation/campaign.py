"""Many schedules: on all cores, with what they did counted and their broken promises kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.journal import Counts, Violation
from tests.simulation.schedule import run_seed

__all__ = ["Campaign", "run_all", "run_block"]

_BLOCK = 200


@dataclass
class Campaign:
    """What schedules did.

    Attributes:
        counts: Of all of them.
        violations: Seed and message of each broken promise.
        seconds: How long they took.
    """

    counts: Counts = field(default_factory=Counts)
    violations: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Campaign) -> None:
        """Add what others did."""
        self.counts.add(other.counts)
        self.violations.extend(other.violations)

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {**self.counts.as_json(), "violations": sorted(self.violations), "seconds": round(self.seconds, 1)}


def run_block(seeds: range) -> Campaign:
    """Run schedules one after the other."""
    campaign = Campaign()
    for seed in seeds:
        try:
            campaign.counts.add(run_seed(seed))
        except Violation as violation:
            campaign.violations.append((seed, "; ".join([str(violation), *violation.__notes__])))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    return campaign


def run_all(first: int, count: int, progress: Callable[[Campaign], object]) -> Campaign:
    """Run schedules on all cores; ``progress`` gets what was done so far after each block."""
    campaign, started = Campaign(), time.perf_counter()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(run_block, block) for block in _blocks(first, count)]
        for done in as_completed(running):
            campaign.add(done.result())
            campaign.seconds = time.perf_counter() - started
            progress(campaign)
    return campaign


def _blocks(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, _BLOCK):
        yield range(start, min(start + _BLOCK, first + count))
