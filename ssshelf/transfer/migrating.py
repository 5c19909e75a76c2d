"""Migrates what ssshelf 0.1 has stored: it is read as it is, and written as a new commit each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from ssshelf._concurrency import each_bounded
from ssshelf.documents import Document, Documents
from ssshelf.errors import CorruptionError, NotFoundError
from ssshelf.keys import Key
from ssshelf.maintenance import Progress, Report, Verified
from ssshelf.managers import CManager
from ssshelf.storages.base import CONCURRENCY, Storage
from ssshelf.transfer.arrivals import Arrivals
from ssshelf.transfer.landing import Landing, digest_of
from ssshelf.transfer.legacy import LegacyBucket, LegacyItem
from ssshelf.transfer.ownership import Ownership
from ssshelf.transfer.tally import Fate, Tally

__all__ = ["Migrated", "Migration"]


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a migration did.

    Attributes:
        managers: Of 0.1, and the name under which the items of each are now.
        tally: What became of the items, and the first 100 problems.
        entries: How many entries there were in the collections of 0.1.
        dangling: How many of them listed no item, and were left behind.
        too_long: How many of them have names for which there is no room now.
        checked: What ``verify`` of each manager found at the end; nothing after a dry run.
        seconds: How long this run took.
    """

    managers: Mapping[str, str]
    tally: Tally
    entries: int
    dangling: int
    too_long: int
    checked: Mapping[str, Verified]
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether all items are there, and listed."""
        sound = all(verified.is_sound for verified in self.checked.values())
        return self.tally.is_complete and not self.too_long and sound


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration of a bucket of ssshelf 0.1; the source is never changed, and may be the destination, too.

    Without the program's own class, documents are moved as they are, and listed where 0.1 listed them, with each part
    of a key as text; also where that was wrong, since nobody can tell. With a class, they are listed as it says.
    Entries of items that do not exist are dropped. It can be done again, and goes on where it was interrupted; items
    that are something else by now are conflicts, and stay; those that were removed since stay removed.

    Attributes:
        source: The bucket of 0.1.
        destination: Where the items are to be.
        programs: For names of item managers of 0.1, the managers that are to have their items.
        only: The names of the item managers whose items are migrated; nothing for all.
        collections: For names of collections, the item manager whose items they list, where primary keys do not tell.
        is_dry: Read everything, and write nothing.
    """

    source: Storage
    destination: Storage
    programs: Mapping[str, CManager[Any]] = field(default_factory=dict)
    only: Sequence[str] = ()
    collections: Mapping[str, str] = field(default_factory=dict)
    is_dry: bool = False

    async def run(self, progress: Report | None = None) -> Migrated:
        """Migrate.

        Args:
            progress: Called with a ``Progress``, after every 1,000 items or entries at the latest.

        Raises:
            ValueError: The bucket has nothing of 0.1, or not a name in ``programs``, ``only`` or ``collections``; or
                ``collections`` does not say enough. Nothing was written.
            ConflictError, CommitUnknownError, UnavailableError: As writes do; doing it again goes on.

        Cost:
            1 get for each item here and there, and an insert; 2 scans for each 1,000 items, and 1 for each 1,000
            entries; that of ``verify``.
        """
        report = progress or _nobody
        clock = asyncio.get_running_loop().time
        started = clock()
        bucket, tally = LegacyBucket(self.source), Tally()
        names = await self._names(bucket)
        checked: dict[str, Verified] = {}
        async with Ownership.open(self.collections) as ownership:
            await _find_owners(bucket, ownership, report)
            await ownership.check({name for name in names if name not in self.programs})
            for name in names:
                shelf = _Shelf(self, name)
                tally.include(await shelf.fill(bucket, ownership, report))
                if not self.is_dry:
                    checked[name] = await shelf.documents.verify(progress=report)
        known = ownership.entries, ownership.dangling, ownership.too_long
        managers = {name: self._name_of(name) for name in names}
        return Migrated(managers, tally, *known, checked, clock() - started)

    def _name_of(self, manager: str) -> str:
        return self.programs[manager].item_manager.name if manager in self.programs else manager

    async def _names(self, bucket: LegacyBucket) -> list[str]:
        """Return the managers to migrate, if all that were named exist."""
        there, listed = await bucket.managers(), await bucket.collections()
        if not there:
            msg = f"nothing of ssshelf 0.1 is stored in {self.source!r}"
            raise ValueError(msg)
        for kind, wanted, known in (
            ("item manager", {*self.programs, *self.only, *self.collections.values()}, there),
            ("collection", set(self.collections), listed),
        ):
            if unknown := sorted(wanted - set(known)):
                names = ", ".join(known) or "none"
                msg = f"there is no {kind} {', '.join(unknown)} of ssshelf 0.1 there; there are {names}"
                raise ValueError(msg)
        return [name for name in there if not self.only or name in self.only]


async def _find_owners(bucket: LegacyBucket, ownership: Ownership, report: Report) -> None:
    items = entries = 0
    for manager in await bucket.managers():
        async for some in bucket.items(manager):
            await ownership.add_items(manager, some)
            items += len(some)
            report(Progress("listing items", items))
    for collection in await bucket.collections():
        async for listed in bucket.entries(collection):
            await ownership.add_entries(collection, listed)
            entries += len(listed)
            report(Progress("listing entries", entries))


class _Shelf:
    """The shelf into which the items of one manager come."""

    def __init__(self, migration: Migration, name: str) -> None:
        self._migration = migration
        self._name = name
        self._program = migration.programs.get(name)
        self._tally = Tally()
        self.documents = Documents(migration.destination, migration._name_of(name))

    async def fill(self, bucket: LegacyBucket, ownership: Ownership, report: Report) -> Tally:
        """Store all items; return what became of them."""
        is_dry = self._migration.is_dry
        landing = Landing(self.documents.committer, digest_of(repr(bucket.storage).encode()), {})
        if not is_dry:
            self._tally = await landing.begin()
        arrivals = Arrivals(self.documents, self._tally)

        async def move(item: LegacyItem) -> None:
            document = await self._document(item, ownership)
            if document is not None:
                await arrivals.add(document, is_old=True, is_dry=is_dry)

        async for items in bucket.items(self._name, landing.after or None):
            await each_bounded(move, items, CONCURRENCY)
            report(Progress(f"migrating {self._name}", self._tally.seen))
            if not is_dry:
                await landing.save(self._tally, items[-1].row.key.text)
        if not is_dry:
            await landing.end()
        return self._tally

    async def _document(self, item: LegacyItem, ownership: Ownership) -> Document | None:
        try:
            data = (await self._migration.source.get(item.row.key)).data
            if self._program is not None:
                return _as_declared(self._program, data)
            return Document(item.pk, data, _media_type(data), await ownership.indexes(self._name, item.pk))
        except NotFoundError:  # it was removed since it was listed
            return None
        except CorruptionError as error:
            self._tally.note(item.row.key, Fate.UNREADABLE, error)
            return None


def _as_declared(program: CManager[Any], data: bytes) -> Document:
    """Return an item as the program stores it now.

    Raises:
        CorruptionError: The program cannot read it, or cannot store it.
    """
    try:
        key, draft = program._catalog.draft(program.item_manager.deserialize_item(data))
    except Exception as error:
        raise CorruptionError(Key(), f"the program cannot read and list it: {type(error).__name__}") from error
    return Document(str(key.parts[-1]), draft.body, draft.content_type, frozenset(draft.indexes), draft.unique)


def _media_type(data: bytes) -> str:
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return "application/octet-stream"
    return "application/json"


def _nobody(_: Progress) -> None:
    return
