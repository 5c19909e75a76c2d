"""What a storage is: bytes under keys, listed in key order."""

from __future__ import annotations

import datetime as dt
import hashlib
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from ssshelf.errors import KeyTooLongError, UnsupportedError
from ssshelf.keys import MAX_KEY_BYTES, Key

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ssshelf.storages.probe import Probe

__all__ = [
    "CONCURRENCY",
    "MAX_SCAN_ROWS",
    "Capabilities",
    "Condition",
    "Delete",
    "Entry",
    "IfAbsent",
    "IfMatch",
    "Operation",
    "Put",
    "Row",
    "Scan",
    "Storage",
    "check_holds_items",
    "check_limit",
    "check_storage",
    "content_etag",
    "prefix_range",
    "scan_pages",
    "utc_now",
]

CONCURRENCY = 100
"""How many requests are sent at a time where nothing else is said: the items of a page of 100 are read at once."""

MAX_SCAN_ROWS = 1000
"""The most rows of one scan; what S3 lists with one request."""


@dataclass(frozen=True, slots=True)
class IfAbsent:
    """Write only if nothing is stored under the key."""


@dataclass(frozen=True, slots=True)
class IfMatch:
    """Write only over, or delete only, the entry with this etag."""

    etag: str


Condition: TypeAlias = IfAbsent | IfMatch


@dataclass(frozen=True, slots=True)
class Entry:
    """The bytes under a key, and the opaque version that a conditional write names."""

    data: bytes
    etag: str


class Row(NamedTuple):
    """One row of a scan; what the store does not say is ``None``."""

    key: Key
    etag: str | None = None
    size_bytes: int | None = None
    modified: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """Some rows in key order; ``after`` continues behind them and is ``None`` when there are no more."""

    rows: tuple[Row, ...]
    after: str | None


@dataclass(frozen=True, slots=True)
class Put:
    """One write of an atomic batch."""

    key: Key
    data: bytes
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """One deletion of an atomic batch; deleting an absent key is not an error."""

    key: Key
    condition: IfMatch | None = None


