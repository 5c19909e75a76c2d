"""What is measured in files, in memory, and as the number of items grows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.scenario import OURS, Contestant, Scenario, Size, Target, rounds

KEYS = (
    "letters and digits",
    "texts with signs",
    "texts beyond ASCII",
    "integers",
    "floats",
    "days and datetimes",
    "UUIDs",
    "text, newest first, text",
    "text, greatest first, text",
)


def locally(size: Size) -> list[Scenario]:
    return [
        _import(size),
        _gets(size),
        _sets(size),
        _bulk(size),
        _stream(size),
        *_scaling(size),
        _adds(size),
        _blocking(size),
        _keys(size),
    ]


def _import(size: Size) -> Scenario:
    def starting(name: str, code: str) -> Contestant:
        return Contestant(name, "ssshelf", "ssshelf_local.py", "starting", {"code": code})

    return Scenario(
        "import",
        "Importing ssshelf",
        "start",
        "A Python is started that imports something and ends. ssshelf imports what it has when that is first used, so "
        "there are also lines with what a program uses; half of that is asyncio.",
        ("memory",),
        (
            starting(OURS, "import ssshelf"),
            starting(
                f"{OURS}, managers in memory", "from ssshelf import CManager, Collection, DictItems, MemoryStorage"
            ),
            starting(f"{OURS}, managers on S3", "from ssshelf import CManager, Collection, DictItems, S3Storage"),
            starting("nothing", "pass"),
            starting("asyncio", "import asyncio"),
            starting("aiobotocore", "import aiobotocore.session"),
        ),
        rounds(size, 15),
        (Target("memory", OURS, "nothing", "more", 0.05),),
    )


def _dictionaries(task: str, kinds: tuple[str, ...], **settings: Any) -> tuple[Contestant, ...]:
    return tuple(
        Contestant(
            kind,
            "python" if kind == "shelve" else kind,
            f"dictionaries.py {kind}",
            task,
            {"kind": kind, **settings},
        )
        for kind in kinds
    )


def _local(name: str, task: str, **settings: Any) -> Contestant:
    return Contestant(name, "ssshelf", "ssshelf_local.py", task, settings)


ALL = ("diskcache", "sqlitedict", "shelve")


def _gets(size: Size) -> Scenario:
    settings = {"kept": 200 if size == "quick" else 2000, "count": 200 if size == "quick" else 2000}
    return Scenario(
        "local_get",
        "Single gets from a file",
        "get",
        f"One value of {settings['kept']:,} after the other, at random. ``ssshelf.open`` is what needs no ``await``.",
        ("disk",),
        (
            _local(OURS, "blocking_get", **settings),
            _local(f"{OURS}, awaited", "awaited_get", **settings),
            *_dictionaries("get", ALL, **settings),
        ),
        rounds(size, 9),
        (Target("disk", OURS, "diskcache", "faster", 1),),
    )


def _sets(size: Size) -> Scenario:
    settings = {"count": 50 if size == "quick" else 200}
    return Scenario(
        "local_set",
        "Single durable sets in a file",
        "set",
        "One value after the other, each on the disk before the next. diskcache is told to do so, too; sqlitedict, "
        "which switches it off, and shelve do not wait for the disk, so that they are no comparison. The last line is "
        "Python's sqlite3, with a row and a transaction for each value, and nothing else.",
        ("disk",),
        (
            _local(OURS, "blocking_set", **settings),
            _local(f"{OURS}, awaited", "awaited_set", **settings),
            *_dictionaries("put", ALL, **settings),
            Contestant("SQLite alone", "python", "rows_sqlite.py", "write", {**settings, "group": 1}),
        ),
        rounds(size, 9),
        (Target("disk", OURS, "diskcache", "faster", 1),),
    )


def _bulk(size: Size) -> Scenario:
    count = 500 if size == "quick" else 5000
    return Scenario(
        "local_bulk",
        "Many sets in a file",
        "value",
        f"``update`` of {count:,} values. sqlitedict takes them in one transaction, and so does diskcache, in a "
        "``transact`` block; its ordinary sets are in the table above. shelve writes one after the other.",
        ("disk",),
        (
            _local(OURS, "bulk", count=count),
            *_dictionaries("bulk", ALL, count=count),
            replace(*_dictionaries("put", ("diskcache",), count=count // 10), name="diskcache, one by one"),
            Contestant("SQLite alone", "python", "rows_sqlite.py", "write", {"count": count, "group": 1000}),
        ),
        rounds(size, 7),
        (Target("disk", OURS, "diskcache, one by one", "faster", 5),),
    )


def _stream(size: Size) -> Scenario:
    count = {"quick": 5_000, "usual": 50_000, "full": 1_000_000}[size]
    return Scenario(
        "stream",
        f"Streaming {count:,} items from a file",
        "item",
        "All items of a collection, in its order, while the memory of the process is watched.",
        ("disk",),
        (_local(OURS, "stream", count=count),),
        1 if size == "full" else rounds(size, 3),
        (Target("disk", OURS, "", "at most", 32, "grown_mib"),),
    )


def _scaling(size: Size) -> list[Scenario]:
    local = {"quick": (1_000, 5_000), "usual": (1_000, 10_000, 50_000), "full": (1_000, 10_000, 100_000, 1_000_000)}
    distant = {"quick": (1_000, 2_000), "usual": (1_000, 10_000), "full": (1_000, 10_000, 100_000)}
    return [
        Scenario(
            f"scaling_{place}",
            f"From {counts[0]:,} to {counts[-1]:,} items {title}",
            "operation",
            "Pages of 100 that begin anywhere, insertions, and updates, on shelves of different sizes, in turns.",
            (place,),
            tuple(_local(f"{count:,} items", "scaling", count=count, times=10) for count in counts),
            rounds(size, 9),
            tuple(
                Target(place, f"{counts[-1]:,} items", f"{counts[0]:,} items", "within", 1.5, figure)
                for figure in ("page", "insert", "update")
            ),
        )
        for place, title, counts in (
            ("memory", "in memory", local[size]),
            ("disk", "in a file of SQLite", local[size]),
            ("ceph", "on Ceph", distant[size]),
        )
    ]


def _adds(size: Size) -> Scenario:
    one, many = (40, 320) if size == "quick" else (200, 3200)
    return Scenario(
        "local_add",
        "Adding items to a file, one by one and 64 at a time",
        "item",
        "Each item is on the disk when its call returns; those that are added together share a transaction. SQLite "
        "alone writes the same rows, in one thread, a transaction for each item or for 64.",
        ("disk",),
        tuple(
            Contestant(
                f"{who}, {collections} collections, {how}",
                "ssshelf",
                "ssshelf_calls.py",
                task,
                {"collections": collections, "count": count, "width": width},
            )
            for collections in (0, 2)
            for how, count, width in (("one by one", one, 1), ("64 at a time", many, 64))
            for who, task in ((OURS, "add"), ("SQLite alone", "add_floor"))
        ),
        rounds(size, 7),
    )


def _blocking(size: Size) -> Scenario:
    count = 100 if size == "quick" else 400
    return Scenario(
        "blocking_calls",
        "Calls with and without await",
        "call",
        "The same calls, one after the other, awaited in an event loop and by ``ssshelf.blocking``; ``prefix`` is an "
        "item of a listing that streams.",
        ("memory", "disk"),
        tuple(
            Contestant(f"{what}, {how}", "ssshelf", "ssshelf_calls.py", how, {"count": count, "what": what})
            for what in ("get_item", "add_item", "prefix")
            for how in ("awaited", "blocking")
        ),
        rounds(size, 9),
    )


def _keys(size: Size) -> Scenario:
    count = 1_000 if size == "quick" else 10_000
    return Scenario(
        "keys",
        "Keys of three parts",
        "key",
        "CPU for encoding a key into the text that is stored, and for decoding it.",
        ("memory",),
        tuple(Contestant(kind, "ssshelf", "ssshelf_calls.py", "keys", {"kind": kind, "count": count}) for kind in KEYS),
        rounds(size, 5),
    )
