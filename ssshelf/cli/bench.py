"""The command that measures what a store gives from here."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, TypeVar

import typer

from ssshelf._concurrency import map_bounded
from ssshelf.cli.console import Console
from ssshelf.cli.listing import scans
from ssshelf.cli.session import Session, opened
from ssshelf.collections import Collection
from ssshelf.items import DictItems
from ssshelf.keys import Key
from ssshelf.maintenance import Progress, Report
from ssshelf.managers import CManager
from ssshelf.storages.base import Condition, IfAbsent, Operation, Storage
from ssshelf.storages.offers import delete_many
from ssshelf.storages.prefixed import PrefixedStorage
from ssshelf.storages.urls import StorageURL
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["bench"]

T = TypeVar("T")
_PLACE = Key("meta", "bench")
_PAGE = 64
_PAGES = 20
_CHART = 30
_PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class _Notes(CManager[dict[str, Any]]):
    """What pages are read of."""

    item_manager = DictItems(pk="pk", name="notes")
    every = Collection[dict[str, Any]](lambda note: note["pk"])


@dataclass(frozen=True, slots=True)
class _Measured:
    """How long each request of one kind took."""

    kind: str
    took_s: list[float]
    elapsed_s: float

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.took_s)
        return 1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    @property
    def per_second(self) -> float:
        return len(self.took_s) / self.elapsed_s

    def as_json(self) -> dict[str, Any]:
        percentiles = {f"{name}_ms": self.percentile_ms(share) for name, share in _PERCENTILES.items()}
        worst = {"max_ms": 1000 * max(self.took_s)}
        return {"kind": self.kind, "count": len(self.took_s), **percentiles, **worst, "per_second": self.per_second}


async def bench(
    session: Session,
    target: Annotated[
        str | None, typer.Argument(metavar="URL", show_default=False, help="The storage; instead of --url.")
    ] = None,
    *,
    requests: Annotated[int, typer.Option("--requests", "-n", min=1, metavar="N", help="Of each kind.")] = 200,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", min=1, metavar="N", help="At a time.")] = 8,
    size: Annotated[int, typer.Option("--size", min=0, metavar="BYTES", help="Of what is written.")] = 1024,
) -> None:
    """Measure what a store gives from here: latencies, requests and pages per second.

    It writes under names of its own, meta!/bench!/…, and removes them again,
    also after Ctrl-C. A page is one of 64 items of a collection: 1 scan, then
    64 gets at once.

    Examples:
      ssshelf bench s3://bucket/prefix
      ssshelf bench sqlite:///scratch.db --requests 5000 --concurrency 64
      ssshelf bench --json | jq '.kinds[] | select(.kind == "get").p99_ms'
    """
    url = target or session.url
    session.how_to_go_on = "what it had written is removed"
    async with _scratch(url) as storage:
        with session.console.progress("measuring", requests) as report:
            run = _Bench(storage, requests, concurrency, os.urandom(size))
            kinds = await run.measure(report)
    if session.json:
        settings = {"requests": requests, "concurrency": concurrency, "size": size, "page": _PAGE}
        session.console.json({**settings, "kinds": [kind.as_json() for kind in kinds]})
    else:
        _write(session.console, kinds)


@asynccontextmanager
async def _scratch(url: str) -> AsyncIterator[Storage]:
    """Open a part of a storage that is empty, and is removed in the end; so is a file that was made for it."""
    made = _file_to_be_made(url)
    try:
        async with opened(url, create=True) as storage:
            part = PrefixedStorage(storage, _PLACE / secrets.token_hex(8))
            writes = _CompletedWrites(part)
            try:
                await part.probe(fresh=False)  # so that it is not measured
                yield writes
            finally:
                await writes.complete()
                async for scan in scans(part, Key()):
                    await delete_many(part, [row.key for row in scan.rows])
    finally:
        for path in made:
            path.unlink(missing_ok=True)


class _CompletedWrites(WrapperStorage):
    """Lets writes come to their end, also when their caller is interrupted: what is written later is not removed."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        return await self._to_its_end(super().put(key, data, condition=condition))

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:
        return await self._to_its_end(super().commit(operations))

    async def complete(self) -> None:
        """Wait for all of them."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _to_its_end(self, write: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(write)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def _file_to_be_made(url: str) -> list[Path]:
    with suppress(ValueError):
        parsed = StorageURL.parse(url)
        path = Path(parsed.path.removeprefix("/"))
        if parsed.scheme == "sqlite" and not path.exists():
            return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
    return []


class _Bench:
    """Measures one kind of request after the other."""

    def __init__(self, storage: Storage, requests: int, concurrency: int, data: bytes) -> None:
        self._storage = storage
        self._requests = requests
        self._concurrency = concurrency
        self._data = data

    async def measure(self, report: Report) -> list[_Measured]:
        storage, data = self._storage, self._data
        kinds: dict[str, Callable[[int], Awaitable[object]]] = {
            "put": lambda number: storage.put(Key("put", number), data),
            "conditional put": lambda number: storage.put(Key("new", number), data, condition=IfAbsent()),
            "get": lambda number: storage.get(Key("put", number)),
            "scan": lambda _: storage.scan(Key("put")),
            "delete": lambda number: storage.delete(Key("put", number)),
        }
        many = (report, self._requests, self._concurrency)
        measured = [await self._measured(kind, request, *many) for kind, request in kinds.items()]
        notes = _Notes(storage)
        await notes.add_items({"pk": f"{number:04}", "text": data.hex()[: len(data)]} for number in range(_PAGE))
        page, pages = partial(notes.every.get_items, _PAGE), min(_PAGES, self._requests)
        # One page at a time: each makes many requests at once by itself.
        measured.append(await self._measured(f"page of {_PAGE}", lambda _: page(), report, pages, 1))
        return measured

    async def _measured(
        self, kind: str, request: Callable[[int], Awaitable[object]], report: Report, count: int, bound: int
    ) -> _Measured:
        took_s: list[float] = []

        async def one(number: int) -> None:
            started = perf_counter()
            await request(number)
            took_s.append(perf_counter() - started)
            report(Progress(kind, len(took_s)))

        started = perf_counter()
        await map_bounded(one, range(count), bound)
        return _Measured(kind, took_s, perf_counter() - started)


def _write(console: Console, kinds: list[_Measured]) -> None:
    longest_ms = max(kind.percentile_ms(0.99) for kind in kinds)
    chart = [""] if console.is_terminal else []
    table = console.table("request", *(f">{name} ms" for name in _PERCENTILES), ">max ms", ">per second", *chart)
    rows = []
    for kind in kinds:
        percentiles_ms = [kind.percentile_ms(share) for share in _PERCENTILES.values()]
        numbers = [f"{value:.2f}" for value in (*percentiles_ms, 1000 * max(kind.took_s))]
        rows.append([kind.kind, *numbers, f"{kind.per_second:.0f}", *(_bar(percentiles_ms, longest_ms) for _ in chart)])
    table.add(rows)
    if console.is_terminal:
        console.note("bars: █ to p50, ▓ to p90, ░ to p99")


def _bar(percentiles_ms: list[float], longest_ms: float) -> str:
    """Return a bar whose shades end at the percentiles."""
    bar = ""
    for shade, value in zip("█▓░", percentiles_ms, strict=True):
        bar += shade * (round(value / longest_ms * _CHART) - len(bar))
    return bar or "▏"
