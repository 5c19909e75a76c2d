"""What is measured on tables of DynamoDB."""

from __future__ import annotations

from benchmarks.scenario import OURS, Contestant, Scenario, Size, rounds


def on_dynamodb(size: Size) -> list[Scenario]:
    return [
        *_dynamodb(size),
        _mapping(size),
    ]


def _dynamodb(size: Size) -> list[Scenario]:
    def contestants(kind: str, count: int, width: int) -> tuple[Contestant, ...]:
        settings = {"kind": kind, "count": count // 10 if size == "quick" else count, "width": width}
        everyone = (
            Contestant(OURS, "ssshelf", "ssshelf_dynamodb.py", "request", settings),
            Contestant("by hand, aiobotocore", "aiobotocore", "aiobotocore_dynamodb.py", "request", settings),
            Contestant("aiodynamo", "aiodynamo", "aiodynamo_dynamodb.py", "request", settings),
            Contestant("PynamoDB, threads", "pynamodb", "pynamodb_dynamodb.py", "request", settings),
        )
        return everyone[:2] if kind == "transact" else everyone

    return [
        Scenario(
            f"dynamodb_{kind}{suffix}",
            f"{title} on DynamoDB, {how}",
            "call",
            "Entries of 300 bytes. By hand, each is a request, with the attributes that ssshelf writes and asks for; "
            "aiodynamo and PynamoDB send their own for the same rows. Transactions they have not, or not like these.",
            ("dynamodb",),
            contestants(kind, count, width),
            rounds(size, 7),
        )
        for suffix, how, width in (("", "32 at a time", 32), ("_alone", "one by one", 1))
        for kind, title, count in (
            ("get", "Gets", 320),
            ("put", "Puts", 320),
            ("transact", "Transactions of 4 puts", 160),
            ("scan", "Listings of 100", 128),
        )
    ]


def _mapping(size: Size) -> Scenario:
    count = {"count": 100 if size == "quick" else 500}
    return Scenario(
        "dynamodb_mapping",
        "A table of DynamoDB as a dictionary",
        "item",
        f"``update`` of {count['count']} items of a ``DynamoDBMapping``, and of dynamodb_mapping, which puts each by "
        "itself.",
        ("dynamodb", "dynamodb@5"),
        (
            Contestant(OURS, "ssshelf", "ssshelf_dynamodb.py", "update", count),
            Contestant("dynamodb_mapping", "dynamodb_mapping", "mapping_dynamodb.py", "update", count),
        ),
        rounds(size, 5),
    )
