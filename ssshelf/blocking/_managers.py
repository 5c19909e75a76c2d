"""Managers for callers that block: behind each class is an async one of the same declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ssshelf import managers
from ssshelf._background import OfThisProcess
from ssshelf._calls import Calls
from ssshelf.blocking._collections import Collection
from ssshelf.blocking._manager_methods import CManagerMethods
from ssshelf.items import IManager
from ssshelf.maintenance import Finding, Report, Verified
from ssshelf.retries import RetryPolicy
from ssshelf.storages import open_storage
from ssshelf.storages.base import CONCURRENCY, Storage

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["CManager", "check_names"]

T = TypeVar("T")


class CManager(OfThisProcess, CManagerMethods[T]):
    """Items of one kind on a storage, and the collections declared as attributes of the class, for callers that block.

    All that is true of ``ssshelf.CManager`` is true of this one. Any number of threads may use an instance, also those
    that run an event loop. What is called back, such as the function of ``update_item``, ``progress``, a collection's
    ``key`` and the methods of the item manager, runs in the event loop, where blocking calls raise ``RuntimeError``.
    Bulk calls do not call what a subclass overrides, such as ``add_item``.

    Use it as ``with … as shelf``, or call ``close``; one that is forgotten is closed, too.

    Args:
        storage: Where the items are: a URL, which is opened, and closed with the manager; or a storage, which stays the
            caller's to close, as ``ssshelf.blocking.open_storage`` does.
        concurrency: Most requests that one page or one bulk call makes at a time.
        retries: How long and how often writes are tried.

    Raises:
        UnsupportedError: The store ignores conditions of writes, or lists out of order; nothing could be promised.
        ValueError: The URL names no known storage. From all methods: the manager is closed, or was opened before a
            fork.
    """

    item_manager: IManager[T]
    """How items are identified and serialized; every manager class declares it."""

    declared: ClassVar[Mapping[str, Collection[Any]]] = {}
    """The collections of the class by attribute."""

    storage: Storage
    """Where the items are."""

    _source_type: ClassVar[type[managers.CManager[Any]]] = managers.CManager

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "_source_type" not in vars(cls):
            cls._source_type = _source_type(cls)
        check_names(cls, cls._source_type.declared)
        cls.declared = {attribute: getattr(cls, attribute) for attribute in cls._source_type.declared}

    def __init__(
        self, storage: Storage | str, *, concurrency: int = CONCURRENCY, retries: RetryPolicy | None = None
    ) -> None:
        self._open(storage, concurrency=concurrency, retries=retries)

    def _open(self, storage: Storage | str, *args: Any, **kwargs: Any) -> None:
        self.storage = open_storage(storage) if isinstance(storage, str) else storage
        self._source = self._source_type(self.storage, *args, **kwargs)
        self._calls = Calls(self.storage.aclose if isinstance(storage, str) else None)
        for attribute, collection in self.declared.items():
            setattr(self, attribute, collection._bound(getattr(self._source, attribute), self._calls))

    def verify(self, *, progress: Report | None = None) -> Verified:
        """Check everything that is stored, write nothing, and return counts, and the first 1,000 findings.

        Writers may run; what they have in progress shows as garbage. An item that changes meanwhile is judged as it is
        when it is looked at.

        Args:
            progress: Called with a ``Progress``, after every 1,000 entries at the latest.

        Raises:
            UnavailableError: The store did not answer; safe to repeat.

        Cost:
            1 get for each item and each unique value, and 1 scan for each 1,000 entries of any kind; where something
            differs, some more to find out what.
        """
        return self._calls.call(self._source.verify, progress=progress)

    def findings(self, *, progress: Report | None = None) -> Iterator[Finding]:
        """Check as ``verify`` does, and yield each finding when it is found."""
        return self._calls.each(aiter(self._source.verify(progress=progress)))

    def close(self) -> None:
        """Close what was opened with this manager, and refuse all further calls; closing twice is not an error."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def check_names(cls: type, names: Iterable[str]) -> None:
    """Refuse attributes of an async class that would hide what only blocking managers have.

    Raises:
        TypeError: One of ``names`` is such.
    """
    for name in names:
        if hasattr(CManager, name) and not hasattr(managers.CManager, name):
            msg = f"{cls.__qualname__}.{name}: a blocking manager has a method of this name; give it another one"
            raise TypeError(msg)


def _source_type(cls: type[CManager[Any]]) -> type[managers.CManager[Any]]:
    """Return the async class that declares what ``cls`` declares."""
    bases = dict.fromkeys(base._source_type for base in cls.__bases__ if issubclass(base, CManager))
    inherited = {attribute for base in bases for attribute in base.declared} | {"item_manager"}
    own = [base for base in reversed(cls.__mro__) if base is cls or not issubclass(base, CManager)]
    body = {name: value for base in own for name, value in vars(base).items()}
    declared = {
        name: value._source if isinstance(value, Collection) else value
        for name, value in body.items()
        if isinstance(value, Collection) or name in inherited
    }
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return type(cls.__name__, tuple(bases), names | declared)
