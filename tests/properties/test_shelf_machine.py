"""Any sequence of uses: a shelf agrees with a dict whose keys are sorted."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import ssshelf
from ssshelf import ConflictError, MemoryStorage
from ssshelf.keys import encode

KEYS: list[Any] = ["", "a", "a!", "ab", "é", 1, 2.5, -3, None, ("a", 1), ("a", 2), ("a", 2, "b"), (None, "a")]
keys = st.sampled_from(KEYS)
values = st.one_of(st.integers(-5, 5), st.lists(st.integers(0, 3), max_size=2))


def parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


class ShelfMachine(RuleBasedStateMachine):
    writeback = False

    def __init__(self) -> None:
        super().__init__()
        self.storage = MemoryStorage()
        self.shelf = self.open("n")
        self.model: dict[Any, Any] = {}

    def open(self, flag: Any) -> Any:
        return ssshelf.open(self.storage, flag, writeback=self.writeback, concurrency=2)

    def teardown(self) -> None:
        self.shelf.close()

    def ordered(self) -> list[Any]:
        return sorted(self.model, key=lambda key: encode(parts(key)))

    @rule(key=keys, value=values)
    def set(self, key: Any, value: Any) -> None:
        self.shelf[key] = self.model[key] = value

    @rule(key=keys)
    def get(self, key: Any) -> None:
        assert self.shelf.get(key, "no") == self.model.get(key, "no")
        assert (key in self.shelf) == (key in self.model)

    @rule(key=keys)
    def delete(self, key: Any) -> None:
        with contextlib.suppress(KeyError):
            del self.shelf[key]
            assert key in self.model
        self.model.pop(key, None)

    @rule(key=keys)
    def pop(self, key: Any) -> None:
        assert self.shelf.pop(key, "no") == self.model.pop(key, "no")

    @precondition(lambda self: self.model)
    @rule()
    def popitem(self) -> None:
        first = self.ordered()[0]
        assert self.shelf.popitem() == (first, self.model.pop(first))

    @rule(key=keys, value=values)
    def setdefault(self, key: Any, value: Any) -> None:
        assert self.shelf.setdefault(key, value) == self.model.setdefault(key, value)

    @rule(pairs=st.lists(st.tuples(keys, values), max_size=8))
    def update(self, pairs: list[Any]) -> None:
        self.shelf.update(pairs)
        self.model.update(pairs)

    @rule(some=st.lists(keys, max_size=4))
    def delete_many(self, some: list[Any]) -> None:
        self.shelf.delete_many(some)
        for key in some:
            self.model.pop(key, None)

    @rule(key=keys, value=values, stale=st.booleans())
    def replace(self, key: Any, value: Any, *, stale: bool) -> None:
        if self.writeback:
            self.shelf.sync()  # what is kept has no etag
        expect = None if key not in self.model or stale else self.shelf.get_entry(key)[1]
        try:
            self.shelf.replace(key, value, expect=expect)
        except ConflictError:
            assert stale
            assert key in self.model
        else:
            self.model[key] = value

    @rule()
    def clear(self) -> None:
        self.shelf.clear()
        self.model.clear()

    @rule()
    def reopen(self) -> None:
        self.shelf.close()
        self.shelf = self.open("w")

    @rule(prefix=st.sampled_from(["a", (None,), ("a", 2), "x"]))
    def list_a_prefix(self, prefix: Any) -> None:
        leading = parts(prefix)
        expected = [key for key in self.ordered() if parts(key)[: len(leading)] == leading]
        assert [*map(parts, self.shelf.keys(prefix=prefix))] == [*map(parts, expected)]

    @rule(start=keys, stop=keys)
    def list_a_range(self, start: Any, stop: Any) -> None:
        low, high = encode(parts(start)), encode(parts(stop))
        expected = {key: self.model[key] for key in self.ordered() if low <= encode(parts(key)) < high}
        start, stop = parts(start), parts(stop)
        assert [*self.shelf.items(start=start, stop=stop)] == [*expected.items()]
        assert len(self.shelf.values(start=start, stop=stop)) == len(expected)

    @invariant()
    def they_are_equal(self) -> None:
        assert [*self.shelf.items()] == [(key, self.model[key]) for key in self.ordered()]
        assert len(self.shelf) == len(self.model)
        assert bool(self.shelf) == bool(self.model)


class WritebackMachine(ShelfMachine):
    writeback = True

    @rule(key=keys)
    def change(self, key: Any) -> None:
        if isinstance(self.model.get(key), list):
            if self.shelf[key] is not self.model[key]:  # they share what was given to both
                self.model[key].append(9)
            self.shelf[key].append(9)

    @rule()
    def sync(self) -> None:
        self.shelf.sync()


TestShelf = ShelfMachine.TestCase
TestShelf.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
TestWriteback = WritebackMachine.TestCase
TestWriteback.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
