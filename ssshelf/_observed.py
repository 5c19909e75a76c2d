"""Dictionaries, lists and sets that tell of each change made to them, however deep inside it is."""

from __future__ import annotations

import contextlib
import functools
from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

__all__ = ["ObservedDict", "observed", "plain"]

_NO_LOCK = contextlib.nullcontext()


class _Observed:
    """What the observed containers share: to undo a change whose telling fails."""

    _changed: Callable[[], None]
    _lock: AbstractContextManager[Any]

    @abstractmethod
    def _watch(self) -> None:
        """Observe the containers inside that are not observed yet."""

    @abstractmethod
    def _restore(self, before: Any) -> None:
        """Hold what was held before."""


def _telling(base: type, *names: str) -> Callable[[type], type]:
    """Have the methods of ``base`` that change it tell of it, in a subclass."""

    def told(name: str) -> Callable[..., Any]:
        method = getattr(base, name)

        @functools.wraps(method)
        def change(self: _Observed, *args: Any, **kwargs: Any) -> Any:
            with self._lock:
                before = base(self)
                try:
                    answer = method(self, *args, **kwargs)
                    self._watch()
                    self._changed()
                except BaseException:
                    self._restore(before)
                    raise
                return answer

        return change

    def decorate(cls: type) -> type:
        for name in names:
            setattr(cls, name, told(name))
        return cls

    return decorate


@_telling(dict, "__setitem__", "__delitem__", "__ior__", "clear", "pop", "popitem", "update")
class ObservedDict(dict[Any, Any], _Observed):
    """A dict that calls ``changed`` after each change to it, or to what it holds.

    If ``changed`` raises, the change is undone. The containers inside are copies of those given, lists of tuples, and
    are plain again in copies and pickles.

    Args:
        value: What it holds.
        changed: Called after each change.
        lock: Held, by all that is inside too, from before a change until it was told or undone; reentrant.
    """

    def __init__(
        self, value: dict[Any, Any], changed: Callable[[], None], lock: AbstractContextManager[Any] = _NO_LOCK
    ) -> None:
        super().__init__(value)
        self._changed = changed
        self._lock = lock
        self._watch()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (plain(self),)

    def setdefault(self, name: Any, default: Any = None) -> Any:
        """Return what is held under ``name``, which is not ``default`` itself if that is observed now."""
        with self._lock:
            if name not in self:
                self[name] = default
            return self[name]

    def _watch(self) -> None:
        for name, value in self.items():
            if (inside := observed(value, self._changed, self._lock)) is not value:
                super().__setitem__(name, inside)

    def _restore(self, before: dict[Any, Any]) -> None:
        super().clear()
        super().update(before)


@_telling(
    list,
    "__delitem__", "__iadd__", "__imul__", "__setitem__",
    "append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort",
)  # fmt: skip
class _ObservedList(list[Any], _Observed):
    def __init__(self, value: list[Any], changed: Callable[[], None], lock: AbstractContextManager[Any]) -> None:
        super().__init__(value)
        self._changed = changed
        self._lock = lock
        self._watch()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (plain(self),)

    def _watch(self) -> None:
        for index, value in enumerate(self):
            if (inside := observed(value, self._changed, self._lock)) is not value:
                super().__setitem__(index, inside)

    def _restore(self, before: list[Any]) -> None:
        super().__setitem__(slice(None), before)


@_telling(
    set,
    "__iand__", "__ior__", "__isub__", "__ixor__", "add", "clear", "difference_update", "discard",
    "intersection_update", "pop", "remove", "symmetric_difference_update", "update",
)  # fmt: skip
class _ObservedSet(set[Any], _Observed):
    def __init__(self, value: set[Any], changed: Callable[[], None], lock: AbstractContextManager[Any]) -> None:
        super().__init__(value)
        self._changed = changed
        self._lock = lock

    def __reduce_ex__(self, protocol: Any) -> Any:
        return set, (list(self),)

    def __repr__(self) -> str:
        return repr(set(self))

    def _watch(self) -> None:
        """Members do not change."""

    def _restore(self, before: set[Any]) -> None:
        super().clear()
        super().update(before)


_KINDS: tuple[tuple[type | tuple[type, ...], Callable[..., Any]], ...] = (
    (dict, ObservedDict),
    ((list, tuple), _ObservedList),
    (set, _ObservedSet),
)


def observed(value: Any, changed: Callable[[], None], lock: AbstractContextManager[Any] = _NO_LOCK) -> Any:
    """Return ``value`` as one that calls ``changed`` when it changes, if it is a container; a tuple as a list."""
    if isinstance(value, _Observed) and value._changed == changed:
        return value
    for kind, watched in _KINDS:
        if isinstance(value, kind):
            return watched(value, changed, lock)
    return value


def plain(value: Any) -> Any:
    """Return a copy of ``value`` that nobody observes, down to its innermost containers; of a tuple, a list."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return set(value) if isinstance(value, set) else value
