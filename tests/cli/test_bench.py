"""The command that measures, and cleans up behind itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

KINDS = ["put", "conditional put", "get", "scan", "delete", "page of 64"]


def test_each_kind_of_request_is_measured(ssshelf: Run) -> None:
    ended = ssshelf("bench", "memory://", "--requests", "5")

    assert ended.code == 0
    assert [row[0] for row in ended.rows] == KINDS
    assert {len(row) for row in ended.rows} == {6}


def test_measurements_for_programs(ssshelf: Run) -> None:
    ended = ssshelf("bench", "memory://", "--requests", "5", "--size", "10", "--json")

    assert [(kind["kind"], kind["count"]) for kind in ended.json["kinds"]] == [(kind, 5) for kind in KINDS]
    for kind in ended.json["kinds"]:
        assert 0 < kind["p50_ms"] <= kind["p90_ms"] <= kind["p99_ms"] <= kind["max_ms"]
        assert kind["per_second"] > 0


@pytest.mark.usefixtures("shelf")
def test_a_shelf_is_left_as_it_was(ssshelf: Run) -> None:
    before = ssshelf("stat", "--json").json

    assert ssshelf("bench", "--requests", "3").code == 0
    assert ssshelf("stat", "--json").json == before


@pytest.mark.parametrize("url", ["sqlite:///{}/new.db", "sqlite:////{}/new.db"])
def test_a_file_that_was_made_for_it_is_removed(ssshelf: Run, tmp_path: Path, url: str) -> None:
    assert ssshelf("bench", url.format(tmp_path), "--requests", "3").code == 0
    assert list(tmp_path.iterdir()) == []
