"""A process that is forked into writers, for ``test_sigkill.py`` to kill: python -m tests.faults.writers STORAGE

STORAGE is the JSON of the arguments of an ``SQLiteStorage`` or an ``S3Storage``. For each seed on standard input a
writer is forked, which takes a few milliseconds where starting Python takes half a second. Standard output tells, a
JSON object on each line, which writer was forked, what it begins, what was acknowledged or refused, and how it ended.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
from typing import Any

from aiobotocore.session import get_session

from ssshelf import Collection, ConflictError, NotFoundError, RetryPolicy
from ssshelf.storages._aws_client import _read_files
from ssshelf.storages.s3 import S3Storage
from ssshelf.storages.sqlite import SQLiteStorage
from tests.bookmarks import Bookmark, Bookmarks, bookmark

__all__ = ["SLUGS", "Guests"]

TASKS = 5
SLUGS = [f"t{task}-{number}" for task in range(TASKS) for number in range(3)]
SEATS = range(8)
"""Fewer than there are items: writers compete for them, and some get none."""


class Guests(Bookmarks):
    by_seat = Collection[Bookmark](lambda item: item["seat"], unique=True)


def tell(**what: Any) -> None:
    os.write(1, f"{json.dumps(what)}\n".encode())  # at once, and whole


async def write(shelf: Guests, dice: random.Random, slugs: list[str], numbers: itertools.count[int]) -> None:
    while True:
        slug, number = dice.choice(slugs), next(numbers)
        tags = dice.sample(["x", "y", "z"], dice.randrange(3))
        item = {**bookmark(slug, dice.randrange(4), *tags), "seat": dice.choice(SEATS), "nonce": dice.getrandbits(64)}
        kind = dice.choice(["add", "add", "insert", "update", "update", "remove"])
        tell(begun=number, slug=slug, item=None if kind == "remove" else item)
        try:
            if kind == "add":
                await shelf.add_item(item)
            elif kind == "insert":
                await shelf.insert_item(item)
            elif kind == "update":
                await shelf.update_item(slug, lambda _, item=item: item)  # type: ignore[misc]
            else:
                await shelf.remove_item(slug)
        except (ConflictError, NotFoundError):
            tell(refused=number)
        else:
            tell(acknowledged=number)


async def write_for_ever(storage: SQLiteStorage | S3Storage, seed: int) -> None:
    async with storage:
        shelf = Guests(storage, retries=RetryPolicy(base_s=0.001, cap_s=0.02))
        numbers = itertools.count()
        async with asyncio.TaskGroup() as group:
            for task in range(TASKS):
                mine = [slug for slug in SLUGS if slug.startswith(f"t{task}-")]
                group.create_task(write(shelf, random.Random(f"{seed} {task}"), mine, numbers))


def main() -> None:
    settings = json.loads(sys.argv[1])
    if "bucket" in settings:
        session = settings["session"] = get_session()
        _read_files(session, "s3")
    for line in sys.stdin:
        if pid := os.fork():
            _, status = os.waitpid(pid, 0)
            tell(ended=pid, by=os.WTERMSIG(status))
        else:
            tell(forked=os.getpid())
            storage = S3Storage(**settings) if "bucket" in settings else SQLiteStorage(**settings)
            asyncio.run(write_for_ever(storage, int(line)))


if __name__ == "__main__":
    main()
