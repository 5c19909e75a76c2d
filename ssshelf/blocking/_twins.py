"""Twins: the blocking classes of managers that a program declares for its async parts."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterable, Callable
from typing import Any, TypeVar

from ssshelf import collections, managers
from ssshelf._calls import Calls
from ssshelf.blocking._collections import Collection
from ssshelf.blocking._managers import CManager, check_names
from ssshelf.storages.base import Storage

__all__ = ["Twin", "twin"]

T = TypeVar("T")


def twin(manager: type[managers.CManager[T]]) -> type[Twin[T]]:
    """Return the blocking class of an async one; always the same for the same.

    Its instances, and their collections, have the methods that the async class and its collections define, too:
    coroutine functions block, and async generators are iterators. They run in the event loop.

    Args:
        manager: The class; its instances take the storage as first argument.

    Raises:
        TypeError: The class has an attribute that would hide ``close`` or ``findings``.
    """
    return _manager_twin(manager)  # type: ignore[arg-type]  # classes are hashable


class Twin(CManager[T]):
    """The blocking twin of an async manager, around an instance of it; made by ``twin``."""

    def __init__(self, storage: Storage | str, *args: Any, **kwargs: Any) -> None:
        self._open(storage, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)


class _CollectionTwin(Collection[T]):
    def __getattr__(self, name: str) -> Any:
        return _attribute(self, name)


@functools.cache
def _manager_twin(manager: type[managers.CManager[Any]]) -> type[Twin[Any]]:
    methods = _methods(manager, managers.CManager)
    check_names(manager, methods)
    declared = {attribute: _stand_in(collection) for attribute, collection in manager.declared.items()}
    return type(manager.__name__, (Twin,), _names(manager) | methods | declared | {"_source_type": manager})


@functools.cache
def _collection_twin(collection: type[collections.Collection[Any]]) -> type[_CollectionTwin[Any]]:
    return type(
        collection.__name__, (_CollectionTwin,), _names(collection) | _methods(collection, collections.Collection)
    )


def _stand_in(source: collections.Collection[Any]) -> Collection[Any]:
    twin_type = _collection_twin(type(source))  # type: ignore[arg-type]  # likewise
    stand_in = twin_type.__new__(twin_type)
    stand_in._stand_for(source)
    return stand_in


def _names(cls: type) -> dict[str, Any]:
    return {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}


def _methods(cls: type, base: type) -> dict[str, Any]:
    """Return what calls the methods that ``cls`` has beyond ``base``, or instead of it."""
    return {
        name: _method(name, function) if inspect.isfunction(function) else _class_method(cls, name, function.__func__)
        for name, function in inspect.getmembers_static(cls, _is_method)
        if not name.startswith("_") and function is not inspect.getattr_static(base, name, None)
    }


def _method(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def method(self: CManager[Any] | Collection[Any], *args: Any, **kwargs: Any) -> Any:
        called = getattr(self._source, name)
        return _answer(self._calls.call(_finished, called, args, kwargs), self._calls)

    return method


def _is_method(value: object) -> bool:
    return inspect.isfunction(value) or isinstance(value, classmethod | staticmethod)


def _class_method(cls: type, name: str, function: Callable[..., Any]) -> Any:
    @functools.wraps(function)
    def method(*args: Any, **kwargs: Any) -> Any:
        calls = Calls()
        return _answer(calls.call(_finished, getattr(cls, name), args, kwargs), calls)

    return staticmethod(method)


async def _finished(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    result = function(*args, **kwargs)
    return await result if inspect.isawaitable(result) else result


def _attribute(self: CManager[Any] | Collection[Any], name: str) -> Any:
    if name.startswith("_"):  # also those that are not set yet
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(msg)
    return _answer(getattr(self._source, name), self._calls)


def _answer(value: Any, calls: Calls) -> Any:
    """Return what a blocking caller can use: an iterator, a blocking collection, or ``value`` as it is."""
    if isinstance(value, AsyncIterable):
        return calls.each(aiter(value))
    if isinstance(value, collections.Collection):
        return _stand_in(value)._bound(value, calls)
    return value
