"""Containers that tell of their changes."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from ssshelf._observed import ObservedDict, observed, plain

CHANGES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "dict set": ({}, lambda d: d.__setitem__("a", 1)),
    "dict delete": ({"a": 1}, lambda d: d.__delitem__("a")),
    "dict |=": ({}, lambda d: d.__ior__({"a": 1})),
    "dict clear": ({"a": 1}, lambda d: d.clear()),
    "dict pop": ({"a": 1}, lambda d: d.pop("a")),
    "dict popitem": ({"a": 1}, lambda d: d.popitem()),
    "dict setdefault": ({}, lambda d: d.setdefault("a", [])),
    "dict update": ({}, lambda d: d.update(a=1, b=2)),
    "list set": ([1], lambda x: x.__setitem__(0, 2)),
    "list slice": ([1], lambda x: x.__setitem__(slice(None), [2, [3]])),
    "list delete": ([1], lambda x: x.__delitem__(0)),
    "list +=": ([1], lambda x: x.__iadd__([2])),
    "list *=": ([1], lambda x: x.__imul__(2)),
    "list append": ([], lambda x: x.append({})),
    "list clear": ([1], lambda x: x.clear()),
    "list extend": ([], lambda x: x.extend([1, 2])),
    "list insert": ([1], lambda x: x.insert(0, 2)),
    "list pop": ([1], lambda x: x.pop()),
    "list remove": ([1], lambda x: x.remove(1)),
    "list reverse": ([1, 2], lambda x: x.reverse()),
    "list sort": ([2, 1], lambda x: x.sort()),
    "set &=": ({1, 2}, lambda s: s.__iand__({1})),
    "set |=": ({1}, lambda s: s.__ior__({2})),
    "set -=": ({1}, lambda s: s.__isub__({1})),
    "set ^=": ({1}, lambda s: s.__ixor__({2})),
    "set add": (set(), lambda s: s.add(1)),
    "set clear": ({1}, lambda s: s.clear()),
    "set difference": ({1}, lambda s: s.difference_update({1})),
    "set discard": ({1}, lambda s: s.discard(1)),
    "set intersection": ({1}, lambda s: s.intersection_update({2})),
    "set pop": ({1}, lambda s: s.pop()),
    "set remove": ({1}, lambda s: s.remove(1)),
    "set symmetric difference": ({1}, lambda s: s.symmetric_difference_update({2})),
    "set update": (set(), lambda s: s.update({1})),
}


class Told:
    def __init__(self) -> None:
        self.times = 0
        self.failing = False

    def __call__(self) -> None:
        if self.failing:
            msg = "not now"
            raise OSError(msg)
        self.times += 1


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("deep", [False, True])
def test_each_change_is_told_once_and_does_what_a_plain_container_does(name: str, *, deep: bool) -> None:
    start, change = CHANGES[name]
    told = Told()
    root = ObservedDict({"deep": {"deeper": [copy.deepcopy(start)]}} if deep else {"top": copy.deepcopy(start)}, told)
    inner = root["deep"]["deeper"][0] if deep else root["top"]
    expected = copy.deepcopy(start)

    assert plain(change(inner)) == plain(change(expected))
    assert (plain(inner), told.times) == (expected, 1)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_cannot_be_told_is_undone(name: str) -> None:
    start, change = CHANGES[name]
    told = Told()
    root = ObservedDict({"top": copy.deepcopy(start)}, told)
    told.failing = True

    with pytest.raises(OSError, match="not now"):
        change(root["top"])

    assert root == {"top": start}
    assert type(root["top"]) is not type(start)  # it is observed still


@pytest.mark.parametrize("kind", [dict, list, set])
def test_no_method_that_changes_a_container_is_forgotten(kind: type) -> None:
    changing = {
        name
        for name in dir(kind)
        if name.lstrip("_") in {"setitem", "delitem", "ior", "iand", "isub", "ixor", "iadd", "imul"}
        or name in {"append", "extend", "insert", "remove", "reverse", "sort", "add", "discard", "setdefault"}
        or name in {"clear", "pop", "popitem"}
        or name.endswith("update")
    }
    overridden = {name for name in changing if name in vars(type(observed(kind(), Told())))}
    assert changing == overridden
    assert sum(isinstance(start, kind) for start, _ in CHANGES.values()) >= len(changing)


def test_what_is_put_in_is_observed_from_then_on() -> None:
    told = Told()
    root = ObservedDict({}, told)
    root["a"] = {"b": [1]}
    root["a"]["b"].append(2)

    assert (root, told.times) == ({"a": {"b": [1, 2]}}, 2)


def test_tuples_become_lists_as_they_do_in_the_store() -> None:
    told = Told()
    root = ObservedDict({"a": ([1],)}, told)
    root["a"][0].append(2)
    root["b"] = ({},)
    root["b"][0]["c"] = 3

    assert (root, told.times) == ({"a": [[1, 2]], "b": [{"c": 3}]}, 3)


def test_a_plain_copy_shares_nothing_inside_a_tuple() -> None:
    given = {"a": ([1],)}
    copied = plain(given)
    copied["a"][0].append(2)

    assert (given, copied) == ({"a": ([1],)}, {"a": [[1, 2]]})


def test_what_is_set_by_default_is_observed_at_once() -> None:
    told = Told()
    root = ObservedDict({}, told)
    root.setdefault("a", []).append(1)
    root.setdefault("a", []).append(2)

    assert (root, told.times) == ({"a": [1, 2]}, 3)


def test_a_change_holds_the_lock_until_it_is_told() -> None:
    class Lock:
        held = 0

        def __enter__(self) -> None:
            self.held += 1

        def __exit__(self, *_: object) -> None:
            self.held -= 1

    lock, seen = Lock(), []
    root = ObservedDict({"a": [{1}, {}]}, lambda: seen.append(lock.held), lock)
    root["b"] = 1
    root["a"].append([])
    root["a"][0].add(2)
    root["a"][1]["c"] = 3
    root["a"][2].append(4)

    assert (seen, lock.held) == ([1] * 5, 0)


def test_what_moves_to_another_owner_tells_that_one() -> None:
    told, other = Told(), Told()
    one, two = ObservedDict({"a": [1]}, told), ObservedDict({}, other)
    two["a"] = one["a"]
    two["a"].append(2)

    assert (one, told.times) == ({"a": [1]}, 0)
    assert (two, other.times) == ({"a": [1, 2]}, 2)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), plain])
def test_copies_are_plain(again: Callable[[Any], Any]) -> None:
    root = again(ObservedDict({"a": [{"b": {1, 2}}]}, Told()))

    assert root == {"a": [{"b": {1, 2}}]}
    assert [type(root), type(root["a"]), type(root["a"][0]), type(root["a"][0]["b"])] == [dict, list, dict, set]


def test_they_are_json_like_what_they_hold() -> None:
    root = ObservedDict({"a": [{"b": 1}]}, Told())

    assert json.dumps(root) == '{"a": [{"b": 1}]}'
    assert orjson.dumps(root) == b'{"a":[{"b":1}]}'
