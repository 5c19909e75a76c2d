"""``python -m benchmarks.page``: write docs/performance.rst, and its charts, from what was measured.

The text at the top of the page is kept; what stands between two comments is written anew.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import costs
from benchmarks.environments import ROOT
from benchmarks.places import title
from benchmarks.results import Results, Spread, compared, is_met, load, spread
from benchmarks.scenarios import scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = ROOT / "docs" / "performance.rst"
CHARTS = "performance"
BEGIN = ".. What follows is written by ``make performance``.\n"
END = ".. Up to here.\n"
WIDTH = 120
BUSY = 0.85
OWN_FIGURES = ("page", "insert", "update", "encode", "decode")
SENSES = {
    "faster": ("{theirs} / {ours}", "at least {limit:g}"),
    "within": ("{ours} / {theirs}", "at most {limit:g}"),
    "more": ("{ours} - {theirs}, ms", "at most {limit:g}"),
    "at most": ("{ours}: {figure}", "at most {limit:g}"),
}
FIGURES = {"wall": "time", "cpu": "CPU", "grown_mib": "MiB more"}


def tables(found: Results) -> list[str]:
    """Return the lines of the tables of one scenario."""
    lines: list[str] = []
    for place, measured in found["places"].items():
        if not measured:
            continue
        lines += ["", _heading(place), ""]
        lines += table(*_rows(found["unit"], measured))
        lines += [line for target in found["targets"] if target["place"] == place for line in _told(target, measured)]
        lines += _bottleneck(measured)
    return lines


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table of reStructuredText: the first column is text, the others are figures."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return "  ".join(padded).rstrip()

    return [rule, line(header), rule, *map(line, rows), rule]


def microseconds(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _heading(place: str) -> str:
    text = title(place)
    return f"On {text}:" if place != "memory" else "In memory:"


def _profile(place: str) -> str:
    return title(place).rpartition(", ")[2]


def _rows(unit: str, measured: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    first = next(iter(measured.values()))["rounds"][0]
    own = [figure for figure in OWN_FIGURES if figure in first]
    if own:
        header = ["of", *own]
        return header, [
            [name, *(microseconds(spread(one, each).median) for each in own)] for name, one in measured.items()
        ]
    leader = next(iter(measured))
    header = ["who", f"for a {unit}", "half of them", "ratio", "CPU", *(["server busy"] if "server" in first else [])]
    header += ["MiB more"] if "grown_mib" in first else []
    rows = []
    for name, one in measured.items():
        wall = spread(one, "wall")
        cells = [name, microseconds(wall.median), f"{microseconds(wall.low)} - {microseconds(wall.high)}"]
        pair = {"ours": name, "theirs": leader, "sense": "within", "figure": "wall"}
        cells += [f"{compared(measured, pair).median:.2f}", microseconds(spread(one, "cpu").median)]
        cells += [f"{spread(one, 'server').median:.0%}"] if "server" in first else []
        cells += [f"{spread(one, 'grown_mib').median:.1f}"] if "grown_mib" in first else []
        rows.append(cells)
    return header, rows


def _told(target: Any, measured: dict[str, Any]) -> list[str]:
    if target["ours"] not in measured or (target["theirs"] and target["theirs"] not in measured):
        return []
    what, wanted, found, verdict = _verdict(target, measured)
    return ["", f"{what}: {found}; to be {wanted}: {verdict}."]


def _verdict(target: Any, measured: dict[str, Any]) -> tuple[str, str, str, str]:
    found = compared(measured, target)
    factor = 1e3 if target["sense"] == "more" else 1
    figure = FIGURES.get(target["figure"], target["figure"])
    what, wanted = SENSES[target["sense"]]
    what = what.format(**{**target, "figure": figure})
    if target["sense"] != "at most" and target["figure"] != "wall":
        what += f", {figure}"
    shown = Spread(*(value * factor for value in found))
    figures = f"{shown.median:.3g} ({shown.low:.3g} - {shown.high:.3g})"
    return (
        what,
        wanted.format(limit=target["limit"] * factor),
        figures,
        "reached" if is_met(target, found) else "missed",
    )


def _bottleneck(measured: dict[str, Any]) -> list[str]:
    busy = [
        name for name, one in measured.items() if "server" in one["rounds"][0] and spread(one, "server").median >= BUSY
    ]
    if not busy:
        return []
    return ["", *_wrapped(f"The server was the bottleneck, or near it, for {', '.join(busy)}.")]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _sections(results: Results, charts: dict[str, tuple[str, str]]) -> Iterator[str]:
    yield from ["", "What was to be reached", "----------------------", ""]
    yield from _summary(results)
    for name, found in results.items():
        yield from ["", found["title"], "-" * len(found["title"]), "", *_wrapped(found["text"])]
        if found["error"]:
            yield from ["", *_wrapped(f"This failed: ``{found['error'].splitlines()[0].replace('`', '')}``")]
        yield from tables(found)
        yield from _chart(charts, name)
        yield from ["", *_wrapped(_made_with(name, found))]
    yield from ["", "What it costs on AWS", "--------------------", "", *_wrapped(_COSTS), ""]
    rows = [
        [name, requests, f"{s3:.2f}", f"{dynamodb:.2f}"] for name, (requests, s3, dynamodb) in costs.dollars().items()
    ]
    yield from table(["dollars for a million", "requests on S3", "S3", "DynamoDB"], rows)
    yield from ["", *_wrapped(costs.PRICES + ".")]


_COSTS = (
    "Requests are counted, in memory, on items of some 300 bytes in two collections; what they store and transfer is "
    "not part of it. On DynamoDB writes are transactions, which cost twice, and reads are consistent."
)


def _summary(results: Results) -> list[str]:
    rows = []
    for found in results.values():
        for target in found["targets"]:
            measured = found["places"].get(target["place"], {})
            if target["ours"] in measured and (not target["theirs"] or target["theirs"] in measured):
                what, wanted, figures, verdict = _verdict(target, measured)
                where = f", {_profile(target['place'])}" if len(found["places"]) > 1 else ""
                rows.append([f"{found['title']}{where}: {what}", wanted, figures, verdict])
            else:
                rows.append([found["title"], f"{target['limit']:g}", "not measured", ""])
    return table(["medians of pairs, and between what half of them lies", "wanted", "measured", ""], rows)


def _chart(charts: dict[str, tuple[str, str]], name: str) -> list[str]:
    if name not in charts:
        return []
    file, told = charts[name]
    return [
        "",
        f".. image:: {CHARTS}/{file}",
        *textwrap.wrap(f":alt: {told}", WIDTH, initial_indent="   ", subsequent_indent="      "),
    ]


def _made_with(name: str, found: Results) -> str:
    here = found["measured_with"]
    versions: dict[str, str] = {}
    for place in found["places"].values():
        for one in place.values():
            versions |= {f"{package} {version}": "" for package, version in one["versions"].items()}
    size = "" if found["size"] == "usual" else f"--{found['size']} "
    return (
        f"``python -m benchmarks {size}{name}``, {here['date']}, {here['cores']} cores of {here['processor']}, load "
        f"{here['load']} at the end; {', '.join(versions) or 'nobody was able'}."
    )


def replaced(page: str, lines: Sequence[str]) -> str:
    """Return the page with ``lines`` in place of what is between its two comments.

    Raises:
        ValueError: It has not both of them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"the page has no {BEGIN.strip()!r} with {END.strip()!r} below it"
        raise ValueError(msg)
    return before + begin + "\n".join(line.rstrip() for line in lines) + "\n\n" + end + after


def main() -> None:
    from benchmarks import charts  # noqa: PLC0415  matplotlib is only needed here

    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description="Write docs/performance.rst.")
    parser.add_argument("--json", type=Path, default=PAGE.with_suffix(".json"))
    parser.add_argument("--page", type=Path, default=PAGE)
    told = parser.parse_args()
    found = load(told.json)
    results = {each.name: found[each.name] for each in scenarios("usual") if each.name in found}
    drawn = charts.draw(results, told.page.parent / CHARTS)
    told.page.write_text(replaced(PAGE.read_text(encoding="utf-8"), list(_sections(results, drawn))), encoding="utf-8")


if __name__ == "__main__":
    main()
