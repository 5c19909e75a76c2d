"""What items name against what is listed: where they differ, found with one get for each item and constant memory.

Items are put into 65,536 groups by their primary keys. For each group there is a sum, modulo 2**64, of the digests of
all index entries and claims that its items name, less those that exist. Where it is zero, they are the same, but for
one chance in 2**64. Only the items, entries and claims of the other groups are then looked at one by one. What changes
during the survey makes a group look different; looking tells.
"""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ssshelf._concurrency import map_bounded
from ssshelf.claims import Claim
from ssshelf.commit import Committer
from ssshelf.envelope import Header, Stored
from ssshelf.errors import CorruptionError, NotFoundError
from ssshelf.keys import Key
from ssshelf.layout import EntryName
from ssshelf.storages.base import Row, scan_pages

__all__ = ["FoundClaim", "FoundItem", "Slice", "Survey", "find_item"]

T = TypeVar("T")
_GROUPS = 1 << 16
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class FoundItem:
    """What is stored under the key of an item; ``stored`` is ``None`` if it is gone since it was listed."""

    row: Row
    stored: Stored | CorruptionError | None


async def find_item(committer: Committer, row: Row) -> FoundItem:
    """Return what is stored under the key of an item that was listed.

    Cost:
        1 get.
    """
    try:
        return FoundItem(row, await committer.load(row.key))
    except CorruptionError as error:
        return FoundItem(row, error)


@dataclass(frozen=True, slots=True)
class FoundClaim:
    """A claim that is stored, and its etag; ``claim`` is an error, and the etag empty, if it cannot be read."""

    row: Row
    claim: Claim | CorruptionError
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """What was found among some entries, how many those were, and the text of the key of the last one."""

    found: Sequence[T]
    looked_at: int
    last: str


