"""How long it takes to encode and to decode a key of three parts."""

from __future__ import annotations

import datetime as dt
import statistics
import time
import uuid
from typing import TYPE_CHECKING

from benchmarks.report import save, table
from ssshelf.keys import Desc, Part, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = 20_000  # more than are kept in a cache
ROUNDS = 7
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

KINDS: dict[str, Callable[[int], tuple[Part, Part, Part]]] = {
    "letters and digits": lambda i: (f"tag{i % 50}", f"group{i % 7}", f"item{i}"),
    "texts with signs": lambda i: (f"tag-{i % 50}", f"a/b c/{i}", f"item_{i}.txt"),
    "texts beyond ASCII": lambda i: (f"Straße {i % 50}", f"日本語 {i}", f"Ærø {i}"),
    "integers": lambda i: (i % 50, -i, i * 1_000_003),
    "floats": lambda i: (i / 7, -i / 3, i * 1e-5),
    "days and datetimes": lambda i: (START.date(), START + dt.timedelta(seconds=i), START + dt.timedelta(days=i)),
    "UUIDs": lambda i: (uuid.UUID(int=i % 50), uuid.UUID(int=i << 64), uuid.UUID(int=i)),
    "text, newest first, text": lambda i: (f"tag{i % 50}", Desc(START + dt.timedelta(seconds=i)), f"item{i}"),
    "text, greatest first, text": lambda i: (f"tag{i % 50}", Desc(i), f"item{i}"),
}


def microseconds(function: Callable[..., object], values: list[tuple[Part, ...]] | list[str]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for value in values:
            function(value)
        taken.append((time.process_time() - started) / len(values) * 1e6)
    return statistics.median(taken)


def main() -> None:
    results: dict[str, dict[str, float]] = {}
    for kind, make in KINDS.items():
        keys = [make(i) for i in range(COUNT)]
        texts = [encode(key) for key in keys]
        results[kind] = {"encode_us": microseconds(encode, keys), "decode_us": microseconds(decode, texts)}  # type: ignore[arg-type]
    rows = [[kind, f"{r['encode_us']:.1f}", f"{r['decode_us']:.1f}"] for kind, r in results.items()]
    table("Keys of three parts", ["parts", "encode, µs", "decode, µs"], rows)
    save("keys", {"keys": results})


if __name__ == "__main__":
    main()
