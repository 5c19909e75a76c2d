"""Runs a scenario: all contestants work in each round, so that they meet the same weather."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

from benchmarks.workers import Worker

if TYPE_CHECKING:
    from benchmarks.places import Places, Server
    from benchmarks.scenario import Contestant, Scenario

LIMIT_S = 1800.0


def run(scenario: Scenario, place: str, places: Places) -> dict[str, Any]:
    """Return what the contestants measured at one place.

    Raises:
        RuntimeError: A contestant or a server failed; the message tells which, and what it said.
    """
    measured: dict[str, Any] = {}
    contestants = scenario.contestants
    where, servers = places.find(place)
    unique = f"{scenario.name}-{time.monotonic_ns()}"
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for contestant in contestants:
            worker = Worker(contestant.environment, contestant.script, limit_s=LIMIT_S)
            workers[contestant.name] = stack.enter_context(worker)
            settings = {**contestant.settings, **_place_of(contestant, where, servers, unique)}
            prepared = worker.ask(do="prepare", task=contestant.task, settings=settings)
            measured[contestant.name] = {"versions": prepared["versions"], "rounds": []}
        for turn in range(scenario.rounds + 1):  # the first one warms up
            first = turn % len(contestants)
            for contestant in contestants[first:] + contestants[:first]:
                figures = _round(workers[contestant.name], servers)
                if turn:
                    measured[contestant.name]["rounds"].append(figures)
    return measured


def _place_of(contestant: Contestant, where: str, servers: list[Server], unique: str) -> dict[str, str]:
    """Return the arguments that tell a task where to work."""
    if contestant.task == "scaling":
        return {"where": where}
    if servers:
        return {"url": where, "prefix": re.sub(r"\W+", "-", f"{unique}-{contestant.prefix or contestant.name}")}
    return {} if where == "memory" else {"folder": where}


def _round(worker: Worker, servers: list[Server]) -> dict[str, float]:
    """Return figures of a round: seconds for an operation, and what share of a core the busiest server needed."""
    before = [server.cpu_s() for server in servers]
    answer = worker.ask(do="round")
    operations = answer["operations"]
    figures = {"wall": answer["wall_s"] / operations, "cpu": answer["cpu_s"] / operations}
    if servers:
        used = max(server.cpu_s() - was for server, was in zip(servers, before, strict=True))
        figures["server"] = used / answer["wall_s"]
    if "grown_mib" in answer:
        figures["grown_mib"] = answer["grown_mib"]
    figures |= answer.get("seconds", {})
    return {name: float(f"{value:.4g}") for name, value in figures.items()}
