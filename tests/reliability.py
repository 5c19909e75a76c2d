"""``python -m tests.reliability SIMULATION.json JUNIT.xml``: write what was measured into docs/reliability.rst.

A test counts for the storage that its module, its name or its parameters name; ``make reliability`` is what calls this.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.simulation.report import rows

__all__ = ["Outcome", "Server", "measured", "read_junit", "replaced", "tables"]

PAGE = Path(__file__).parents[1] / "docs" / "reliability.rst"
BEGIN = ".. What follows is written by ``make reliability``.\n"
END = ".. Up to here.\n"
WIDTH = 120
STORAGE = re.compile(r"(?:\[|test_|(?<!prefixed)-)(memory-plain|memory|sqlite|moto|ceph16|ceph|s3rver)(?![a-z0-9:/])")
KINDS = {
    "tests.contract.test_storages": "contract",
    "tests.faults.test_crash_at_each_step": "crashes",
    "tests.faults.test_sigkill": "crashes",
    "tests.faults.test_a_writer_sleeps": "crashes",
    "tests.faults.test_cancellation": "crashes",
    "tests.faults.test_s3_faults": "faults",
    "tests.faults.test_sqlite_faults": "faults",
}
COLUMNS = ("contract", "crashes", "faults", "others", "skipped", "failed")


@dataclass(frozen=True)
class Server:
    """A storage that tests run on.

    Attributes:
        name: For people.
        version: Empty where it has none of its own.
    """

    name: str
    version: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a test.

    Attributes:
        module: With its dots; and the class, if any.
        name: With its parameters.
        result: "passed", "skipped" or "failed".
        properties: What it recorded.
    """

    module: str
    name: str
    result: str
    properties: Mapping[str, str]

    @property
    def storage(self) -> str | None:
        """What it ran on, if that is one of those that are told apart."""
        found = STORAGE.search(f"{self.module}::{self.name}")
        return found and found[1]

    @property
    def column(self) -> str:
        """Where the table of the servers counts it."""
        if self.result != "passed":
            return self.result
        return next((kind for module, kind in KINDS.items() if self.module.startswith(module)), "others")


def read_junit(text: str) -> list[Outcome]:
    """Return the tests that a report of pytest tells of."""
    return [
        Outcome(
            case.get("classname", ""),
            case.get("name", ""),
            _result({child.tag for child in case}),
            {found.get("name", ""): found.get("value", "") for found in case.iter("property")},
        )
        for case in ET.fromstring(text).iter("testcase")  # noqa: S314  our own tests wrote it
    ]


def _result(tags: set[str]) -> str:
    return "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"


def tables(counted: Mapping[str, Any], tests: Sequence[Outcome], servers: Mapping[str, Server]) -> str:
    """Return the page's tables.

    Args:
        counted: What the simulation counted.
        tests: What became of the tests.
        servers: What they ran on, by the name that the tests give it.
    """
    caught = [
        (_parameters(test), test.properties["schedules"], test.properties["promise"]) for test in _variants(tests)
    ]
    weakened = f"{len(caught)} of {sum(test.name.startswith(_VARIANT) for test in tests)}, see below"
    kills = [
        (
            f"SIGKILLs on {servers[test.storage].name}",
            f"{kills} survived, {int(acknowledged):,} acknowledged writes checked",
        )
        for test in tests
        if test.storage and test.result == "passed"
        if (kills := test.properties.get("kills")) and (acknowledged := test.properties.get("acknowledged"))
    ]
    found = Counter((test.storage, test.column) for test in tests)
    used = [
        (server.name, server.version or "none", *(f"{found[storage, column]:,}" for column in COLUMNS))
        for storage, server in servers.items()
    ]
    return "\n".join(
        (
            *_table("25 75", None, [*rows(counted), ("weakened versions caught", weakened), *sorted(kills)]),
            *_table("62 14 24", ("weakened version", "schedules", "promise it broke"), sorted(caught)),
            *_table("30 10 10 10 10 10 10 10", ("tests on", "version", *COLUMNS), used),
        )
    )


_VARIANT = "test_a_weakened_version_is_caught["


def _variants(tests: Iterable[Outcome]) -> Iterator[Outcome]:
    return (test for test in tests if test.name.startswith(_VARIANT) and test.result == "passed")


def _parameters(test: Outcome) -> str:
    return test.name.partition("[")[2].removesuffix("]")


def _table(widths: str, header: Sequence[str] | None, body: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ".. list-table::"
    yield f"   :widths: {widths}"
    if header:
        yield "   :header-rows: 1"
    yield ""
    for first, *others in [header, *body] if header else body:
        yield from _cell("* -", first)
        for other in others:
            yield from _cell("  -", other)
    yield ""


def _cell(bullet: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"   {bullet} ",
        subsequent_indent=" " * 7,
        break_long_words=False,
        break_on_hyphens=False,
    )


def measured(day: str, counted: Mapping[str, Any], tests: Sequence[Outcome]) -> str:
    """Return when, with what and on what all that was measured."""
    text = (
        f"Measured on {day} by ``make reliability SEEDS={counted['schedules'] + len(counted['violations'])}`` "
        f"with Python {platform.python_version()} and aiobotocore {importlib.metadata.version('aiobotocore')} "
        f"on {os.cpu_count()} cores ({platform.system()}, {platform.machine()}); {len(tests):,} tests in all."
    )
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def replaced(page: str, generated: str) -> str:
    """Return a page with another generated part.

    Raises:
        ValueError: It does not say where that is.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"the page needs the lines {BEGIN!r} and {END!r}"
        raise ValueError(msg)
    return f"{before}{begin}\n{generated}\n{end}{after}"


def installed_servers() -> dict[str, Server]:
    """Return what ``tests/servers/install.sh`` has installed, and what else tests run on; the page keeps the order."""
    return {
        "sqlite": Server("SQLite", sqlite3.sqlite_version),
        "memory": Server("memory"),
        "memory-plain": Server("memory, without transactions"),
        "moto": Server("moto", importlib.metadata.version("moto")),
        "ceph": Server("Ceph RADOS Gateway", _version("ceph.sh", CEPH_VERSION="20")),
        "ceph16": Server("Ceph RADOS Gateway, an old one", _version("ceph.sh", CEPH_VERSION="16")),
        "s3rver": Server("s3rver, which must be refused", _version("s3rver.sh")),
    }


def _version(script: str, **environment: str) -> str:
    command = str(Path(__file__).parent / "servers" / script)
    told = subprocess.run([command, "version"], check=True, stdout=subprocess.PIPE, env={**os.environ, **environment})
    return told.stdout.decode().strip()


def main() -> int:
    """Write the page; what went wrong is on it, too, and makes the command fail."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("simulation", type=Path, help="what `python -m tests.simulation --json` wrote")
    parser.add_argument("tests", type=Path, help="what `pytest --junitxml` wrote")
    arguments = parser.parse_args()
    counted = json.loads(arguments.simulation.read_text(encoding="utf-8"))
    report = arguments.tests.read_text(encoding="utf-8")
    tests = read_junit(report)
    day = re.findall(r'timestamp="([0-9-]{10})T', report)[0]
    generated = f"{measured(day, counted, tests)}\n\n{tables(counted, tests, installed_servers())}"
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), generated), encoding="utf-8")
    return 1 if counted["violations"] or any(test.result == "failed" for test in tests) else 0


if __name__ == "__main__":
    sys.exit(main())
