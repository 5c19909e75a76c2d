"""How long ``update`` of 1,000 items of a DynamoDBMapping takes, against dynamodb_mapping 0.1.2, which puts one by one.

On DynamoDB Local, which tests/servers/install.sh installs, as it is and behind a proxy that adds 5 ms, which is about
what a table on AWS takes. dynamodb_mapping is one of the extra ``peers``.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import shlex
import statistics
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.dynamodb_rates import CREDENTIALS, REGION, SERVER
from benchmarks.report import in_turns, medians, same, save, table
from ssshelf import DynamoDBMapping
from ssshelf.testing.servers import served

if TYPE_CHECKING:
    from collections.abc import MutableMapping

ITEMS = 1000
ROUNDS = {0: 7, 5: 3}
OURS, THEIRS = "ssshelf", "dynamodb_mapping"


def items(turn: int) -> dict[str, dict[str, Any]]:
    return {f"item-{n:04}": {"description": "x" * 50, "price": n, "turn": turn} for n in range(ITEMS)}


async def seconds(mapping: MutableMapping[str, Any], turns: list[int]) -> float:
    """Return how long an update takes, which is found in the table then."""
    turns.append(len(turns))
    written = items(turns[-1])
    started = time.perf_counter()
    mapping.update(written)
    passed = time.perf_counter() - started
    same(dict(mapping["item-0999"]), {"id": "item-0999", **written["item-0999"]})
    return passed


def compare(url: str, rounds: int) -> dict[str, list[float]]:
    os.environ["AWS_ENDPOINT_URL"] = url
    peer = importlib.import_module("dynamodb_mapping").DynamoDBMapping
    names = {name: f"{name}-{uuid.uuid4().hex}" for name in (OURS, THEIRS)}
    DynamoDBMapping.create_table(names[THEIRS], {"id": str}).close()
    with DynamoDBMapping.create_table(names[OURS], {"id": str}) as ours:
        mappings: dict[str, MutableMapping[str, Any]] = {OURS: ours, THEIRS: peer(names[THEIRS])}
        work = {name: functools.partial(seconds, mapping, []) for name, mapping in mappings.items()}
        return asyncio.run(in_turns(work, rounds))


def main() -> None:
    os.environ.update({"AWS_DEFAULT_REGION": REGION, **CREDENTIALS})
    results: dict[str, dict[str, list[float]]] = {}
    with served([SERVER, "run", "local"]) as url:
        for delay_ms, rounds in ROUNDS.items():
            proxy = (
                f'exec {shlex.quote(sys.executable)} -m benchmarks.latency_proxy "$0" 127.0.0.1 {urlsplit(url).port}'
            )
            with served(["sh", "-c", f"{proxy} {delay_ms}"]) as distant:
                results[f"{delay_ms} ms away"] = compare(distant if delay_ms else url, rounds)
    rows = []
    for place, measured in results.items():
        ratio = statistics.median(theirs / ours for ours, theirs in zip(measured[OURS], measured[THEIRS], strict=True))
        rows.append([place, *(f"{median:.3f}" for median in medians(measured).values()), f"{ratio:.1f}"])
    table(f"Seconds for update() of {ITEMS} items", ["", OURS, THEIRS, "ratio, in pairs"], rows)
    save("dynamodb_mapping", {"items": ITEMS, "seconds": results})


if __name__ == "__main__":
    main()
