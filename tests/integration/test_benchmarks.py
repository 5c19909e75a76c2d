"""What the benchmarks take for granted of the stored form; their figures are nobody's test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import sqlite_rates

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("kind", "rows"), [(sqlite_rates.Plain, 1), (sqlite_rates.Listed, 3)])
async def test_the_floor_writes_the_rows_that_a_shelf_writes(
    kind: Any, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sqlite_rates, "TOGETHER", 10)

    by_item = await sqlite_rates.rows_of(kind)

    assert [len(of_item) for of_item in by_item] == [rows] * 10
