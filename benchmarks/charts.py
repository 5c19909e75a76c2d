"""The charts of docs/performance.rst: SVG without a background, in colours that can be read on light and on dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.ticker import EngFormatter

from benchmarks.places import title
from benchmarks.results import Results, Spread, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

# Grey and colours of medium lightness: each has a contrast of 3 or more to white and to black.
INK = "#767676"
OURS = "#1a80c4"
COLOURS = (OURS, "#d1660f", "#2c9150", "#a767c0", "#c0504d", "#8a7d14", "#4b8a99")
STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "font.family": "sans-serif",
    "font.size": 10,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",  # text stays text, in the reader's font
    "svg.hashsalt": "ssshelf",  # the same figures make the same file
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
SCALING = ("scaling_memory", "scaling_disk", "scaling_ceph")


def draw(results: Results, folder: Path) -> dict[str, tuple[str, str]]:
    """Draw what the results have figures for; return, by scenario, the file of its chart and what it shows."""
    folder.mkdir(exist_ok=True)
    drawn: dict[str, tuple[str, str]] = {}
    with mpl.rc_context(STYLE):
        for name, (chart, told) in CHARTS.items():
            able = all(results.get(each, {}).get("places") for each in chart.needs)
            if able:
                figure = chart.of(results)
                file = f"{name.replace('_', '-')}.svg"
                _save(figure, folder / file)
                drawn[chart.needs[-1]] = (file, told)
    return drawn


class Chart:
    """How a chart is made, and of which scenarios; it stands below the last of them."""

    def __init__(self, of: Callable[[Results], Any], *needs: str) -> None:
        self.of = of
        self.needs = needs


def _page(results: Results) -> Any:
    """Draw a group of points for each place, a point and its quartiles for each contestant."""
    places = results["page"]["places"]
    figure, axes = plt.subplots(figsize=(8.5, 4.6))
    names = list(next(iter(places.values())))
    for number, name in enumerate(names):
        at = [group + (number + 0.5) / len(names) * 0.8 - 0.4 for group in range(len(places))]
        spreads = [spread(measured[name], "wall") for measured in places.values()]
        _points(axes, at, spreads, COLOURS[number % len(COLOURS)], name)
    axes.set_ylabel("milliseconds for a page of 100, logarithmic")
    axes.set_xticks(range(len(places)), [_short(place) for place in places])
    for between in range(1, len(places)):
        axes.axvline(between - 0.5, color=INK, linewidth=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)
    return figure


def _points(axes: Any, at: Sequence[float], spreads: Sequence[Spread], colour: str, label: str, line: str = "") -> None:
    """Draw medians, in milliseconds, and between what half of the values lies, on a logarithmic axis."""
    medians = [one.median * 1e3 for one in spreads]
    below = [(one.median - one.low) * 1e3 for one in spreads]
    above = [(one.high - one.median) * 1e3 for one in spreads]
    axes.errorbar(at, medians, [below, above], fmt=f"o{line}", capsize=3, label=label, color=colour)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")


def _cpu(results: Results) -> Any:
    """Draw what a request costs its client, in a panel for each kind of request."""
    kinds = {"s3_get": "GET", "s3_put": "PUT", "s3_list": "LIST of 1,000"}
    figure, panels = plt.subplots(1, len(kinds), figsize=(9.5, 2.4))
    for panel, (name, kind) in zip(panels, kinds.items(), strict=True):
        (measured,) = results[name]["places"].values()
        names = list(measured)
        values = [spread(measured[each], "cpu").median * 1e3 for each in names]
        bars = panel.barh(names, values, color=[COLOURS[0] if each == names[0] else INK for each in names], height=0.6)
        panel.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, color=INK)
        panel.invert_yaxis()
        panel.set_title(kind)
        panel.set_xlim(0, max(values) * 1.6)
        panel.spines["bottom"].set_visible(False)
        panel.set_xticks([])
        panel.tick_params(left=False)
    figure.supxlabel("milliseconds of CPU for a request", fontsize=10, color=INK)
    figure.tight_layout()
    return figure


def _scaling(results: Results) -> Any:
    """Draw what an operation takes, by how many items there are, in a panel for each storage."""
    figure, panels = plt.subplots(1, len(SCALING), figsize=(8.5, 3.2), sharey=True)
    for panel, name in zip(panels, SCALING, strict=True):
        ((place, measured),) = results[name]["places"].items()
        counts = [int(re.sub(r"\D", "", each)) for each in measured]
        for number, (operation, label) in enumerate(OPERATIONS.items()):
            spreads = [spread(one, operation) for one in measured.values()]
            _points(panel, counts, spreads, COLOURS[number], label, "-")
        panel.set_xscale("log")
        panel.set_xticks(counts)
        panel.xaxis.set_major_formatter(EngFormatter(sep=""))
        panel.minorticks_off()
        panel.set_title(title(place).removeprefix("a "))
        panel.set_xlabel("items")
    panels[0].set_ylabel("milliseconds, logarithmic")
    panels[-1].legend(loc="upper center", bbox_to_anchor=(-0.7, -0.2), ncols=3)
    return figure


def _local(results: Results) -> Any:
    """Draw what a value takes in a file, in a panel for each kind of use."""
    kinds = {"local_get": "get", "local_set": "durable set", "local_bulk": "bulk"}
    figure, panels = plt.subplots(1, len(kinds), figsize=(8.5, 3), layout="constrained")
    for panel, (name, kind) in zip(panels, kinds.items(), strict=True):
        (measured,) = results[name]["places"].values()
        values = [spread(one, "wall").median * 1e6 for one in measured.values()]
        colours = [COLOURS[0] if each.startswith("ssshelf") else INK for each in measured]
        panel.scatter(values, list(measured), color=colours)
        for value, who, colour in zip(values, measured, colours, strict=True):
            panel.annotate(f"{value:,.0f}", (value, who), (7, -4), textcoords="offset points", color=colour)
        panel.invert_yaxis()
        panel.set_xscale("log")
        panel.set_xlim(min(values) / 3, max(values) * 6)
        panel.set_title(kind)
        panel.tick_params(left=False, bottom=False, labelbottom=False, which="both")
        panel.spines["bottom"].set_visible(False)
    figure.supxlabel("microseconds for a value, logarithmic", fontsize=10, color=INK)
    return figure


OPERATIONS = {"page": "page of 100", "insert": "insertion", "update": "update"}
CHARTS: Mapping[str, tuple[Chart, str]] = {
    "page": (Chart(_page, "page"), "points: how long a page of 100 takes, by client and distance"),
    "cpu": (Chart(_cpu, "s3_get", "s3_put", "s3_list"), "bars: CPU of clients for a GET, a PUT and a LIST"),
    "local": (Chart(_local, "local_get", "local_set", "local_bulk"), "points: how long a value in a file takes"),
    "scaling": (Chart(_scaling, *SCALING), "lines: what pages, insertions and updates take as a shelf grows"),
}


def _short(place: str) -> str:
    kind, _, profile = place.partition("@")
    distance = {"": "near", "s3": "as S3"}.get(profile, f"{profile} ms")
    return distance if kind == "lean" else f"Ceph, {distance}"


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
