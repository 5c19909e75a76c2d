"""What the benchmarks take for granted, and that they work; their figures are nobody's test."""

from __future__ import annotations

import ast
import contextlib
import re
import sqlite3
import statistics
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import costs, page
from benchmarks.latency_proxy import delays
from benchmarks.places import Places, Server, distance, lean
from benchmarks.results import Spread, compared, is_met, load
from benchmarks.running import run
from benchmarks.scenario import Contestant, Scenario, Size, Target
from benchmarks.scenarios import scenarios
from benchmarks.workers import PEERS
from ssshelf import ConflictError, Key
from ssshelf.storages.base import IfAbsent
from ssshelf.testing import StorageContract
from tests.storages import s3_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from ssshelf import S3Storage

KEY = Key("a")
EVERY: list[Scenario] = scenarios("usual")
CONTESTANTS = {(one.script.split()[0], one.task) for scenario in EVERY for one in scenario.contestants}
SHELVE = Contestant("shelve", "python", "dictionaries.py", "get", {"kind": "shelve", "kept": 3, "count": 5})
BROKEN = replace(SHELVE, name="broken", task="nothing of that name")


def scenario(*contestants: Contestant) -> Scenario:
    return Scenario("try", "A try", "get", "A text.", ("disk",), contestants, 2)


@pytest.fixture(scope="module")
def lean_server() -> Iterator[Server]:
    with lean() as server:
        yield server


class TestLeanS3(StorageContract):
    """The server that is not the bottleneck is a bucket all the same."""

    @pytest.fixture
    async def storage(self, lean_server: Server) -> AsyncIterator[S3Storage]:
        async with s3_storage(lean_server.url) as storage:
            yield storage


async def test_the_lean_server_honours_conditions(lean_server: Server) -> None:
    async with s3_storage(lean_server.url) as storage:
        probe = await storage.probe(fresh=True)

    assert len(probe.problems) == 1  # it takes old signatures, since it checks none
    assert not probe.old_signature_refused


@pytest.fixture
def distant(lean_server: Server) -> Iterator[str]:
    with distance(lean_server, "1") as proxy:
        yield proxy.url


async def test_a_distant_server_is_the_same_server(distant: str) -> None:
    async with s3_storage(distant) as storage:
        assert await storage.put(KEY, b"x" * 100_000, condition=IfAbsent())
        assert (await storage.get(KEY)).data == b"x" * 100_000
        with pytest.raises(ConflictError):
            await storage.put(KEY, b"", condition=IfAbsent())


def test_a_server_tells_how_long_it_has_computed(lean_server: Server) -> None:
    assert lean_server.cpu_s() > 0  # it has imported Python


def test_distances_like_those_of_s3_are_the_same_each_time_and_have_a_heavy_tail() -> None:
    draw, again = delays("s3"), delays("s3")
    drawn = [draw() for _ in range(10_000)]

    assert drawn == [again() for _ in range(10_000)]
    assert statistics.median(drawn) == pytest.approx(0.015, rel=0.05)
    assert statistics.quantiles(drawn, n=100)[-1] > 0.1
    assert delays("20")() == 0.02


@pytest.mark.parametrize("size", ["quick", "usual", "full"])
def test_scenarios_have_names_of_their_own_and_targets_of_their_contestants(size: Size) -> None:
    every = scenarios(size)

    assert len({one.name for one in every}) == len(every)
    for one in every:
        names = [contestant.name for contestant in one.contestants]
        assert len(set(names)) == len(names)
        assert {name for target in one.targets for name in (target.ours, target.theirs)} <= {*names, ""}
        assert {target.place for target in one.targets} <= set(one.places)


@pytest.mark.parametrize(("script", "task"), sorted(CONTESTANTS))
def test_each_contestant_has_its_task(script: str, task: str) -> None:
    tree = ast.parse((PEERS / script).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef))}
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}  # in what it serves

    assert task in functions | named


def test_contestants_take_turns_and_a_page_tells_of_them(tmp_path: Path) -> None:
    ours = Contestant("ssshelf", "ssshelf", "ssshelf_local.py", "blocking_get", {"kept": 3, "count": 5})
    tried = replace(scenario(ours, SHELVE), targets=(Target("disk", "ssshelf", "shelve", "faster", 1e-9),))

    failed = benchmarks.measure([tried], "quick", tmp_path / "results.json")

    assert failed == []
    found = load(tmp_path / "results.json")["try"]
    assert [len(one["rounds"]) for one in found["places"]["disk"].values()] == [2, 2]
    assert found["places"]["disk"]["ssshelf"]["rounds"][0]["cpu"] > 0
    assert any(line.startswith("shelve / ssshelf: ") and line.endswith("reached.") for line in page.tables(found))


