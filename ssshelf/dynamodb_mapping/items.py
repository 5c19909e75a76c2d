"""Items that write each change to their table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ssshelf._observed import ObservedDict
from ssshelf.dynamodb_mapping.schema import Schema
from ssshelf.dynamodb_mapping.values import Image

__all__ = ["DynamoDBItem"]

_NULL: Image = {"NULL": True}


class DynamoDBItem(ObservedDict):
    """An item whose changes are written to the table at once, one UpdateItem for each call that changes it.

    What changes inside an attribute, however deep, writes this attribute whole; other attributes stay as they are in
    the table. An attribute that is set to ``None`` is removed there. If the write fails, the change is undone here;
    after an ``UnavailableError`` the table may have it. An item that somebody has deleted meanwhile is not created
    again: that is a ``NotFoundError``. Copies are plain dictionaries, those of ``copy.deepcopy`` throughout. Threads
    may share a mapping, not one of its items.

    Args:
        item: What was read.
        schema: The keys of its table.
        key: Its own key, as it is stored, which cannot change.
        write: Sets and removes attributes of the item with a key.
    """

    def __init__(
        self,
        item: dict[str, Any],
        schema: Schema,
        key: dict[str, Image],
        write: Callable[[dict[str, Image], Mapping[str, Image | None]], None],
    ) -> None:
        self._schema = schema
        self._write = write
        self._stored = schema.values.images(item)
        self._key = key
        self._assigned: frozenset[Any] = frozenset()
        super().__init__(item, self._write_changes)

    def __setitem__(self, name: Any, value: Any) -> None:
        with self._assigning((name,)):
            super().__setitem__(name, value)

    def update(self, *args: Any, **kwargs: Any) -> None:  # noqa: D102
        values = dict(*args, **kwargs)
        with self._assigning(values):
            super().update(values)

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]  # as that of dict itself
        self.update(other)
        return self

    @contextlib.contextmanager
    def _assigning(self, names: Iterable[Any]) -> Iterator[None]:
        """Have what is assigned written even if it is what was read, since somebody may have changed it meanwhile."""
        self._assigned = frozenset(names)
        try:
            yield
        finally:
            self._assigned = frozenset()

    def _write_changes(self) -> None:
        now = {
            name: image
            for name, image in self._schema.values.images(self).items()
            if image != _NULL or (self._stored.get(name) == _NULL and name not in self._assigned)
        }
        assigned = self._assigned - self._key.keys()
        changed = {
            name: now.get(name)
            for name in {**self._stored, **now, **dict.fromkeys(assigned)}
            if name in assigned or now.get(name) != self._stored.get(name)
        }
        if not changed.keys().isdisjoint(self._key):
            msg = f"the keys {self._schema.names} of an item cannot change: store it under the other key, too"
            raise ValueError(msg)
        if changed:
            self._write(self._key, changed)
        self._stored = now
