"""A bar chart of counts by day: where everything is, for a template to draw as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 600, 230
TOP, BOTTOM = 24, 30
GAP = 0.3
"""The part of a bar's room that stays empty."""


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars, and the lines behind them: pairs of a count and a height."""

    bars: list[Bar]
    lines: list[tuple[int, float]]
    width: int = WIDTH
    height: int = HEIGHT
    base: int = HEIGHT - BOTTOM


def chart_of(counts: Sequence[tuple[date, int]]) -> Chart:
    """Return the chart of ``counts``, which are one for each day."""
    top = round_up(max(count for _, count in counts))
    room, scale = WIDTH / len(counts), (HEIGHT - TOP - BOTTOM) / top
    bars = []
    for position, (day, count) in enumerate(counts):
        height = round(count * scale, 1)
        x, y = round((position + GAP / 2) * room, 1), round(HEIGHT - BOTTOM - height, 1)
        bars.append(Bar(day, count, x, y, round(room * (1 - GAP), 1), height))
    lines = [(count, round(HEIGHT - BOTTOM - count * scale, 1)) for count in (0, top // 2, top)]
    return Chart(bars, lines)


def round_up(count: int) -> int:
    """Return the end of an axis for numbers up to ``count``: a round one, that can be halved."""
    count = max(count, 4)
    power: int = 10 ** (len(str(count)) - 1)
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= count)
