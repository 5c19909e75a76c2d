"""Shelf for code that does not await: what ``shelve`` and ``dbm`` users know, and what is more."""

from __future__ import annotations

import copy
import dbm
import gc
import itertools
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import ssshelf
from ssshelf import ConflictError, Key, MemoryStorage, NotFoundError, SQLiteStorage, StoreNotFoundError
from ssshelf._background import background
from ssshelf.serializers import Encrypted, PickleSerializer, TextSerializer
from ssshelf.storages.counting import CountingStorage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "notes.db")


@pytest.fixture
def shelf() -> Iterator[Any]:
    with ssshelf.open(MemoryStorage()) as opened:
        yield opened


def counted(**options: Any) -> tuple[CountingStorage, Any]:
    counting = CountingStorage(MemoryStorage())
    shelf = ssshelf.open(counting, **options)
    counting.reset()
    return counting, shelf


def test_a_file_is_a_dictionary_that_persists(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf["a"] = {"b": [1, 2]}
        shelf["a", 3] = "c"
    with ssshelf.open(Path(path), "r") as again:
        assert dict(again) == {"a": {"b": [1, 2]}, ("a", 3): "c"}
    with ssshelf.open(f"sqlite:///{path}") as by_url:
        assert by_url["a", 3] == "c"


def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    path = tmp_path / "100% of #1?.db"
    with ssshelf.open(path) as shelf:
        shelf["a"] = 1
    assert path.exists()


@pytest.mark.parametrize("flag", ["r", "w"])
def test_r_and_w_need_the_file_to_be_there(flag: Any, path: str) -> None:
    with pytest.raises(dbm.error) as caught:  # as users of dbm and shelve catch it
        ssshelf.open(path, flag)

    assert isinstance(caught.value, StoreNotFoundError)
    assert not Path(path).exists()
    with ssshelf.open(path):
        pass
    with ssshelf.open(path, flag) as shelf:
        assert len(shelf) == 0


def test_r_refuses_to_write(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf["a"] = 1
    with ssshelf.open(path, "r") as shelf:
        for write in (lambda: shelf.update(a=2), shelf.clear, shelf.popitem, lambda: shelf.setdefault("b", 2)):
            with pytest.raises(dbm.error, match="opened for reading only"):
                write()
        with pytest.raises(PermissionError):
            del shelf["a"]
        with pytest.raises(PermissionError):
            shelf["a"] = 2
        assert dict(shelf) == {"a": 1}


def test_n_removes_the_keys_of_this_shelf_only(path: str) -> None:
    for name in ("main", "other"):
        with ssshelf.open(path, name=name) as shelf:
            shelf["a"] = name

    with ssshelf.open(path, "n") as shelf:
        assert not shelf
    with ssshelf.open(path, "w", name="other") as other:
        assert other["a"] == "other"


def test_an_unknown_flag_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="flag must be 'r', 'w', 'c' or 'n', not 'x'"):
        ssshelf.open(path, "x")  # type: ignore[call-overload]


def test_what_only_reads_keeps_nothing_to_write_back(path: str) -> None:
    with pytest.raises(ValueError, match="writeback=True with flag 'r': nothing could be written back"):
        ssshelf.open(path, "r", writeback=True)


def test_what_cannot_be_opened_is_closed_again(tmp_path: Path) -> None:
    with pytest.raises(StoreNotFoundError, match="folder does not exist"):
        ssshelf.open(tmp_path / "missing" / "notes.db")
    gc.collect()  # would warn of what was never closed


def test_a_closed_shelf_refuses_all(path: str) -> None:
    shelf = ssshelf.open(path, writeback=True)
    shelf["a"] = 1
    shelf.close()
    shelf.close()

    for use in (lambda: shelf["a"], lambda: list(shelf), lambda: "a" in shelf, lambda: list(shelf.items()), shelf.sync):
        with pytest.raises(ValueError, match="is closed"):
            use()


def test_an_iterator_holds_the_shelf_until_it_ends(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf.update({n: n for n in range(1100)})

    assert sum(1 for _ in ssshelf.open(path)) == 1100
    assert sum(1 for _ in ssshelf.open(path).keys()) == 1100  # noqa: SIM118  the view is what is tried
    assert sum(1 for _ in ssshelf.open(path).items()) == 1100
    assert sum(1 for _ in ssshelf.open(path).values()) == 1100


def test_a_given_storage_stays_open() -> None:
    storage = MemoryStorage()
    with ssshelf.open(storage) as shelf:
        shelf["a"] = 1
    with ssshelf.open(storage) as again:
        assert again["a"] == 1


def test_views_are_lazy_and_read_anew(shelf: Any) -> None:
    keys, items, values = shelf.keys(), shelf.items(), shelf.values()
    shelf.update(a=1, b=2)

    assert (list(keys), list(items), list(values)) == (["a", "b"], [("a", 1), ("b", 2)], [1, 2])
    assert (len(keys), len(items), len(values)) == (2, 2, 2)
    del shelf["a"]
    assert (list(keys), list(items), list(values)) == (["b"], [("b", 2)], [2])


def test_views_are_sets(shelf: Any) -> None:
    shelf.update({"a": 1, "b": 2, ("b", 1): 3, ("b", 2): 4})
    within = shelf.keys(prefix="b")

    assert within == {"b", ("b", 1), ("b", 2)}
    assert within & {"a", ("b", 1)} == {("b", 1)}
    assert {"a", "b"} - within == {"a"}
    assert within <= shelf.keys()
    assert within.isdisjoint({"a", "x"})
    assert ("b", 1) in within
    assert "a" not in within
    assert ("b", 3) not in within
    assert (("b", 1), 3) in shelf.items(prefix="b")
    assert (("b", 1), 4) not in shelf.items(prefix="b")
    assert ("a", 1) not in shelf.items(prefix="b")
    assert ("x", 1) not in shelf.items()
    assert "a" not in shelf.items()
    assert 4 in shelf.values(start="b")
    assert 1 not in shelf.values(start="b")
    assert shelf.items(stop="b") | {("x", 0)} == {("a", 1), ("x", 0)}


def test_a_range_is_a_view(shelf: Any) -> None:
    shelf.update({("day", n): n for n in range(10)})
    view = shelf.items(prefix="day", start=3, stop=6)

    assert list(view) == list(view) == [(("day", n), n) for n in (3, 4, 5)]
    assert len(view) == 3
    assert list(shelf.values(start=("day", 8))) == [8, 9]
    assert repr(shelf.keys()).startswith("<keys of <blocking Shelf(MemoryStorage(")


def test_it_is_a_mutable_mapping(shelf: Any) -> None:
    shelf |= {"a": 1, "b": 2}

    assert shelf == {"a": 1, "b": 2}
    assert shelf | {"b": 3} == {"a": 1, "b": 3}
    assert {"b": 3, "c": 4} | shelf == {"a": 1, "b": 2, "c": 4}
    assert type(shelf | {}) is type(shelf.copy()) is dict
    with pytest.raises(TypeError):
        shelf | 5
    with pytest.raises(TypeError):
        5 | shelf
    assert shelf.popitem() == ("a", 1)
    assert shelf.get_many(["b", "x"]) == {"b": 2}
    shelf.delete_many(["b", "x"])
    assert not shelf


def test_what_is_not_there_is_a_key_error(shelf: Any) -> None:
    for use in (lambda: shelf["a"], lambda: shelf.pop("a"), lambda: shelf.__delitem__("a"), shelf.popitem):
        with pytest.raises(KeyError) as caught:
            use()
        assert isinstance(caught.value, NotFoundError)
    for use in (lambda: shelf["a", 1], lambda: shelf.pop(("a", 1)), lambda: shelf.__delitem__(("a", 1))):
        with pytest.raises(KeyError) as caught:
            use()
        assert caught.value.args == (("a", 1),)
    assert shelf.pop("a", None) is None
    assert shelf.get("a", 5) == 5


@pytest.mark.parametrize("key", [[], {}, ("a", [])], ids=str)
def test_what_is_no_key_is_a_type_error_as_in_a_dict(key: Any, shelf: Any) -> None:
    for use in (lambda: shelf[key], lambda: key in shelf, lambda: shelf.get(key), lambda: shelf.pop(key, 1)):
        with pytest.raises(TypeError, match="cannot be part of a key"):
            use()


def test_a_value_is_replaced_only_as_it_was_read(shelf: Any) -> None:
    etag = shelf.replace("a", 1, expect=None)
    value, same = shelf.get_entry("a")
    assert (value, same) == (1, etag)

    shelf["a"] = 2
    with pytest.raises(ConflictError):
        shelf.replace("a", 3, expect=etag)
    assert shelf["a"] == 2


def test_what_changes_meanwhile_does_not_break_an_iteration(shelf: Any) -> None:
    shelf.update({n: n for n in range(2000)})

    seen = []
    for key in shelf:
        seen.append(key)
        shelf.pop(key + 500, None)
    assert seen[:500] == list(range(500))
    assert len(shelf) == len(set(shelf))


def test_an_update_may_come_from_another_shelf(shelf: Any) -> None:
    shelf.update({n: n for n in range(1500)})
    with ssshelf.open(MemoryStorage()) as other:
        other.update(shelf)
        other.update(shelf.items(start=1000))
        assert other == shelf


# writeback


def test_without_writeback_a_value_is_a_copy(shelf: Any) -> None:
    shelf["a"] = [1]
    shelf["a"].append(2)

    assert shelf["a"] == [1]


def test_with_writeback_what_was_changed_is_written(path: str) -> None:
    with ssshelf.open(path) as shelf:
        shelf.update(a=[1], b=[1], c=[1], d=[1], e=[1])
    with ssshelf.open(path, "w", writeback=True) as shelf:
        shelf["a"].append(2)
        shelf["b"].append(2)
        for key, value in shelf.items(start="c"):
            value.append(key)
        shelf.setdefault("f", []).append(3)
        mine = [4]
        shelf["g"] = mine
        mine.append(5)
        shelf.get_many(["g"])["g"].append(6)
        assert dict(shelf) == {
            "a": [1, 2],
            "b": [1, 2],
            "c": [1, "c"],
            "d": [1, "d"],
            "e": [1, "e"],
            "f": [3],
            "g": [4, 5, 6],
        }
        expected = dict(shelf)
    with ssshelf.open(path, "r") as again:
        assert dict(again) == expected


def test_only_what_has_changed_is_written() -> None:
    counting, shelf = counted(writeback=True)
    shelf.update({n: [n] for n in range(10)})
    shelf.sync()
    values = dict(shelf)
    counting.reset()

    values[3].append(0)
    shelf.sync()
    assert str(counting) == "1 put in 1 step"
    shelf.sync()
    assert str(counting) == "1 put in 1 step"
    values[3].append(1)  # no longer kept
    shelf.close()
    assert shelf._shelf.storage is counting
    assert str(counting) == "1 put in 1 step"


def test_what_is_encrypted_anew_each_time_has_not_changed() -> None:
    salts = (bytes([salt]) for salt in itertools.count(1))
    serializer: Encrypted[Any] = Encrypted("json", lambda data: next(salts) + data, lambda data: data[1:])
    counting, shelf = counted(writeback=True, serializer=serializer)
    shelf["a"] = [1]
    counting.reset()

    assert shelf["a"] == [1]
    shelf.sync()
    assert counting.total == 0
    shelf["a"].append(2)
    shelf.sync()
    assert counting.counts["put"] == 1


def test_writeback_sees_itself() -> None:
    with ssshelf.open(MemoryStorage(), writeback=True) as shelf:
        shelf.update(a=[1], b=[2])
        shelf["a"].append(1)

        assert shelf["a"] == [1, 1]
        assert list(shelf.values()) == [[1, 1], [2]]
        assert ("a", [1, 1]) in shelf.items()
        assert shelf.pop("a") == [1, 1]
        assert "a" not in shelf
        assert shelf.popitem() == ("b", [2])
        shelf["c"] = [3]
        del shelf["c"]
        assert len(shelf) == 0
        shelf["c"] = [4]
        shelf.clear()
        shelf.sync()
        assert not shelf


def test_what_cannot_be_written_back_stays_kept() -> None:
    shelf = ssshelf.open(MemoryStorage(), writeback=True)
    shelf["a"] = [1]
    shelf["a"].append(object())

    with pytest.raises(TypeError, match=r"^the value of 'a' was not stored: "):
        shelf.sync()
    shelf["a"].pop()
    shelf["a"].append(2)
    shelf.close()
    with ssshelf.open(shelf._shelf.storage) as again:
        assert again["a"] == [1, 2]


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # how long it took
    assert (done.returncode, complaints) == (0, [])
    return done.stdout


def test_a_forgotten_shelf_is_written_back_and_closed(path: str) -> None:
    run(
        """
        import sys, ssshelf
        shelf = ssshelf.open(sys.argv[1], writeback=True)
        shelf["a"] = [1]
        shelf["a"].append(2)
        """,
        path,
    )

    with ssshelf.open(path, "r") as again:
        assert again["a"] == [1, 2]


@pytest.mark.parametrize("writeback", [False, True])
def test_after_a_fork_a_shelf_is_refused(writeback: bool, path: str) -> None:  # noqa: FBT001
    out = run(
        """
        import os, sys, warnings, ssshelf
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        shelf = ssshelf.open(sys.argv[1], writeback=sys.argv[2] == "True")
        shelf["a"] = [1]
        if os.fork() == 0:
            try:
                shelf["a"].append(2)
            except ValueError as error:
                print(error, flush=True)
            with ssshelf.open(sys.argv[1]) as mine:
                print(mine["a"], flush=True)
            os._exit(0)
        os.wait()
        shelf.close()
        """,
        path,
        str(writeback),
    )
    assert out == "this was opened before a fork: open it again in each process\n[1]\n"


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_shelf_stays_in_its_process(copied: Any, shelf: Any) -> None:
    with pytest.raises(TypeError, match=r"a Shelf can be neither pickled nor copied.*: open it in each process"):
        copied(shelf)


ENDINGS = [
    "atexit.register(use)",
    "threading.Thread(target=lambda: (threading.main_thread().join(), use())).start()",
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("early", ["", "import ssshelf.blocking"])
def test_who_begins_when_the_process_ends_succeeds_or_is_told_why_not(early: str, ending: str, path: str) -> None:
    """Python refuses imports and threads then, more of them in each version."""
    program = f"""
        import atexit, sys, threading, ssshelf
        {early}
        def use():
            try:
                with ssshelf.open(sys.argv[1]) as shelf:
                    shelf["a"] = 1
                    print(dict(shelf))
            except RuntimeError as error:
                print(error)
        {ending}
    """
    told = "the process is ending: nothing answers blocking calls any more; make them, or the first of them, earlier\n"
    expected = {"{'a': 1}\n", told} if early else {told}
    assert run(program, path) in expected


def test_opening_a_shelf_imports_no_client_of_aws(path: str) -> None:
    out = run(
        """
        import sys, ssshelf
        print("anyio" in sys.modules, "ssshelf.blocking" in sys.modules)
        ssshelf.open(sys.argv[1]).close()
        print("botocore" in sys.modules, "msgspec" in sys.modules)
        """,
        path,
    )
    assert out == "False False\nFalse False\n"


@pytest.mark.parametrize(
    ("use", "cost"),
    [
        (lambda s: s["a"], "1 get in 1 step"),
        (lambda s: s.get("x"), "1 get in 1 step"),
        (lambda s: s.__setitem__("a", 1), "1 put in 1 step"),
        (lambda s: s.__delitem__("a"), "1 delete, 1 scan in 2 steps"),
        (lambda s: "a" in s, "1 scan in 1 step"),
        (len, "2 scan in 2 steps"),
        (bool, "1 scan in 1 step"),
        (lambda s: next(iter(s)), "1 scan in 1 step"),
        (lambda s: [*map(str, s)], "2 scan in 2 steps"),
        (list, "4 scan in 4 steps"),  # it asks for the length before
        (lambda s: [*map(str, s.keys(prefix="a"))], "2 scan in 2 steps"),
        (lambda s: s.setdefault("a", 1), "1 get in 1 step"),
        (lambda s: s.setdefault("x", 1), "1 get, 1 put in 2 steps"),
        (lambda s: s.pop("a"), "1 delete, 1 get in 2 steps"),
        (lambda s: s.pop("x", None), "1 get in 1 step"),
        (lambda s: s.popitem(), "1 delete, 1 get, 1 scan in 3 steps"),
        (lambda s: s.get_entry("a"), "1 get in 1 step"),
        (lambda s: s.replace("x", 1, expect=None), "1 put in 1 step"),
        (lambda s: s.delete_many(["a", 1, 2]), "1 delete_many in 1 step"),
        (lambda s: s.clear(), "2 delete_many, 2 scan in 4 steps"),
        (lambda s: s.update(dict.fromkeys(range(64), 1)), "1 commit in 1 step"),
    ],
    ids=itertools.count(),
)
def test_what_an_operation_costs(use: Any, cost: str) -> None:
    counting, shelf = counted()
    shelf.update(dict.fromkeys([*range(1500), "a"], 0))
    counting.reset()

    use(shelf)
    assert str(counting) == cost


def test_opening_costs_a_scan() -> None:
    counting = CountingStorage(MemoryStorage())
    ssshelf.open(counting)

    assert str(counting) == "1 scan in 1 step"


def test_a_shelf_and_the_awaited_one_are_one() -> None:
    storage = MemoryStorage()
    with ssshelf.open(storage, serializer=TextSerializer()) as shelf:
        background().call(ssshelf.Shelf(storage, serializer="text").set, "a", "b")

        assert shelf["a"] == "b"
        assert background().call(storage.get, Key("shelves", "main", "a")).data == b"b"


def test_pickles_are_not_read_unless_asked_for(path: str) -> None:
    with ssshelf.open(path, serializer=PickleSerializer()) as shelf:
        shelf["a"] = {1, 2}
    with ssshelf.open(path) as careful, pytest.raises(ssshelf.CorruptionError, match="stored by another serializer"):
        careful["a"]


def test_a_storage_that_makes_no_file(path: str) -> None:
    storage = SQLiteStorage(path, create=False)
    with pytest.raises(FileNotFoundError):
        ssshelf.open(storage)
    background().call(storage.aclose)