def test_one_that_fails_is_told_and_the_others_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "results.json"
    wanted = [replace(scenario(BROKEN), name="broken"), scenario(SHELVE)]

    assert benchmarks.measure(wanted, "quick", path) == ["broken"]

    assert "KeyError: 'nothing of that name'" in load(path)["broken"]["error"]
    assert load(path)["try"]["error"] == ""
    assert list(load(path)["try"]["places"]) == ["disk"]
    assert "nothing of that name" in capsys.readouterr().out


def test_what_is_not_measured_again_stays(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    benchmarks.measure([scenario(SHELVE)], "quick", path)
    before = load(path)["try"]

    benchmarks.measure([replace(scenario(SHELVE), name="another")], "quick", path)

    assert load(path)["try"] == before
    assert list(load(path)) == ["try", "another"]


def target(sense: Any, limit: float, theirs: str = "b") -> dict[str, Any]:
    return {"ours": "a", "theirs": theirs, "sense": sense, "limit": limit, "figure": "wall"}


@pytest.mark.parametrize(
    ("told", "median", "met"),
    [
        (target("faster", 2), 2, True),
        (target("faster", 2.1), 2, False),
        (target("within", 0.5), 0.5, True),
        (target("within", 0.4), 0.5, False),
        (target("more", -2), -2, True),
        (target("more", -3), -2, False),
        (target("at most", 2, ""), 2, True),
        (target("at most", 1.9, ""), 2, False),
    ],
)
def test_ratios_are_medians_of_pairs(told: dict[str, Any], median: float, met: object) -> None:
    place = {
        "a": {"rounds": [{"wall": 1.0}, {"wall": 2.0}, {"wall": 50.0}]},
        "b": {"rounds": [{"wall": 3.0}, {"wall": 4.0}, {"wall": 60.0}]},
    }

    found = compared(place, told)

    assert found.median == pytest.approx(median)
    assert is_met(told, found) is met


def test_a_single_round_has_no_quartiles() -> None:
    assert Spread.of([3.0]) == (3.0, 3.0, 3.0)


def test_a_busy_server_is_named() -> None:
    def one(busy: float) -> dict[str, Any]:
        return {"rounds": [{"wall": 1.0, "cpu": 1.0, "server": busy}]}

    found = {"unit": "get", "targets": [], "places": {"lean": {"a": one(0.2), "b": one(0.95)}}}

    assert page.tables(found)[-1] == "The server was the bottleneck, or near it, for b."


def test_a_page_without_its_comments_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has no"):
        page.replaced("Performance", [])


def test_the_page_has_its_charts_and_tells_of_all_that_was_measured() -> None:
    text = page.PAGE.read_text(encoding="utf-8")

    for file in re.findall(r"^\.\. image:: (\S+)$", text, re.MULTILINE):
        assert (page.PAGE.parent / file).exists()
    for found in load(page.PAGE.with_suffix(".json")).values():
        assert f"\n{found['title']}\n---" in text


def test_dollars_are_of_counted_requests() -> None:
    found = costs.dollars()
    dollars = {name: (requests, round(s3, 3), round(table, 3)) for name, (requests, s3, table) in found.items()}

    assert dollars["get_item"] == ("1 GET", 0.4, 0.125)
    assert dollars["insert_item"] == ("3 PUT", 15, 3 * 2 * 0.625)
    assert dollars["page of 100 items"][:2] == ("100 GET, 1 LIST", 45)


def test_the_floor_writes_as_many_rows_as_a_shelf(tmp_path: Path) -> None:
    settings = {"collections": 2, "count": 5, "width": 5}
    ours = Contestant("ours", "ssshelf", "ssshelf_calls.py", "add", settings)
    floor = replace(ours, name="floor", task="add_floor")

    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(Places, "find", lambda *_: (str(tmp_path), []))
        run(scenario(ours, floor), "disk", Places(stack))

    rounds = 3  # with the one that warms up
    assert rows(tmp_path / "add-2-5.db") == rounds * 5 * 3
    assert rows(tmp_path / "floor-2-5.db") == rounds * 5 * 3 + 1


def rows(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entries WHERE key NOT LIKE 'meta!%'").fetchone()
    return int(count)
