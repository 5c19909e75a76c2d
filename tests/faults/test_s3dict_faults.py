"""A save of which nobody said what became: to save again is safe, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import (
    CommitUnknownError,
    ConflictError,
    DeniedError,
    Key,
    MemoryStorage,
    RetryPolicy,
    S3Dict,
    UnavailableError,
    UnsupportedError,
)
from ssshelf._background import background
from ssshelf.testing import Fault, FaultyStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ssshelf.storages.faulty import Request

NAME = "state.json"
POLICY = RetryPolicy(attempts=2, base_s=0.0)
FAULTS = [Fault.UNSENT, Fault.LOST, Fault.ANSWER_LOST]


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


def open_dict(storage: FaultyStorage, **options: Any) -> Any:
    return S3Dict(file_name=NAME, storage=storage, retries=POLICY, **options)


def stored(storage: FaultyStorage) -> Any:
    return json.loads(background().call(storage.inner.get, Key.from_text(NAME)).data)


def fail_puts(storage: FaultyStorage, *faults: Fault | None) -> None:
    """Have the next puts meet these faults."""
    left = list(faults)

    def plan(request: Request) -> Fault | None:
        return left.pop(0) if request.kind == "put" and left else None

    storage.plan = plan


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lost_answer_is_settled_within_a_save(storage: FaultyStorage, fault: Fault) -> None:
    state = open_dict(storage, autosave=True)
    fail_puts(storage, fault)
    state["a"] = 1
    state["b"] = 2

    assert state == stored(storage) == {"a": 1, "b": 2}


@contextlib.contextmanager
def unanswered(storage: FaultyStorage, fault: Fault = Fault.ANSWER_LOST) -> Iterator[None]:
    """Let no request inside be answered, as a write inside has to tell."""
    storage.plan = lambda _: fault
    with pytest.raises(CommitUnknownError):
        yield
    storage.plan = None


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.ANSWER_LOST])
@pytest.mark.parametrize("number", range(1, 4))
def test_to_save_again_after_no_answer_is_no_conflict(storage: FaultyStorage, fault: Fault, number: int) -> None:
    state = open_dict(storage, data={"a": 1})
    state.save()
    storage.plan = lambda _: fault
    for attempt in range(number):
        state["n"] = attempt
        with pytest.raises(CommitUnknownError):
            state.save()
    storage.plan = None
    state["b"] = 2

    state.save()

    assert state == stored(storage) == {"a": 1, "n": number - 1, "b": 2}


def test_after_no_answer_somebody_elses_save_is_a_conflict_still(storage: FaultyStorage) -> None:
    state = open_dict(storage, data={"n": 0})
    state.save()
    state["n"] = 1
    with unanswered(storage, Fault.LOST):
        state.save()
    theirs = open_dict(storage)
    theirs["n"] = 1
    theirs.save()

    with pytest.raises(ConflictError):
        state.save()


def test_what_comes_back_after_a_later_save_is_a_conflict(storage: FaultyStorage) -> None:
    state = open_dict(storage, data={"a": 1})
    with unanswered(storage):
        state.save()
    key = Key.from_text(NAME)
    backup = background().call(storage.get, key)
    state.save()
    background().call(storage.put, key, backup.data)

    with pytest.raises(ConflictError):
        state.save()


def test_what_came_of_no_answer_may_be_loaded(storage: FaultyStorage) -> None:
    state = open_dict(storage, data={"a": 1})
    with unanswered(storage):
        state.save()
    state.load()
    state["b"] = 2
    state.save()

    assert stored(storage) == {"a": 1, "b": 2}


@pytest.mark.parametrize("fault", FAULTS)
def test_with_autosave_a_change_of_unknown_fate_is_undone_here(storage: FaultyStorage, fault: Fault) -> None:
    state = open_dict(storage, data={"a": [1]}, autosave=True)
    storage.plan = lambda _: fault
    with pytest.raises((CommitUnknownError, UnavailableError)):
        state["a"].append(2)
    with pytest.raises((CommitUnknownError, UnavailableError)):
        state.update(b=2)
    assert state == {"a": [1]}
    storage.plan = None
    state["c"] = 3

    assert state == stored(storage) == {"a": [1], "c": 3}


def test_after_no_answer_also_what_is_not_new_is_saved(storage: FaultyStorage) -> None:
    state = open_dict(storage, data={"a": 1}, autosave=True)
    with unanswered(storage):
        state["a"] = 2
    state["a"] = 1

    assert state == stored(storage) == {"a": 1}


@pytest.mark.parametrize("error", [UnavailableError("", False), DeniedError(""), UnsupportedError("")], ids=repr)  # noqa: FBT003
def test_what_was_surely_not_written_is_not_remembered(error: Exception) -> None:
    class Refusing(FaultyStorage):
        refusal: Exception | None = None

        async def put(self, *args: Any, **options: Any) -> str:
            if self.refusal:
                raise self.refusal
            return await super().put(*args, **options)

    storage = Refusing(MemoryStorage())
    state = open_dict(storage, data={"a": 1}, autosave=True)
    storage.refusal = error
    with pytest.raises(type(error)):
        state["a"] = 2
    storage.refusal = None
    sent = len(storage.requests)
    state["a"] = 1

    assert len(storage.requests) == sent


@pytest.mark.parametrize("fault", FAULTS)
def test_a_forced_save_without_an_answer_can_be_repeated(storage: FaultyStorage, fault: Fault) -> None:
    state = open_dict(storage, data={"a": 1})
    fail_puts(storage, fault)
    with pytest.raises(UnavailableError):
        state.save(force=True)
    state["b"] = 2
    state.save()

    assert stored(storage) == {"a": 1, "b": 2}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_deletion_without_an_answer_can_be_repeated(storage: FaultyStorage, fault: Fault) -> None:
    state = open_dict(storage, data={"a": 1})
    state.save()
    storage.plan = lambda _: fault
    with pytest.raises((CommitUnknownError, UnavailableError)):
        state.delete()
    assert state == {"a": 1}
    storage.plan = None
    state.delete()

    assert background().call(storage.scan, Key()).rows == ()
    state["b"] = 2
    state.save()
    assert stored(storage) == {"b": 2}


@pytest.mark.parametrize("data", [{}, {"a": 1}])
def test_what_a_save_without_an_answer_wrote_can_be_deleted(storage: FaultyStorage, data: dict[str, Any]) -> None:
    state = open_dict(storage)
    if data:
        state.update(data)
        state.save()
    state["n"] = 1
    with unanswered(storage):
        state.save()

    state.delete()

    assert (state, background().call(storage.scan, Key()).rows) == ({}, ())


def test_after_no_answer_a_deletion_spares_what_somebody_else_has_saved(storage: FaultyStorage) -> None:
    state = open_dict(storage, data={"n": 0})
    with unanswered(storage):
        state.save()
    open_dict(storage, data={"n": 1}).save()

    with pytest.raises(ConflictError):
        state.delete()
    assert stored(storage) == {"n": 1}


def test_a_lost_answer_to_what_was_merged_is_settled_too(storage: FaultyStorage) -> None:
    state = open_dict(storage, merge=S3Dict.merge_keys)
    open_dict(storage, data={"b": 2}).save()
    fail_puts(storage, None, Fault.ANSWER_LOST)
    state["a"] = 1
    state.save()

    assert state == stored(storage) == {"a": 1, "b": 2}


def test_a_dict_made_by_two_at_once_is_made_once(storage: FaultyStorage) -> None:
    class Rival(FaultyStorage):
        """Has somebody else make it right after it was looked for."""

        async def get(self, key: Key) -> Any:
            try:
                return await super().get(key)
            finally:
                if not self.requests[1:]:
                    await storage.put(key, b'{"theirs": 1}')

    state = open_dict(Rival(storage), default={"mine": 1}, autosave=True)

    assert state == stored(storage) == {"theirs": 1}
