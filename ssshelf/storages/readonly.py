"""A storage that refuses to write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from ssshelf.errors import DeniedError
from ssshelf.keys import Key
from ssshelf.storages.base import Condition, Entry, IfMatch, Operation, Storage
from ssshelf.storages.offers import prompt
from ssshelf.storages.probe import Probe
from ssshelf.storages.wrapper import WrapperStorage

__all__ = ["ReadOnlyStorage"]


class ReadOnlyStorage(WrapperStorage):
    """Reads from the storage inside; a write raises ``DeniedError`` and sends nothing.

    Args:
        inner: The storage inside, which ``aclose`` closes too.
    """

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self._prompt = prompt(inner)

    def get_now(self, key: Key) -> Entry | None:
        return None if self._prompt is None else self._prompt.get_now(key)

    def put_now(self, key: Key, data: bytes) -> str | None:  # noqa: ARG002
        self._refuse()

    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:  # noqa: ARG002
        self._refuse()

    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:  # noqa: ARG002
        self._refuse()

    async def commit(self, operations: Sequence[Operation]) -> Sequence[str | None]:  # noqa: ARG002
        self._refuse()

    async def delete_many(self, keys: Sequence[Key]) -> None:  # noqa: ARG002
        self._refuse()

    async def probe(self, *, fresh: bool = True) -> Probe:
        """Return what the capabilities of the storage inside say; to ask the store would be to write."""
        if fresh:
            self._refuse()
        return Probe.of(self.capabilities)

    def _refuse(self) -> NoReturn:
        msg = f"{self.inner!r} was opened for reading only: nothing was written"
        raise DeniedError(msg)
