"""What is measured on buckets."""

from __future__ import annotations

from typing import Any

from benchmarks.scenario import OURS, Contestant, Scenario, Size, Target, rounds


def on_s3(size: Size) -> list[Scenario]:
    return [
        _page(size),
        _covering_page(size),
        *_requests(size),
        *_inserts(size),
        _update(size),
        _first_request(size),
    ]


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
        rounds(size, 9),
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
            Contestant(OURS, "ssshelf", "ssshelf_s3.py", "covering_page", {"count": 100}),
            Contestant("one LIST", "ssshelf", "ssshelf_s3.py", "listing", {"count": 100}, prefix=OURS),
        ),
        rounds(size, 15),
        (Target("lean@20", OURS, "one LIST", "within", 1.1),),
    )


def _requests(size: Size) -> list[Scenario]:
    many = {"count": 200 if size == "quick" else 2000, "width": 32}
    few = {"count": 4 if size == "quick" else 30, "width": 4}
    files = Contestant("s3fs", "s3fs", "s3fs_s3.py", "get", many)
    text = (
        "{what}, {width} at a time, with nothing between client and server, so that the client's work shows: what it "
        "computed, on all of its threads. A second divided by it is how many requests a core makes in one. "
        "aiohttp alone neither signs requests nor parses answers."
    )
    return [
        Scenario(
            name,
            title,
            "request",
            text.format(what=what, width=settings["width"]),
            ("lean",),
            (
                _s3(task, **settings),
                _by_hand(task, **settings),
                _obstore(task, **settings),
                Contestant("aiohttp alone", "aiobotocore", "aiohttp_s3.py", "request", {"kind": task, **settings}),
                *others,
            ),
            rounds(size, 9),
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
            rounds(size, 7),
            (Target(place, OURS, "obstore", "faster", 0.9),),
        )
        for name, title, place in (
            ("insert_distant", "Insertions on S3, 64 at a time, 20 ms away", "lean@20"),
            ("insert_ceph", "Insertions on Ceph, 64 at a time", "ceph"),
        )
    ]


def _update(size: Size) -> Scenario:
    count = 50 if size == "quick" else 1000
    shelf = Contestant(f"{OURS}, update", "ssshelf", "ssshelf_s3.py", "update", {"count": count, "together": True})
    slow = Contestant(f"{OURS}, one by one", "ssshelf", "ssshelf_s3.py", "update", {"count": count, "together": False})
    return Scenario(
        "shelf_update",
        "Many values of a shelf on S3, 20 ms away",
        "value",
        f"``Shelf.update`` of {count} values, against ``set`` of one after the other.",
        ("lean@20",),
        (shelf, slow),
        rounds(size, 3),
        (Target("lean@20", shelf.name, slow.name, "faster", 30),),
    )


def _first_request(size: Size) -> Scenario:
    return Scenario(
        "first_request",
        "A first request on S3, 5 ms away",
        "program",
        "A Python is started that reads one object and ends: what a serverless function does when it is cold.",
        ("lean@5",),
        (Contestant(OURS, "ssshelf[s3]", "ssshelf_s3.py", "first_request"), _by_hand("first_request")),
        rounds(size, 7),
    )
