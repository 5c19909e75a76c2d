"""What is measured: who does what, where, how often, and what ssshelf is to reach."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Size = Literal["quick", "usual", "full"]
OURS = "ssshelf"


@dataclass(frozen=True)
class Contestant:
    """Who takes part.

    Attributes:
        name: For people.
        environment: Where it is installed: see ``environments``.
        script: In ``peers``, with its arguments.
        task: What it does there.
        settings: Further arguments of the task.
        prefix: Whose data in the bucket it uses; its own without.
        needs: An attribute of ``Collection`` that a task needs, which is left out without.
    """

    name: str
    environment: str
    script: str
    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Target:
    """What is to be reached at ``place``, by the medians of pairs.

    Attributes:
        ours: Who is to reach it.
        theirs: Whom it is compared with; nobody when ``sense`` is "at most".
        sense: "faster": theirs / ours is at least ``limit``. "within": ours / theirs is at most ``limit``. "more":
            ours is at most ``limit`` seconds more. "at most": ours is at most ``limit``.
        figure: "wall" and "cpu" are seconds for an operation; a task may have figures of its own.
    """

    place: str
    ours: str
    theirs: str
    sense: Literal["faster", "within", "more", "at most"]
    limit: float
    figure: str = "wall"


@dataclass(frozen=True)
class Scenario:
    """One comparison.

    Attributes:
        unit: What an operation is.
        text: What a reader has to know about it.
        rounds: How often each contestant works at each place.
    """

    name: str
    title: str
    unit: str
    text: str
    places: tuple[str, ...]
    contestants: tuple[Contestant, ...]
    rounds: int
    targets: tuple[Target, ...] = ()


def scenarios(size: Size) -> list[Scenario]:
    return [
        _page(size),
        _covering_page(size),
        *_requests(size),
        *_inserts(size),
        _update(size),
        _first_request(size),
        _import(size),
        _gets(size),
        _sets(size),
        _bulk(size),
        _stream(size),
        *_scaling(size),
    ]


def _rounds(size: Size, usual: int) -> int:
    return 2 if size == "quick" else usual


def _s3(task: str, **settings: Any) -> Contestant:
    return Contestant(OURS, "ssshelf", "ssshelf_s3.py", task, settings)


def _by_hand(task: str, **settings: Any) -> Contestant:
    return Contestant("by hand, aiobotocore", "aiobotocore", "aiobotocore_s3.py", task, settings)


def _obstore(task: str, **settings: Any) -> Contestant:
    return Contestant("obstore", "obstore", "obstore_s3.py", task, settings)


def _page(size: Size) -> Scenario:
    count = {"count": 100}
    wider = "by hand, aiobotocore, 100 connections"
    return Scenario(
        "page",
        "A page of 100 items on S3",
        "page",
        "ssshelf reads the listing of a collection and its 100 items, decodes them and checks that they are what the "
        "listing says. ssshelf 0.1.3 does the same, one item after the other. The others fetch the bytes of the "
        "objects that ssshelf has stored, and do nothing with them: after a listing, or, in the last line, of names "
        "that they know, which is one step less.",
        ("lean", "lean@5", "lean@20", "lean@s3", "ceph@20"),
        (
            _s3("page", **count),
            Contestant("ssshelf 0.1.3", "ssshelf-0.1.3", "ssshelf_2018.py", "page", count),
            Contestant(
                "by hand, aiobotocore", "aiobotocore", "aiobotocore_s3.py", "page", {**count, "pool": 10}, prefix=OURS
            ),
            Contestant(wider, "aiobotocore", "aiobotocore_s3.py", "page", {**count, "pool": 100}, prefix=OURS),
            Contestant("s3fs", "s3fs", "s3fs_s3.py", "page", count, prefix=OURS),
            Contestant("obstore", "obstore", "obstore_s3.py", "page", {**count, "listed": True}, prefix=OURS),
            Contestant(
                "obstore, known names", "obstore", "obstore_s3.py", "page", {**count, "listed": False}, prefix=OURS
            ),
        ),
        _rounds(size, 11),
        (
            Target("lean@20", OURS, "ssshelf 0.1.3", "faster", 20),
            Target("lean@20", OURS, "by hand, aiobotocore", "faster", 3),
            Target("lean@20", OURS, "obstore", "within", 1.15),
        ),
    )


def _covering_page(size: Size) -> Scenario:
    return Scenario(
        "covering_page",
        "A covering page of 100 on S3",
        "page",
        "A covering collection keeps a part of each item in its entries, so a page is one listing and no item is read. "
        "It is compared with that one request, made by the storage.",
        ("lean@20",),
        (
            Contestant(OURS, "ssshelf", "ssshelf_s3.py", "covering_page", {"count": 100}, needs="get_covered"),
            Contestant(
                "one LIST", "ssshelf", "ssshelf_s3.py", "listing", {"count": 100}, prefix=OURS, needs="get_covered"
            ),
        ),
        _rounds(size, 15),
        (Target("lean@20", OURS, "one LIST", "within", 1.1),),
    )


def _requests(size: Size) -> list[Scenario]:
    many = {"count": 200 if size == "quick" else 2000, "width": 32}
    few = {"count": 4 if size == "quick" else 30, "width": 4}
    files = Contestant("s3fs", "s3fs", "s3fs_s3.py", "get", many)
    text = (
        "{what}, {width} at a time, with nothing between client and server, so that the client's work shows: what it "
        "computed, on all of its threads. A second divided by it is how many requests a core makes in one."
    )
    return [
        Scenario(
            name,
            title,
            "request",
            text.format(what=what, width=settings["width"]),
            ("lean",),
            (_s3(task, **settings), _by_hand(task, **settings), _obstore(task, **settings), *others),
            _rounds(size, 9),
            (
                Target("lean", OURS, "by hand, aiobotocore", "faster", against_botocore, "cpu"),
                *((Target("lean", OURS, "obstore", "within", 1.3, "cpu"),) if task == "get" else ()),
            ),
        )
        for name, title, what, task, settings, others, against_botocore in (
            ("s3_get", "GET requests", "Objects of 300 bytes", "get", many, (files,), 4),
            ("s3_put", "PUT requests", "Objects of 300 bytes", "put", many, (), 4),
            ("s3_list", "LIST requests", "Listings of 1,000 names", "scan", few, (), 15),
        )
    ]


def _inserts(size: Size) -> list[Scenario]:
    settings = {"count": 64 if size == "quick" else 640, "width": 64}
    return [
        Scenario(
            name,
            title,
            "item",
            "ssshelf inserts items that are listed in two collections: two PUTs at once, then one with a condition. "
            "The floor is obstore, which sends the same three PUTs in the same two steps, and encodes only JSON.",
            (place,),
            (_s3("insert", **settings), _obstore("insert", **settings)),
            _rounds(size, 7),
            (Target(place, OURS, "obstore", "faster", 0.9),),
        )
        for name, title, place in (
            ("insert_distant", "Insertions on S3, 64 at a time, 20 ms away", "lean@20"),
            ("insert_ceph", "Insertions on Ceph, 64 at a time", "ceph"),
        )
    ]


def _update(size: Size) -> Scenario:
    count = 50 if size == "quick" else 200
    shelf = Contestant(f"{OURS}, update", "ssshelf", "ssshelf_s3.py", "update", {"count": count, "together": True})
    slow = Contestant(f"{OURS}, one by one", "ssshelf", "ssshelf_s3.py", "update", {"count": count, "together": False})
    return Scenario(
        "shelf_update",
        "Many values of a shelf on S3, 20 ms away",
        "value",
        f"``Shelf.update`` of {count} values, against ``set`` of one after the other.",
        ("lean@20",),
        (shelf, slow),
        _rounds(size, 3),
    )


def _first_request(size: Size) -> Scenario:
    return Scenario(
        "first_request",
        "A first request on S3, 5 ms away",
        "program",
        "A Python is started that reads one object and ends: what a serverless function does when it is cold.",
        ("lean@5",),
        (_s3("first_request"), _by_hand("first_request")),
        _rounds(size, 7),
    )


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
        _rounds(size, 15),
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
        _rounds(size, 9),
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
        _rounds(size, 9),
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
        _rounds(size, 7),
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
        1 if size == "full" else _rounds(size, 3),
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
            _rounds(size, 9),
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
