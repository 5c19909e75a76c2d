"""Runs all benchmarks, or those that are named.

python -m benchmarks [NAME …]
"""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = [
    "keys",
    "sqlite_rates",
    "sqlite_large",
    "page_of_100",
    "s3_cpu",
    "moving",
    "dynamodb_rates",
    "blocking_calls",
    "shelf_update",
    "dynamodb_mapping",
]


def main(names: list[str]) -> None:
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:] or BENCHMARKS)
