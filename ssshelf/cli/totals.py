"""The command that tells how much there is, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from ssshelf.cli.arguments import StoredNames
from ssshelf.cli.console import Console
from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.listing import scans
from ssshelf.cli.session import Session
from ssshelf.documents import text_part
from ssshelf.keys import Key
from ssshelf.maintenance import Progress
from ssshelf.storages.base import Row

__all__ = ["stat"]

_PRICE = 0.023
"""Dollars for a GiB and month in S3 Standard, the first 50 TB, us-east-1. Source: https://aws.amazon.com/s3/pricing/"""
_GIB = 2**30
_SMALLEST_BITS, _STEP_BITS = 8, 2
_BAR = 40
_KINDS = {"items": "items", "collections": "entries", "unique": "claims", "meta": "maintenance"}


@dataclass(slots=True)
class _Total:
    """So many objects of one kind.

    Attributes:
        manager: Whose; empty for what belongs to no manager.
        kind: Items, index entries, claims to unique values, what maintenance remembers, or other.
        collection: Of entries and claims.
    """

    manager: str
    kind: str
    collection: str
    objects: int = 0
    bytes: int = 0

    def add(self, size_bytes: int) -> None:
        self.objects += 1
        self.bytes += size_bytes


@dataclass(slots=True)
class _Statistics:
    """What was counted so far; grows with the number of collections, not with that of objects."""

    totals: dict[tuple[str, ...], _Total] = field(default_factory=dict)
    sizes: Counter[int] = field(default_factory=Counter)

    def count(self, rows: Iterable[Row]) -> None:
        for row in rows:
            kind, manager, collection, *_ = (*row.key.text.split("!/", 3), "", "")
            if kind not in _KINDS or not collection:
                place = ("", "", "")  # one for all that is somebody else's, however much that is
            else:
                place = (kind, manager, collection if kind in ("collections", "unique") else "")
            total = self.totals.get(place)
            if total is None:
                total = self.totals[place] = _total(*place)
            size_bytes = row.size_bytes or 0
            total.add(size_bytes)
            if kind == "items":
                self.sizes[_class_of(size_bytes)] += 1

    def merged(self) -> list[_Total]:
        """Return the totals in the order in which they are shown, what is not ours in one."""
        found: dict[tuple[str, ...], _Total] = {}
        managers = {total.manager for total in self.totals.values() if total.kind != _KINDS["meta"]}
        for total in self.totals.values():
            # What a probe remembers belongs to no manager.
            place = (total.manager if total.manager in managers else "", total.kind, total.collection)
            kept = found.setdefault(place, _Total(*place))
            kept.objects += total.objects
            kept.bytes += total.bytes
        order = [*_KINDS.values(), "other"]
        return sorted(
            found.values(),
            key=lambda total: (not total.manager, total.manager, order.index(total.kind), total.collection),
        )


def _total(kind: str, manager: str, collection: str) -> _Total:
    """Return an empty total of what is stored under names that begin so."""
    names = [text_part(part.removesuffix("!") + "!") for part in (manager, collection) if part]
    if kind not in _KINDS or not names or None in names:
        return _Total("", "other", "")
    name, *rest = names
    return _Total(name or "", _KINDS[kind], "".join(filter(None, rest)))


def _class_of(size_bytes: int) -> int:
    """Return, of the sizes of 8, 10, 12 and more bits, that which an item is smaller than."""
    return max(_SMALLEST_BITS, -(-size_bytes.bit_length() // _STEP_BITS) * _STEP_BITS)


async def stat(
    session: Session,
    managers: StoredNames = None,
    *,
    price: Annotated[
        float, typer.Option("--price-gb-month", metavar="DOLLARS", min=0, help="Of a GiB and month.", show_default=True)
    ] = _PRICE,
) -> None:
    """Tell how many objects and bytes there are, by manager and collection.

    Nothing is read but names and sizes, with one request for each 1,000. So
    removed items count until they are swept, and sizes are those of what is
    stored: the document and some 200 bytes about it. The cost is that of
    storage for a month, at the list price of S3 Standard in us-east-1 unless
    told; requests come on top of it.

    Examples:
      ssshelf stat
      ssshelf stat bookmarks --price-gb-month 0.0125
      ssshelf stat --json | jq '.total.bytes'
    """
    found = _Statistics()
    done = 0
    async with session.storage() as storage:
        with session.console.progress("counting") as report:
            for prefix in _prefixes(managers):
                async for scan in scans(storage, prefix):
                    found.count(scan.rows)
                    done += len(scan.rows)
                    report(Progress("objects", done))
    totals = found.merged()
    if session.json:
        session.console.json(_as_json(totals, found.sizes, price))
    else:
        _write(session.console, totals, found.sizes, price)
    if not totals:
        msg = "there is nothing"
        raise Refused(msg, Exit.NO)


def _prefixes(managers: list[str] | None) -> Iterator[Key]:
    if not managers:
        yield Key()
    for manager in managers or ():
        for kind in _KINDS:
            yield Key(kind, manager)


def _cost(size_bytes: int, price: float) -> float:
    return size_bytes / _GIB * price


def _as_json(totals: list[_Total], sizes: Counter[int], price: float) -> dict[str, Any]:
    objects, size = sum(total.objects for total in totals), sum(total.bytes for total in totals)
    return {
        "total": {"objects": objects, "bytes": size, "dollars_per_month": _cost(size, price)},
        "by": [{**asdict(total), "dollars_per_month": _cost(total.bytes, price)} for total in totals],
        "item_sizes": [{"below": 2**bits, "items": sizes[bits]} for bits in _classes(sizes)],
        "price_gb_month": price,
    }


def _classes(sizes: Counter[int]) -> range:
    return range(min(sizes), max(sizes) + 1, _STEP_BITS) if sizes else range(0)


def _write(console: Console, totals: list[_Total], sizes: Counter[int], price: float) -> None:
    all_of_them = _Total("", "total", "", sum(one.objects for one in totals), sum(one.bytes for one in totals))
    shown = [*totals, all_of_them] if totals else []
    console.table("manager", "kind", "collection", ">objects", ">bytes", ">$/month").add(
        [
            console.word(one.manager) if one.manager else "-",
            one.kind,
            console.word(one.collection) if one.collection else "-",
            console.count(one.objects),
            console.size(one.bytes),
            f"{_cost(one.bytes, price):.4f}",
        ]
        for one in shown
    )
    if sizes:
        console.say("")
        most = max(sizes.values())
        chart = [""] if console.is_terminal else []
        console.table(">items below", ">items", *chart).add(
            [
                console.size(2**bits),
                console.count(sizes[bits]),
                *("█" * -(-sizes[bits] * _BAR // most) for _ in chart),
            ]
            for bits in _classes(sizes)
        )