class Survey:
    """One look at everything that a manager has stored.

    Each pass yields page by page, and can begin behind any key. Those that look for what differs, after the others have
    counted, read nothing when nothing does.

    Args:
        committer: Of the manager.
        concurrency: How many items and claims are read at a time.
        sums: Of an earlier survey that is to be continued.
    """

    def __init__(self, committer: Committer, concurrency: int, sums: bytes = b"") -> None:
        self._committer = committer
        self._storage = committer.storage
        self._layout = committer.layout
        self._concurrency = concurrency
        self._sums = array("Q", sums if len(sums) == 8 * _GROUPS else bytes(8 * _GROUPS))

    @property
    def sums(self) -> bytes:
        """What ``sums`` of another survey continues."""
        return self._sums.tobytes()

    async def items(self, look: Callable[[FoundItem], T | None], after: str | None = None) -> AsyncIterator[Slice[T]]:
        """Yield what ``look`` makes of each item, but ``None``; count what they name.

        Items are looked at as they come in, so that no more are in memory at once than are read at once.

        Cost:
            1 get for each, and 1 scan for each 1,000.
        """

        async def find(row: Row) -> T | None:
            item = await find_item(self._committer, row)
            if isinstance(item.stored, Stored):
                for pk, name in self._names(row.key, item.stored.header):
                    self._add(pk, name, 1)
            return look(item)

        async for rows in scan_pages(self._storage, self._layout.items, after):
            found = [one for one in await map_bounded(find, rows, self._concurrency) if one is not None]
            yield Slice(found, len(rows), rows[-1].key.text)

    async def entries(self, after: str | None = None) -> AsyncIterator[Sequence[Row]]:
        """Yield all index entries; count them off.

        Cost:
            1 scan for each 1,000.
        """
        async for rows in scan_pages(self._storage, self._layout.entries, after):
            for row in rows:
                if (name := self._layout.parse(row.key)) is not None:
                    self._add(name.pk, row.key.text, -1)
            yield rows

    async def claims(self, after: str | None = None) -> AsyncIterator[Sequence[FoundClaim]]:
        """Yield all claims to unique values; count them off.

        Cost:
            1 get for each, and 1 scan for each 1,000.
        """
        async for rows in scan_pages(self._storage, self._layout.claims, after):
            found = await self._find_claims(rows)
            for one in found:
                # Where nothing is deleted on condition, claims that were given back stay, and nothing is wrong.
                if isinstance(one.claim, Claim) and (one.claim.pk or self._storage.capabilities.conditional_delete):
                    self._add(one.claim.pk, one.row.key.text, -1)
            yield found

    async def uneven_items(self) -> AsyncIterator[Sequence[FoundItem]]:
        """Yield the items of the groups in which something differs, as they are now, without their documents."""

        async def find(row: Row) -> FoundItem:
            item = await find_item(self._committer, row)
            return replace(item, stored=item.stored._replace(body=b"")) if isinstance(item.stored, Stored) else item

        async for rows in self._uneven_pages(self._layout.items):
            uneven = [row for row in rows if self._is_uneven(self._layout.pk_of(row.key))]
            yield await map_bounded(find, uneven, self._concurrency)

    async def stale_entries(self, after: str | None = None) -> AsyncIterator[Slice[Row]]:
        """Yield the index entries that no item names now.

        Entries of items that cannot be read are left out.
        """
        async for rows in self._uneven_pages(self._layout.entries, after):
            parsed = [(row, name) for row in rows if (name := self._layout.parse(row.key)) is not None]
            uneven = [(row, name) for row, name in parsed if self._is_uneven(name.pk)]
            headers = await self._headers(name.pk for _, name in uneven)
            stale = [row for row, name in uneven if not _names_entry(headers[name.pk], name)]
            yield Slice(stale, len(rows), rows[-1].key.text)

    async def dead_claims(self, after: str | None = None) -> AsyncIterator[Slice[FoundClaim]]:
        """Yield the claims that no item names now, likewise; also those that were given back."""
        async for rows in self._uneven_pages(self._layout.claims, after):
            found = [
                (one, one.claim)
                for one in await self._find_claims(rows)
                if isinstance(one.claim, Claim) and self._is_uneven(one.claim.pk)
            ]
            headers = await self._headers(claim.pk for _, claim in found if claim.pk)
            index_of = self._layout.index_of
            dead = [one for one, claim in found if not _names_claim(headers, index_of(one.row.key), claim)]
            yield Slice(dead, len(rows), rows[-1].key.text)

    async def is_there(self, key: Key) -> bool:
        """Whether anything is stored under ``key``."""
        try:
            await self._storage.get(key)
        except NotFoundError:
            return False
        except CorruptionError:  # the store says so of an entry that it has
            return True
        return True

    async def still_there(self, rows: Sequence[Row]) -> list[Row]:
        """Return those of some entries that have not been removed since they were listed."""
        there = await map_bounded(lambda row: self.is_there(row.key), rows, self._concurrency)
        return [row for row, is_there in zip(rows, there, strict=True) if is_there]

    async def still_claimed(self, claims: Sequence[FoundClaim]) -> list[FoundClaim]:
        """Return those of some claims that have not been removed or taken over since they were read."""
        now = {one.row.key: one.etag for one in await self._find_claims([claim.row for claim in claims])}
        return [claim for claim in claims if now.get(claim.row.key) == claim.etag]

    async def is_claimed(self, index: str, pk: str) -> bool:
        """Whether a value is claimed for an item."""
        key = self._layout.claim(index)
        try:
            return Claim.unpack(key, (await self._storage.get(key)).data).pk == pk
        except (NotFoundError, CorruptionError):
            return False

    async def _uneven_pages(self, prefix: Key, after: str | None = None) -> AsyncIterator[tuple[Row, ...]]:
        if any(self._sums):
            async for rows in scan_pages(self._storage, prefix, after):
                yield rows

    async def _find_claims(self, rows: Sequence[Row]) -> list[FoundClaim]:
        async def find(row: Row) -> FoundClaim | None:
            try:
                entry = await self._storage.get(row.key)
                return FoundClaim(row, Claim.unpack(row.key, entry.data), entry.etag)
            except NotFoundError:
                return None
            except CorruptionError as error:
                return FoundClaim(row, error)

        return [found for found in await map_bounded(find, rows, self._concurrency) if found is not None]

    async def _headers(self, pks: Iterable[str]) -> dict[str, Header | CorruptionError | None]:
        """Return the headers of live items by their primary keys."""

        async def find(pk: str) -> Header | CorruptionError | None:
            try:
                stored = await self._committer.load(self._layout.item_of(pk))
            except CorruptionError as error:
                return error
            return stored.header if stored is not None and stored.header.live else None

        distinct = list(dict.fromkeys(pks))
        return dict(zip(distinct, await map_bounded(find, distinct, self._concurrency), strict=True))

    def _names(self, item: Key, header: Header) -> Iterable[tuple[str, str]]:
        pk = self._layout.pk_of(item)
        for index, ending in header.entries.items():
            yield pk, self._layout.entry(index, pk, ending).text
        for index in header.claims:
            yield pk, self._layout.claim(index).text

    def _add(self, pk: str, name: str, sign: int) -> None:
        group = zlib.crc32(pk.encode()) % _GROUPS
        digest = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        self._sums[group] = (self._sums[group] + sign * digest) & _MASK

    def _is_uneven(self, pk: str) -> bool:
        return self._sums[zlib.crc32(pk.encode()) % _GROUPS] != 0


def _names_entry(header: Header | CorruptionError | None, name: EntryName) -> bool:
    """Whether an item names an entry; one that cannot be read may."""
    if header is None:
        return False
    return isinstance(header, CorruptionError) or header.entries.get(name.index) == name.ending


def _names_claim(headers: dict[str, Header | CorruptionError | None], index: str, claim: Claim) -> bool:
    header = headers.get(claim.pk)
    if header is None:
        return False
    return isinstance(header, CorruptionError) or index in header.claims
