"""Eight threads on one blocking shelf.

    python -m tests.integration.threads URL OPERATIONS

Each has keys of its own, which it compares with a dictionary after each operation, and all share a few: what is popped
there was set by one and is got by one; of those who set a default all get the same.
"""

from __future__ import annotations

import collections
import contextlib
import random
import sys
import threading
from collections.abc import Iterable
from typing import Any

import ssshelf
from ssshelf.blocking import run
from ssshelf.storages import open_storage
from ssshelf.storages.s3 import S3Storage

THREADS = 8
SHARED = 4
DEFAULTS = 100


class User:
    """One thread."""

    def __init__(self, number: int, shelf: Any) -> None:
        self.number = number
        self.shelf = shelf
        self.dice = random.Random(number)
        self.model: dict[Any, Any] = {}
        self.put: collections.Counter[Any] = collections.Counter()
        self.got: collections.Counter[Any] = collections.Counter()
        self.defaults: dict[Any, set[int]] = collections.defaultdict(set)
        self.failure: BaseException | None = None

    def work(self, operations: int) -> None:
        try:
            for step in range(operations):
                self.dice.choice(OPERATIONS)(self, ("own", self.number, self.dice.randrange(20)), step)
            assert dict(self.shelf.items(prefix=("own", self.number))) == self.model
        except BaseException as error:  # noqa: BLE001  told at the end
            self.failure = error

    def set(self, key: Any, step: int) -> None:
        self.shelf[key] = self.model[key] = [self.number, step]

    def get(self, key: Any, _: int) -> None:
        assert self.shelf.get(key) == self.model.get(key)

    def has(self, key: Any, _: int) -> None:
        assert (key in self.shelf) == (key in self.model)

    def delete(self, key: Any, _: int) -> None:
        with contextlib.suppress(KeyError):
            del self.shelf[key]
            assert key in self.model
        self.model.pop(key, None)

    def pop(self, key: Any, _: int) -> None:
        assert self.shelf.pop(key, None) == self.model.pop(key, None)

    def setdefault(self, key: Any, step: int) -> None:
        assert self.shelf.setdefault(key, step) == self.model.setdefault(key, step)

    def update(self, key: Any, step: int) -> None:
        pairs = {(*key[:2], self.dice.randrange(20)): step for _ in range(5)}
        self.shelf.update(pairs)
        self.model.update(pairs)

    def list_own(self, key: Any, _: int) -> None:
        assert sorted(self.model) == [*map(tuple, self.shelf.keys(prefix=key[:2]))]

    def replace(self, key: Any, step: int) -> None:
        expect = self.shelf.get_entry(key)[1] if key in self.model else None
        self.shelf.replace(key, step, expect=expect)
        self.model[key] = step

    def offer(self, _: Any, step: int) -> None:
        """Set a shared key that is absent; who succeeds has put a token there, that somebody will get."""
        token = [self.number, step]
        with contextlib.suppress(ssshelf.ConflictError):
            self.shelf.replace(("shared", self.dice.randrange(SHARED)), token, expect=None)
            self.put[tuple(token)] += 1

    def claim(self, _: Any, __: int) -> None:
        token = self.shelf.pop(("shared", self.dice.randrange(SHARED)), None)
        if token is not None:
            self.got[tuple(token)] += 1

    def agree(self, _: Any, __: int) -> None:
        key = ("agreed", self.dice.randrange(DEFAULTS))
        self.defaults[key].add(self.shelf.setdefault(key, self.number))


OPERATIONS = [
    User.set,
    User.set,
    User.get,
    User.get,
    User.has,
    User.delete,
    User.pop,
    User.setdefault,
    User.update,
    User.list_own,
    User.replace,
    User.offer,
    User.claim,
    User.agree,
]


def main(url: str, operations: int) -> None:
    if url.startswith("s3:"):
        make_bucket(url)
    with ssshelf.open(url, "n") as shelf:
        users = [User(number, shelf) for number in range(THREADS)]
        threads = [threading.Thread(target=user.work, args=(operations,)) for user in users]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for user in users:
            if user.failure is not None:
                raise user.failure
        check(shelf, users)
    print(f"{THREADS} threads, {operations:,} operations, equal to the model")


def check(shelf: Any, users: list[User]) -> None:
    for user in users:
        assert dict(shelf.items(prefix=("own", user.number))) == user.model
    left = collections.Counter(map(tuple, shelf.values(prefix="shared")))
    put = summed(user.put for user in users)
    assert put == summed(user.got for user in users) + left
    assert set(put.values()) <= {1}
    for key, value in shelf.items(prefix="agreed"):
        assert {value} == set().union(*(user.defaults[key] for user in users))
    assert len(shelf) == len(list(shelf))


def summed(counters: Iterable[collections.Counter[Any]]) -> collections.Counter[Any]:
    return sum(counters, collections.Counter())


def make_bucket(url: str) -> None:
    async def make() -> None:
        async with open_storage(url) as storage:
            assert isinstance(storage, S3Storage)
            client = await storage._pool.get()
            with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
                await client.create_bucket(Bucket=storage.bucket)

    run(make)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
