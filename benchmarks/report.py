"""Measuring in turns, printing tables, and keeping the results with what they depend on."""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ssshelf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("aiobotocore", "aioboto3", "aiodynamo", "aiohttp", "botocore", "moto", "orjson", "pynamodb")


async def in_turns(contestants: Mapping[str, Callable[[], Awaitable[float]]], rounds: int) -> dict[str, list[float]]:
    """Return what the contestants measured, all of them in each round, so that they meet the same weather.

    Each round begins with another one, and none pays for the garbage of the one before. A first round warms up and
    does not count.
    """
    names = list(contestants)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            value = await contestants[name]()
            if turn:
                measured[name].append(value)
    return measured


def medians(measured: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in measured.items()}


def same(found: object, expected: object) -> None:
    """Stop when what was measured did something else than it should."""
    if found != expected:
        msg = f"measured something else: {found!r:.200} instead of {expected!r:.200}"
        raise ValueError(msg)


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print an aligned table: the first column is text, the others are figures."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}")
    for row in (header, ["-" * width for width in widths], *rows):
        first, *others = (
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join((first, *others)).rstrip())


def save(name: str, results: Mapping[str, Any]) -> None:
    """Write the results, and what they depend on, to ``benchmarks/results``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"measured_with": surroundings(), **results}, indent=2) + "\n", encoding="utf-8")
    print(f"\n{os.path.relpath(path)}")


def surroundings() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "ssshelf": ssshelf.__version__,
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        **{package: _version(package) for package in PACKAGES},
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
