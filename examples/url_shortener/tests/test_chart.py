"""The chart: everything is inside, and to scale."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from examples.url_shortener.shortener.chart import chart_of, round_up


@pytest.mark.parametrize(
    ("count", "top"),
    [(0, 4), (1, 4), (4, 4), (5, 6), (9, 10), (10, 10), (11, 20), (87, 100), (950, 1000), (10**9, 10**9)],
)
def test_an_axis_ends_at_an_even_number(count: int, top: int) -> None:
    assert round_up(count) == top


def test_bars_are_to_scale_and_inside() -> None:
    counts = [(date(2026, 3, 1) + timedelta(day), 5 * day) for day in range(21)]

    chart = chart_of(counts)

    assert chart.bars[20].height == pytest.approx(4 * chart.bars[5].height, abs=0.2)
    assert [bar.y + bar.height for bar in chart.bars] == pytest.approx([chart.base] * 21)
    assert min(bar.x for bar in chart.bars) >= 0
    assert max(bar.x + bar.width for bar in chart.bars) <= chart.width
    assert min(bar.y for bar in chart.bars) >= 0
