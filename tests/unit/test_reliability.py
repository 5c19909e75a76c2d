"""The page docs/reliability.rst shows what was measured, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reliability import BEGIN, END, PAGE, Server, measured, read_junit, replaced, tables

SERVERS = {"sqlite": Server("SQLite", "3.45"), "memory": Server("memory"), "ceph": Server("Ceph", "20.2")}


def case(module: str, name: str, inside: str = "", **properties: object) -> str:
    recorded = "".join(f'<property name="{key}" value="{value}"/>' for key, value in properties.items())
    return f'<testcase classname="tests.{module}" name="{name}"><properties>{recorded}</properties>{inside}</testcase>'


def written(*cases: str, violations: tuple[tuple[int, str], ...] = ()) -> list[str]:
    """Return the cells of the tables that are made of such a report."""
    counted: dict[str, Any] = {"schedules": 1000 - len(violations), "seconds": 9.0, "violations": violations}
    counted |= {"crashes": 4, "sleeps": 3, "fences": 2, "requests": {"get": 5000, "put": 1}, "faults": {"lost": 7}}
    counted["operations"] = {"add_item: ok": 8, "get_item: ok": 1, "add_item: ConflictError": 1}
    tests = read_junit(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return [line.strip(" *").removeprefix("- ") for line in tables(counted, tests, SERVERS).splitlines()]


def row_of(cells: list[str], first: str) -> list[str]:
    return cells[cells.index(first) :][:8]


def value_of(cells: list[str], first: str) -> str:
    return cells[cells.index(first) + 1]


def test_it_shows_what_the_simulation_counted() -> None:
    cells = written()

    assert value_of(cells, "schedules") == "1,000 in 9 s"
    assert value_of(cells, "requests") == "5,001: 5,000 get, 1 put"
    assert value_of(cells, "faults injected") == "7: 7 lost"
    assert value_of(cells, "processes crashed") == "4"
    assert value_of(cells, "operations") == "10: 9 ok, 1 ConflictError"
    assert value_of(cells, "violations") == "0"
    assert value_of(cells, "double owners of unique values") == "0"


def test_it_hides_no_violation() -> None:
    cells = written(violations=((3, "I7 unique: a and b"), (4, "I1 complete: a")))

    assert value_of(cells, "schedules") == "1,000 in 9 s"
    assert value_of(cells, "violations") == "2, with seed 3, 4"
    assert value_of(cells, "double owners of unique values") == "1"


def test_it_shows_which_weakened_versions_were_caught() -> None:
    module = "simulation.test_variants"
    caught = case(module, "test_a_weakened_version_is_caught[no rule]", schedules=12, promise="I7 unique")
    survived = case(module, "test_a_weakened_version_is_caught[no other]", "<failure/>")

    cells = written(caught, survived)

    assert value_of(cells, "weakened versions caught") == "1 of 2, see below"
    assert row_of(cells, "no rule")[:3] == ["no rule", "12", "I7 unique"]
    assert "no other" not in cells


def test_it_shows_them_in_the_same_order_each_time() -> None:
    module = "simulation.test_variants"
    cases = [case(module, f"test_a_weakened_version_is_caught[{name}]", schedules=1, promise="I1") for name in "abc"]

    assert written(*cases) == written(*cases[::-1])


def test_it_shows_kills_that_were_survived() -> None:
    module = "faults.test_sigkill"
    cells = written(
        case(module, "test_sqlite_survives", kills=200, acknowledged=3456),
        case(module, "test_ceph_survives", "<failure/>", kills=200, acknowledged=1),
    )

    assert value_of(cells, "SIGKILLs on SQLite") == "200 survived, 3,456 acknowledged writes checked"
    assert "SIGKILLs on Ceph" not in cells


def test_a_test_counts_for_the_storage_it_names() -> None:
    contract = "contract.test_storages.TestStorages"
    cells = written(
        case(contract, "test_get[ceph]"),
        case(contract, "test_get[memory]"),
        case(contract, "test_get[prefixed-sqlite]"),
        case(contract, "test_batch[ceph]", "<skipped/>"),
        case("faults.test_crash_at_each_step", "test_crash[crash-ceph-add]"),
        case("faults.test_s3_faults", "test_storm[ceph-503]", "<failure/>"),
        case("faults.test_sqlite_faults", "test_a_full_disk"),
        case("unit.test_unique", "test_race[ceph]"),
        case("unit.test_unique", "test_broken[ceph]", "<error/>"),
        case("unit.test_urls", "test_url[memory://]"),
        case("unit.test_keys", "test_no_storage"),
    )

    assert row_of(cells, "Ceph") == ["Ceph", "20.2", "1", "1", "0", "1", "1", "2"]
    assert row_of(cells, "SQLite") == ["SQLite", "3.45", "0", "0", "1", "0", "0", "0"]
    assert row_of(cells, "memory") == ["memory", "none", "1", "0", "0", "0", "0", "0"]


def test_it_tells_how_it_was_measured() -> None:
    text = measured("2026-02-03", {"schedules": 999, "violations": [(1, "I1")]}, [])

    assert text.startswith("Measured on 2026-02-03 by ``make reliability SEEDS=1000`` with Python 3.")


def test_the_prose_stays_as_it_is() -> None:
    page = f"before\n\n{BEGIN}\nold\n\n{END}\nafter\n"

    assert replaced(page, "new\n") == f"before\n\n{BEGIN}\nnew\n\n{END}\nafter\n"
    assert replaced(replaced(page, "new\n"), "new\n") == replaced(page, "new\n")


def test_a_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="the page needs the lines"):
        replaced("before\n", "new")


def test_the_page_has_a_place_for_it() -> None:
    assert replaced(PAGE.read_text(encoding="utf-8"), "new")
