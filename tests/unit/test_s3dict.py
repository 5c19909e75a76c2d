"""A dict saved as one JSON document."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle
import threading
from collections import OrderedDict, UserDict
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    ConflictError,
    CorruptionError,
    Key,
    KeyTooLongError,
    MemoryStorage,
    NotFoundError,
    S3Dict,
    UnsupportedError,
)
from ssshelf._background import background
from ssshelf.storages.counting import CountingStorage
from tests.programs import run
from tests.storages import LimitedStorage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ssshelf.storages.base import Storage

NAME = "folder/state.json"


@pytest.fixture
def storage() -> CountingStorage:
    return CountingStorage(MemoryStorage())


def open_dict(storage: Storage, **options: Any) -> Any:
    return S3Dict(file_name=NAME, storage=storage, **options)


def stored(storage: Storage) -> Any:
    """Return what S3Dictionary would read."""
    return json.loads(background().call(storage.get, Key.from_text(NAME)).data)


def store(storage: Storage, document: bytes) -> None:
    background().call(storage.put, Key.from_text(NAME), document)


def puts(storage: CountingStorage) -> int:
    return storage.counts["put"]


def test_it_is_saved_and_read_again(storage: CountingStorage) -> None:
    state = open_dict(storage)
    state["foo"] = {"bar": [1, 2.5, None, True, "ü"]}
    state.save()

    assert open_dict(storage) == {"foo": {"bar": [1, 2.5, None, True, "ü"]}}
    assert isinstance(state, UserDict)


def test_nothing_is_stored_before_a_save(storage: CountingStorage) -> None:
    state = open_dict(storage, default={"a": 1})
    state["b"] = 2

    assert storage.counts == {"get": 1}


def test_to_open_one_is_one_get(storage: CountingStorage) -> None:
    open_dict(storage).save()
    storage.counts.clear()

    open_dict(storage)

    assert storage.counts == {"get": 1}


def test_the_default_is_for_what_is_not_stored(storage: CountingStorage) -> None:
    assert open_dict(storage, default={"a": 1}) == {"a": 1}
    open_dict(storage, data={"b": 2}).save()
    assert open_dict(storage, default={"a": 1}) == {"b": 2}


@pytest.mark.parametrize("data", [{}, {"b": 2}])
def test_data_comes_instead_of_what_is_stored(storage: CountingStorage, data: dict[str, Any]) -> None:
    open_dict(storage, data={"a": 1}).save()
    state = open_dict(storage, data=data, default={"c": 3})

    assert state == data
    assert stored(storage) == {"a": 1}
    state.save()
    assert stored(storage) == data


@pytest.mark.parametrize("autosave", [False, True])
def test_dicts_that_were_given_stay_the_callers(storage: CountingStorage, *, autosave: bool) -> None:
    given: dict[str, Any] = {"a": [1]}
    for name in ("default", "data"):
        state = open_dict(storage, **{name: given}, autosave=autosave)
        state["a"].append(2)
        state["b"] = 3

    assert given == {"a": [1]}


def test_the_names_are_read_only() -> None:
    state = S3Dict(file_name=NAME, storage=MemoryStorage())

    assert (state.file_name, state.bucket_name, state.access_key_id, state.access_secret_key) == (NAME, *[None] * 3)
    for name in ("file_name", "bucket_name", "access_key_id", "access_secret_key"):
        with pytest.raises(AttributeError):
            setattr(state, name, "other")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "bucket_name must be specified"),
        ({"file_name": NAME}, "bucket_name must be specified"),
        ({"bucket_name": "b", "storage": MemoryStorage(), "file_name": NAME}, "not both"),
        ({"storage": MemoryStorage()}, "file_name must be specified"),
        ({"storage": MemoryStorage(), "file_name": ""}, "file_name must be specified"),
        ({"storage": MemoryStorage(), "file_name": 7}, "file_name must be specified"),
        ({"storage": MemoryStorage(), "file_name": "a/../b"}, "may be called"),
        ({"storage": MemoryStorage(), "file_name": "\udc00"}, "surrogates not allowed"),
        ({"storage": MemoryStorage(), "file_name": NAME, "region_name": "eu-west-1"}, "are those of a bucket"),
        ({"storage": MemoryStorage(), "file_name": NAME, "session": object()}, "are those of a bucket"),
        ({"bucket_name": "b", "file_name": NAME, "access_secret_key": "s3cr3t"}, "belong together"),
        ({"bucket_name": "b", "file_name": NAME, "access_key_id": "AKIA"}, "belong together"),
        ({"bucket_name": "b"}, "file_name must be specified"),
    ],
)
def test_what_names_no_document_is_refused_without_telling_secrets(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as failure:
        S3Dict(**arguments)
    assert "s3cr3t" not in repr(failure.value)


def test_a_name_that_is_too_long_is_refused_by_its_bytes() -> None:
    S3Dict(file_name="ü" * 400, storage=MemoryStorage())
    with pytest.raises(KeyTooLongError):
        S3Dict(file_name="ü" * 600, storage=MemoryStorage())


def test_a_storage_may_be_given_by_its_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    S3Dict(file_name=NAME, storage=url, data={"a": 1}).save()

    assert S3Dict(file_name=NAME, storage=url) == {"a": 1}


def test_a_document_of_s3dictionary_is_read(storage: CountingStorage) -> None:
    document = {"text": "é\ud800", "big": 2**80, "n": -1.5e300, "l": [[], {}], "none": None, "no": False}
    store(storage, json.dumps({**document, "nan": math.nan}).encode())
    state = open_dict(storage)
    assert math.isnan(state.pop("nan"))
    assert state == document

    state.save()

    assert stored(storage) == document


@pytest.mark.parametrize("document", [b"", b"{", b"[1]", b"7", b"null", b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_json_object_is_told_and_left(storage: CountingStorage, document: bytes) -> None:
    state = open_dict(storage, data={"a": 1})
    store(storage, document)

    with pytest.raises(CorruptionError, match=r"folder/state\.json"):
        open_dict(storage, data={"b": 1}, autosave=True)
    with pytest.raises(CorruptionError):
        state.load()
    with pytest.raises(ConflictError):
        state.save()
    assert state == {"a": 1}
    assert background().call(storage.get, Key.from_text(NAME)).data == document


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({1: 2}, TypeError),
        ({"1": 0, 1: 2}, TypeError),
        ([{"a": {None: 1}}], TypeError),
        (({True: 1},), TypeError),
        (math.nan, ValueError),
        ([math.inf], ValueError),
        ({1, 2}, TypeError),
        (b"bytes", TypeError),
        (object(), TypeError),
    ],
)
def test_what_json_does_not_keep_is_refused(storage: CountingStorage, value: Any, error: type[Exception]) -> None:
    state = open_dict(storage, data={"a": 1})
    state.save()
    state["b"] = value
    with pytest.raises(error):
        state.save()
    assert stored(storage) == {"a": 1}

    saving = open_dict(storage, autosave=True)
    with pytest.raises(error):
        saving["b"] = value
    assert saving == stored(storage) == {"a": 1}
    saving["c"] = 2
    assert stored(storage) == {"a": 1, "c": 2}


def test_what_is_nested_too_deeply_is_refused(storage: CountingStorage) -> None:
    state = open_dict(storage)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    state["a"] = deep

    with pytest.raises(ValueError, match="nested too deeply"):
        state.save()


def test_ten_thousand_keys_are_saved_with_one_put(storage: CountingStorage) -> None:
    many = {f"key {number}": number for number in range(10_000)}
    state = open_dict(storage)
    state.update(many)
    state.save()
    assert (puts(storage), stored(storage)) == (1, many)

    state.autosave = True
    storage.counts.clear()
    state.update({name: number + 1 for name, number in many.items()})
    assert storage.counts == {"put": 1}


def test_autosave_writes_what_is_new_at_once(storage: CountingStorage) -> None:
    assert open_dict(storage, default={"a": 1}, autosave=True).autosave
    assert stored(storage) == {"a": 1}
    open_dict(storage, data={"b": 2}, autosave=True)
    assert stored(storage) == {"b": 2}
    storage.counts.clear()

    open_dict(storage, default={"a": 1}, autosave=True)

    assert storage.counts == {"get": 1}


CHANGES: dict[str, Callable[[Any], Any]] = {
    "set": lambda d: d.__setitem__("b", 2),
    "delete": lambda d: d.__delitem__("a"),
    "clear": lambda d: d.clear(),
    "pop": lambda d: d.pop("a"),
    "popitem": lambda d: d.popitem(),
    "setdefault": lambda d: d.setdefault("b", 2),
    "update": lambda d: d.update({"b": 2, "c": 3}, d=4),
    "|=": lambda d: d.__ior__({"b": 2, "c": 3}),
    "data": lambda d: setattr(d, "data", {"b": [2]}),
    "list inside": lambda d: d["a"].append(2),
    "dict inside": lambda d: d["a"][0].update(x=2, y=3),
    "list +=": lambda d: d.__setitem__("a", d["a"].__iadd__([2])),
    "default inside": lambda d: d["a"][0].setdefault("x", 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_with_autosave_each_change_is_one_put(storage: CountingStorage, change: Callable[[Any], Any]) -> None:
    state = open_dict(storage, data={"z": 0, "a": [{}]}, autosave=True)
    storage.counts.clear()

    change(state)

    assert storage.counts == {"put": 1}
    assert state == stored(storage) != {"z": 0, "a": [{}]}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_with_autosave_a_change_that_is_not_saved_is_undone(
    storage: CountingStorage, change: Callable[[Any], Any]
) -> None:
    state = open_dict(storage, data={"z": 0, "a": [{}]}, autosave=True)
    open_dict(storage, data={"theirs": 1}).save()

    with pytest.raises(ConflictError):
        change(state)

    assert state == {"z": 0, "a": [{}]}
    assert list(state) == ["z", "a"]
    assert stored(storage) == {"theirs": 1}


def test_what_changes_nothing_is_not_saved(storage: CountingStorage) -> None:
    state = open_dict(storage, data={"a": 1}, autosave=True)
    storage.counts.clear()

    state.setdefault("a", 2)
    state["a"] = 1
    state.update()
    state.pop("b", None)

    assert storage.counts == {}


def test_what_a_default_was_set_to_is_noticed_when_it_changes(storage: CountingStorage) -> None:
    state = open_dict(storage, autosave=True)
    state.setdefault("a", []).append(1)

    assert stored(storage) == {"a": [1]}


def test_with_autosave_a_change_inside_a_tuple_is_saved(storage: CountingStorage) -> None:
    state = open_dict(storage, autosave=True)
    state["a"] = ([1],)
    state["a"][0].append(2)

    assert state == stored(storage) == {"a": [[1, 2]]}


def test_what_a_default_was_set_to_may_have_been_merged(storage: CountingStorage) -> None:
    state = open_dict(storage, autosave=True, merge=S3Dict.merge_keys)
    theirs = open_dict(storage, autosave=True)
    theirs["b"] = 2
    state.setdefault("a", []).append(1)

    assert state == stored(storage) == {"a": [1], "b": 2}


def test_autosave_saves_when_it_is_switched_on_and_stops_when_off(storage: CountingStorage) -> None:
    state = open_dict(storage)
    state["a"] = [1]
    state.autosave = True
    assert stored(storage) == {"a": [1]}
    state["a"].append(2)
    assert stored(storage) == {"a": [1, 2]}

    state.autosave = False
    state["a"].append(3)
    assert (state, stored(storage)) == ({"a": [1, 2, 3]}, {"a": [1, 2]})
    for wrong in (1, "yes", None):
        with pytest.raises(ValueError, match="autosave must be type bool"):
            state.autosave = wrong


def test_what_was_taken_out_before_it_was_read_anew_is_refused(storage: CountingStorage) -> None:
    state = open_dict(storage, data={"a": [1]}, autosave=True)
    before = state["a"]
    state.autosave = True
    before.append(7)
    before.pop()
    state.load()

    with pytest.raises(ValueError, match="take it out of that again"):
        before.append(2)
    assert (before, state) == ([1], {"a": [1]})


def test_somebody_elses_save_is_a_conflict_until_it_is_loaded(storage: CountingStorage) -> None:
    mine, theirs = open_dict(storage), open_dict(storage)
    theirs["b"] = 2
    theirs.save()
    mine["a"] = 1
    for _ in range(2):
        with pytest.raises(ConflictError):
            mine.save()
    assert (mine, stored(storage)) == ({"a": 1}, {"b": 2})

    mine.load()
    mine["a"] = 1
    mine.save()

    assert stored(storage) == {"a": 1, "b": 2}


def test_two_who_save_the_same_conflict_too(storage: CountingStorage) -> None:
    open_dict(storage, data={"n": 5}).save()
    one, two = open_dict(storage), open_dict(storage)
    one["n"] += 1
    two["n"] += 1
    one.save()

    with pytest.raises(ConflictError):
        two.save()


def test_force_writes_over_what_is_there(storage: CountingStorage) -> None:
    mine, theirs = open_dict(storage, data={"a": 1}), open_dict(storage, data={"b": 2})
    theirs.save()
    mine.save(force=True)
    mine["a"] = 2
    mine.save()

    assert stored(storage) == {"a": 2}


def test_a_merge_by_key_keeps_what_both_have_done(storage: CountingStorage) -> None:
    open_dict(storage, data={"same": 0, "mine": 0, "theirs": 0, "gone": 0, "lost": 0, "both": 0}).save()
    mine, theirs = open_dict(storage, merge=S3Dict.merge_keys), open_dict(storage)
    theirs.update(theirs=1, new=[1], both=2)
    del theirs["gone"]
    theirs.save()
    mine.update(mine=1, newer={}, both=2)
    del mine["lost"]
    mine.save()

    assert mine == stored(storage) == {"same": 0, "mine": 1, "theirs": 1, "new": [1], "newer": {}, "both": 2}
    mine["mine"] = 2
    mine.save()


def test_a_merge_by_key_leaves_to_the_caller_what_both_have_changed(storage: CountingStorage) -> None:
    open_dict(storage, data={"n": 0}).save()
    mine, theirs = open_dict(storage, merge=S3Dict.merge_keys), open_dict(storage, data={"n": 1})
    theirs.save()
    mine["n"] = 2

    with pytest.raises(ConflictError):
        mine.save()
    assert (mine, stored(storage)) == ({"n": 2}, {"n": 1})


@pytest.mark.parametrize(("was", "now"), [*itertools.permutations([1, True, 1.0], 2), ([0], [False])])
def test_a_merge_by_key_tells_apart_what_python_takes_for_equal(was: Any, now: Any) -> None:
    base, changed = {"k": was, "same": 1}, {"k": now, "same": 1}

    assert repr(S3Dict.merge_keys(base, changed, base)) == repr(changed)
    assert repr(S3Dict.merge_keys(base, base, changed)) == repr(changed)
    assert S3Dict.merge_keys(base, changed, {"k": 2}) is None


def test_a_merge_by_key_asks_nobody_about_the_order_of_keys_inside() -> None:
    base, theirs = {"k": {"a": 1, "b": 2}}, {"k": {"b": 2, "a": 1}}

    assert S3Dict.merge_keys(base, base | {"n": math.nan}, theirs | {"n": math.nan}) is not None


def test_a_merge_of_ones_own_gets_all_three_and_may_change_them(storage: CountingStorage) -> None:
    seen: list[Any] = []

    def merge(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
        seen.append(copy.deepcopy((base, mine, theirs)))
        for given in (base, mine, theirs):
            given.clear()
        return {"merged": True}

    open_dict(storage, data={"n": 0}).save()
    mine = open_dict(storage, merge=merge, autosave=True)
    open_dict(storage, data={"n": 1}).save()
    mine["n"] = 2

    assert seen == [({"n": 0}, {"n": 2}, {"n": 1})]
    assert mine == stored(storage) == {"merged": True}


def test_a_merge_is_asked_again_when_somebody_is_faster_again(storage: CountingStorage) -> None:
    racing = [open_dict(storage) for _ in range(3)]

    def merge(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any] | None:
        if racing:
            rival = racing.pop()
            rival.load()
            rival[f"rival {len(racing)}"] = 1
            rival.save()
        return S3Dict.merge_keys(base, mine, theirs)

    mine = open_dict(storage, merge=merge)
    open_dict(storage, data={"first": 1}).save()
    mine["mine"] = 1
    mine.save()

    assert stored(storage) == {"first": 1, "rival 0": 1, "rival 1": 1, "rival 2": 1, "mine": 1}


@pytest.mark.parametrize("bad", [{"bad": {1}}, [1], "text"])
def test_a_merge_that_fails_writes_nothing(storage: CountingStorage, bad: Any) -> None:
    def merge(*_: Any) -> Any:
        return bad

    mine = open_dict(storage, merge=merge, autosave=True)
    open_dict(storage, data={"n": 1}).save(force=True)

    with pytest.raises(TypeError):
        mine["n"] = 2
    assert (mine, stored(storage)) == ({}, {"n": 1})


def test_load_reads_what_somebody_else_has_saved(storage: CountingStorage) -> None:
    mine, theirs = open_dict(storage, default={"d": 1}), open_dict(storage, data={"b": 2})
    mine["a"] = 1
    mine.load()
    assert mine == {"d": 1}
    theirs.save()
    mine.load()
    assert mine == {"b": 2}


def test_load_does_not_forget_when_the_document_has_vanished(storage: CountingStorage) -> None:
    mine = open_dict(storage, data={"a": 1})
    mine.save()
    open_dict(storage).delete()

    with pytest.raises(NotFoundError):
        mine.load()
    with pytest.raises(ConflictError):
        mine.save()
    assert mine == {"a": 1}
    mine.save(force=True)
    assert stored(storage) == {"a": 1}


@pytest.mark.parametrize("autosave", [False, True])
def test_delete_removes_it_and_it_can_be_used_again(storage: CountingStorage, *, autosave: bool) -> None:
    state = open_dict(storage, data={"a": 1}, default={"d": 1}, autosave=autosave)
    state.save()
    state.delete()
    assert (state, background().call(storage.scan, Key()).rows) == ({}, ())
    state.delete()

    state["b"] = 2
    state.save()
    assert stored(storage) == {"b": 2}


def test_delete_spares_what_somebody_else_has_saved(storage: CountingStorage) -> None:
    mine, newcomer = open_dict(storage, data={"a": 1}), open_dict(storage)
    mine.save()
    open_dict(storage, data={"b": 2}).save()

    for state in (mine, newcomer):
        with pytest.raises(ConflictError):
            state.delete()
    assert (mine, stored(storage)) == ({"a": 1}, {"b": 2})
    mine.delete(force=True)
    assert background().call(storage.scan, Key()).rows == ()
    newcomer.delete()


def test_a_store_without_conditional_deletes_says_so() -> None:
    state = open_dict(LimitedStorage(MemoryStorage(), conditional_delete=False), data={"a": 1}, autosave=True)
    with pytest.raises(UnsupportedError):
        state.delete()
    assert state == {"a": 1}
    state.delete(force=True)
    assert state == {}


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": lambda d: d.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda d: pickle.loads(pickle.dumps(d)),
    "|": lambda d: d | {},
    "r|": lambda d: {} | d,
    "| another": lambda d: d | d,
    "fromkeys": lambda d: d.fromkeys(["a"], [1]),
}


@pytest.mark.parametrize("autosave", [False, True])
@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES)
def test_copies_are_plain_dicts_and_touch_nothing_stored(
    storage: CountingStorage, again: Callable[[Any], Any], *, autosave: bool
) -> None:
    state = open_dict(storage, data={"a": [1]}, autosave=autosave)
    state.save()
    storage.counts.clear()

    made = again(state)
    made["a"].append(2)
    made["b"] = 3

    assert (type(made), type(made["a"]), made) == (dict, list, {"a": [1, 2], "b": 3})
    assert (state, storage.counts) == ({"a": [1]}, {})


def test_it_is_a_dict_otherwise(storage: CountingStorage) -> None:
    state = open_dict(storage, data=OrderedDict(a=1), autosave=True)
    state |= [("b", 2)]
    state |= UserDict({"c": 3})

    assert isinstance(state, S3Dict)
    assert repr(state) == "{'a': 1, 'b': 2, 'c': 3}"
    assert json.dumps(state.data) == '{"a": 1, "b": 2, "c": 3}'
    assert isinstance(state.data, dict)
    assert state.popitem() == ("c", 3)
    assert state | UserDict(d=4) == {"a": 1, "b": 2, "d": 4}
    with pytest.raises(TypeError):
        state | 1


@pytest.mark.parametrize("autosave", [False, True])
def test_threads_may_share_one(storage: CountingStorage, *, autosave: bool) -> None:
    state = open_dict(storage, data={"list": []}, autosave=autosave)
    start = threading.Barrier(8)

    def work(me: int) -> None:
        start.wait()
        for number in range(25):
            state[f"{me} {number}"] = number
            state["list"].append(me)
            state.update({f"{me} last": number, f"{me} first": 0})
            state.save()

    threads = [threading.Thread(target=work, args=(me,)) for me in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert state == stored(storage)
    assert len(state["list"]) == 200
    assert len(state) == 8 * (25 + 2) + 1


def test_a_process_that_was_forked_opens_it_again(tmp_path: Path) -> None:
    out = run(f"""
        import os, warnings
        from ssshelf import S3Dict

        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        url = "sqlite:///{tmp_path}/state.db"
        state = S3Dict(file_name="a", storage=url, autosave=True)
        child = os.fork()
        if child == 0:
            try:
                state["a"] = 1
            except ValueError as error:
                S3Dict(file_name="a", storage=url, autosave=True)["b"] = str(error)
            os._exit(0)
        os.waitpid(child, 0)
        state.load()
        print(state)
    """)

    assert out == "{'b': 'this was opened before a fork: open it again in each process'}\n"


def test_a_process_that_was_forked_during_a_save_does_not_wait_for_it() -> None:
    out = run("""
        import asyncio, os, signal, threading, warnings
        from ssshelf import MemoryStorage, S3Dict
        from ssshelf.storages.wrapper import WrapperStorage

        class Slow(WrapperStorage):
            async def put(self, *args, **options):
                saving.set()
                await asyncio.to_thread(forked.wait)
                return await super().put(*args, **options)

        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        saving, forked = threading.Event(), threading.Event()
        state = S3Dict(file_name="a", storage=Slow(MemoryStorage()))
        saver = threading.Thread(target=state.save)
        saver.start()
        saving.wait()
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                state["a"] = 1
            except ValueError as error:
                print(error, flush=True)
            os._exit(0)
        forked.set()
        print(os.waitpid(child, 0)[1])
        saver.join()
    """)

    assert out == "this was opened before a fork: open it again in each process\n0\n"


def test_a_process_that_was_forked_shares_no_connections_and_no_lock() -> None:
    out = run("""
        import os, signal, warnings
        from ssshelf import _opened

        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        mine = _opened.Opened.bucket("b")
        with _opened._lock:  # as another thread would hold it
            child = os.fork()
        if child == 0:
            signal.alarm(10)
            print(_opened.Opened.bucket("b") is mine, flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1], _opened.Opened.bucket("b") is mine)
    """)

    assert out == "False\n0 True\n"
