"""The shipped code keeps its promises under every schedule tried; and the simulation does what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.simulation.campaign import run_block
from tests.simulation.faults import Fate
from tests.simulation.schedule import run_seed

BLOCKS, BLOCK = 40, 500
ROOT = __file__.rpartition("/tests/")[0]


@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_promise_is_broken(block: int) -> None:
    campaign = run_block(range(block * BLOCK, (block + 1) * BLOCK))

    assert campaign.violations == []
    counts = campaign.counts
    assert counts.schedules == BLOCK
    assert all(counts.faults[fate.value] > BLOCK // 20 for fate in Fate if fate is not Fate.ANSWERED), counts.faults
    assert all(counts.requests[kind] > BLOCK for kind in ("get", "put", "scan", "delete", "delete_many", "commit"))
    assert min(counts.crashes, counts.sleeps, counts.fences) > BLOCK // 50
    outcomes = {name.rpartition(": ")[2]: count for name, count in counts.operations.items()}
    assert outcomes.keys() >= {
        "AlreadyExistsError",
        "CommitUnknownError",
        "ConflictError",
        "NotFoundError",
        "TimeoutError",
        "UnavailableError",
        "UniqueViolationError",
        "ok",
    }


def traced(seed: int) -> str:
    lines: list[str] = []
    run_seed(seed, lines.append)
    return "\n".join(lines)


def test_a_seed_is_a_schedule() -> None:
    seeds = range(150)
    traces = {seed: traced(seed) for seed in seeds}

    assert {seed: traced(seed) for seed in reversed(seeds)} == traces


def test_a_seed_is_a_schedule_in_every_process() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", "7", "--trace"]

    traces = {
        subprocess.run(command, env={"PYTHONHASHSEED": hashes}, cwd=ROOT, check=True, capture_output=True).stdout
        for hashes in ("0", "1", "2")
    }

    assert len(traces) == 1