Operation: TypeAlias = Put | Delete


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store really does.

    Attributes:
        conditional_put: Honours ``IfAbsent`` and ``IfMatch`` when writing.
        conditional_delete: Honours ``IfMatch`` when deleting.
        exclusive_delete: Also refuses ``IfMatch`` where there is nothing, so that of several who delete an entry one is
            told that it did.
        atomic_batch: How many operations ``AtomicBatch.commit`` takes; 1 when there are no transactions.
        max_key_bytes: The longest key text.
        max_value_bytes: The largest entry; ``None`` when only memory and disk limit it.
        persistent: Whether what was written outlives the storage object.
        late_s: For how many seconds after its sender gave up a write may still be applied: 0.0 where a write that
            was given up is not applied later; ``None`` when nobody knows.
        ordered_scan: Lists in key order, from right behind ``after``, no more than asked for.
        quick_reads: A get costs so little beside a write that it does not pay to guess what is stored.
        descending_scan: Lists from the end, too, with ``DescendingScan``.
        advice: What a probe found wrong with the store, and what to do about it.
    """

    conditional_put: bool = True
    conditional_delete: bool = True
    exclusive_delete: bool = True
    atomic_batch: int = 1
    max_key_bytes: int = MAX_KEY_BYTES
    max_value_bytes: int | None = None
    persistent: bool = True
    late_s: float | None = 0.0
    ordered_scan: bool = True
    quick_reads: bool = False
    descending_scan: bool = False
    advice: str = ""

    def check_key(self, key: Key) -> None:
        """Refuse a key that is too long, before anything is sent.

        Raises:
            KeyTooLongError: Its name is longer than ``max_key_bytes``.
        """
        if len(key.text) > self.max_key_bytes:  # k1 is ASCII, so characters are bytes
            longest = max(key.parts, key=lambda part: len(Key(part).text))
            raise KeyTooLongError(longest, len(key.text), self.max_key_bytes)

    def check_entry(self, key: Key, data: bytes, name: Callable[[], str] | None = None) -> None:
        """Refuse what cannot be stored, before anything is sent.

        Args:
            key: The key.
            data: The entry.
            name: Tells what an error calls the entry; by default the key.

        Raises:
            TypeError: ``data`` is not bytes.
            ValueError: ``data`` is larger than ``max_value_bytes``.
            KeyTooLongError: The key is longer than ``max_key_bytes``.
        """
        self.check_key(key)
        if not isinstance(data, bytes):
            msg = f"{name() if name else key}: a storage takes bytes, not {type(data).__name__}"
            raise TypeError(msg)
        if self.max_value_bytes is not None and len(data) > self.max_value_bytes:
            most = self.max_value_bytes
            msg = f"{name() if name else key}: {len(data)} bytes are more than the {most} this store takes"
            raise ValueError(msg)


class Storage(Protocol):
    """Bytes under keys, listed in key order.

    Every method may be called concurrently. A write that returned is durable, as far as the storage is
    persistent, and visible to every later ``get`` and ``scan``. Failures are ``ssshelf.errors``, with the
    store's own exception as the cause; a closed storage raises ``ValueError``.
    """

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this storage can do; changes only by what a probe finds out about the store."""

    @abstractmethod
    async def get(self, key: Key) -> Entry:
        """Return the newest entry under ``key``.

        Raises:
            NotFoundError: There is none.
        """

    @abstractmethod
    async def put(self, key: Key, data: bytes, *, condition: Condition | None = None) -> str:
        """Store ``data`` under ``key``, whole or not at all, and return its etag.

        Raises:
            ConflictError: The condition does not hold; nothing was written.
            UnavailableError: The outcome is unknown. A write without a condition is safe to repeat.
            KeyTooLongError: The key does not fit; nothing was sent.
        """

    @abstractmethod
    async def delete(self, key: Key, *, condition: IfMatch | None = None) -> None:
        """Remove the entry under ``key``; removing an absent one without a condition is not an error.

        Raises:
            ConflictError: The condition does not hold; nothing was removed. Where there is nothing, not every store
                says so, as ``exclusive_delete`` of the capabilities tells.
            UnavailableError: The outcome is unknown; safe to repeat.
        """

    @abstractmethod
    async def scan(
        self, prefix: Key, *, after: str | None = None, before: str | None = None, limit: int = MAX_SCAN_ROWS
    ) -> Scan:
        """Return the first rows under ``prefix``, in key order.

        A prefix ends at a part: ``Key("java")`` never shows ``Key("javascript", …)``, nor itself.

        Args:
            prefix: Leading whole parts; ``Key()`` is everything.
            after: Only keys whose text is greater; a position, which no key needs to have.
            before: Only keys whose text is less; a position likewise.
            limit: Most rows, 1 to 1000. There may be fewer although more follow; only ``Scan.after`` tells.
        """

    async def probe(self, *, fresh: bool = True) -> Probe:
        """Find out what the store really does, by asking it; from then on ``capabilities`` tell it.

        Args:
            fresh: Whether to ask again although the answers are known, or remembered in the store. Storages that
                remember nothing know what their ``capabilities`` say.

        Raises:
            UnavailableError: The store did not answer; nothing was found out.

        Cost:
            Some 30 requests, of which those that do not depend on each other are sent at once; none, or 1 get, if
            the answers are known.
        """
        from ssshelf.storages.probe import Probe, ask  # noqa: PLC0415  which asks what this module defines

        return await ask(self) if fresh else Probe.of(self.capabilities)

    @abstractmethod
    async def aclose(self) -> None:
        """Release what the storage holds; closing twice is not an error."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


async def scan_pages(
    storage: Storage,
    prefix: Key,
    after: str | None = None,
    before: str | None = None,
    limit: int = MAX_SCAN_ROWS,
) -> AsyncIterator[tuple[Row, ...]]:
    """Yield everything under ``prefix`` between two positions, in pages of ``limit`` at most that are not empty.

    Cost:
        1 scan for each 1,000 rows.
    """
    while True:
        scan = await storage.scan(prefix, after=after, before=before, limit=limit)
        if scan.rows:
            yield scan.rows
        if scan.after is None:
            return
        after = scan.after


def content_etag(data: bytes) -> str:
    """Return the etag of ``data`` in storages that make their own: its MD5, as S3 has it for a simple PUT.

    Two entries with one etag have the same bytes. Versions that must differ although their bytes agree are the
    business of the layer above, which writes a revision into each envelope.
    """
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def prefix_range(prefix: Key, after: str | None, before: str | None) -> tuple[str, str]:
    """Return the texts between which, both excluded, lie the keys of a scan."""
    below = prefix.below
    end = f"{below[:-1]}0" if below else "~~"  # "0" follows "/"; no key starts with two tildes
    return max(below, after or ""), end if before is None else min(end, before)


def utc_now() -> dt.datetime:
    """Return the present time; the clock of storages that date their own entries, unless they are given another."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251  the one place


def check_storage(value: object) -> None:
    """Refuse what is no storage, before anything is asked of it.

    Raises:
        TypeError: It is a class, a URL, or something else.
    """
    if isinstance(value, type) or not callable(getattr(value, "scan", None)):
        what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        msg = f"expected a storage, such as MemoryStorage() or what open_storage(url) returns, not {what}"
        raise TypeError(msg)


def check_holds_items(storage: Storage) -> None:
    """Refuse a storage on which writers of items would overwrite each other unseen, or readers miss some.

    Raises:
        UnsupportedError: The store ignores conditions, or does not list in order; the message says what to do.
    """
    known = storage.capabilities
    if not (known.conditional_put and known.ordered_scan):
        reason = known.advice or "it does not honour conditional writes, or does not list in the order of keys"
        msg = f"{storage!r} cannot hold items safely: {reason}"
        raise UnsupportedError(msg)


def check_limit(limit: int) -> None:
    """Refuse a number of rows that a listing cannot have.

    Raises:
        TypeError: ``limit`` is no integer.
        ValueError: ``limit`` is not 1 to 1000.
    """
    if not isinstance(limit, int) or isinstance(limit, bool):
        msg = f"limit must be an integer, not {type(limit).__name__}"
        raise TypeError(msg)
    if not 1 <= limit <= MAX_SCAN_ROWS:
        msg = f"limit must be 1 to {MAX_SCAN_ROWS}, not {limit}; to read more, follow `after` or iterate"
        raise ValueError(msg)
