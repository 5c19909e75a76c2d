"""The true history of a bucket: every state that every item ever had, and what has to hold at each instant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssshelf.claims import Claim
from ssshelf.envelope import Header, unpack
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key
from ssshelf.storages.base import Operation, Put
from tests.simulation.shelf import LAYOUT, LISTINGS, Thing, Things, claims, pk_text, positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.journal import Journal

__all__ = ["Call", "History", "Version"]

_ITEMS = LAYOUT.items.below
_CLAIMS = LAYOUT.claims.below
_META = Key("meta").below


@dataclass(eq=False)
class Version:
    """What was under the key of an item from one instant to the next change; at first, nothing.

    Attributes:
        step: The instant from which on it was there.
        header: As it was stored; ``None`` when nothing was.
        thing: The item; ``None`` for a tombstone.
        call: The operation whose request wrote it.
    """

    step: int
    header: Header | None = None
    thing: Thing | None = None
    call: Call | None = None

    @property
    def rev(self) -> str | None:
        """Its revision."""
        return self.header.rev if self.header else None


@dataclass(eq=False)
class Call:
    """One operation of one client.

    Attributes:
        number: Of all operations of the schedule.
        who: The client.
        kind: The method of the manager, or of the collection.
        pks: What it is about.
        thing: What it writes.
        expect: The revision that it replaces.
        began: The last instant before it; ``ended`` the last one within it.
        began_s: When that was.
        wrote: What its requests have written, whenever they were applied.
        verdict: What it may have written: ``nothing``; ``maybe`` one version, of revision ``rev`` if there is one;
            exactly ``one``; ``some`` of many items. Nobody may ask before it has ended.
    """

    number: int
    who: str
    kind: str
    pks: tuple[str, ...] = ()
    thing: Thing | None = None
    expect: str | None = None
    began: int = 0
    began_s: float = 0.0
    ended: int | None = None
    wrote: list[Version] = field(default_factory=list)
    verdict: str = "some"
    rev: str | None = None

    def __str__(self) -> str:
        expect = f" expect={self.expect}" if self.expect else ""
        return f"{self.kind}({', '.join(self.pks) if self.thing is None else self.thing}){expect}"


class History:
    """Every state of every item, and what is there now.

    Args:
        journal: Is told of broken promises.

    Attributes:
        step: The present instant; each change of the bucket begins a new one.
    """

    def __init__(self, journal: Journal) -> None:
        self.step = 0
        self._journal = journal
        self._versions: dict[str, list[Version]] = {}
        self._revs: set[tuple[str, str]] = set()
        self._there: set[str] = set()
        self._named: dict[str, str] = {}
        self._claims: dict[str, Claim] = {}
        self._held: dict[str, dict[str, Claim]] = {}

    @property
    def pks(self) -> list[str]:
        """The primary keys of all items that ever were."""
        return list(self._versions)

    def now(self, pk: str) -> Version:
        """Return the present state of an item."""
        return self._all(pk)[-1]

    def during(self, pk: str, began: int, ended: int) -> list[Version]:
        """Return the states that an item had at some instant of an interval, the last one first."""
        found = []
        for version in reversed(self._all(pk)):
            if version.step <= ended:
                found.append(version)
                if version.step <= began:
                    break
        return found

    def before(self, version: Version, pk: str) -> Version:
        """Return the state that ``version`` replaced."""
        versions = self._all(pk)
        return versions[versions.index(version) - 1]

    def _all(self, pk: str) -> list[Version]:
        return self._versions.setdefault(pk, [Version(0)])

    def applied(self, call: Call | None, operations: Sequence[Operation]) -> None:
        """Record what was applied in one instant, and check what has to hold now."""
        self.step += 1
        for operation in operations:
            self._apply(call, operation)
        for operation in operations:
            text = operation.key.text
            if text in self._named and text not in self._there:
                self._journal.broken("I1 complete", f"live {self._named[text]} lost its entry {text}")
            if text.startswith(_ITEMS):
                self._check_entries(text)
            if text.startswith((_ITEMS, _CLAIMS)):
                self._check_claims()

    def _apply(self, call: Call | None, operation: Operation) -> None:
        text = operation.key.text
        if isinstance(operation, Put):
            self._there.add(text)
        else:
            self._there.discard(text)
        if text.startswith(_CLAIMS):
            self._claim(operation)
        elif text.startswith(_ITEMS):
            self._replace(call, operation)

    def _claim(self, operation: Operation) -> None:
        text = operation.key.text
        if isinstance(operation, Put):
            self._claims[text] = Claim.unpack(operation.key, operation.data)
        else:
            self._claims.pop(text, None)

    def _replace(self, call: Call | None, operation: Operation) -> None:
        pk = str(operation.key.parts[-1])
        version = Version(self.step, call=call)
        if isinstance(operation, Put):
            try:
                version.header, body = unpack(operation.key, operation.data)
            except CorruptionError as error:
                self._journal.broken("stored form", str(error))
                return
            if version.header.live:
                version.thing = Things.item_manager.deserialize_item(body)
        versions = self._all(pk)
        text = operation.key.text
        self._check_chain(text, versions[-1], version)
        fence = version.thing == versions[-1].thing  # no two things are equal
        versions.append(version)
        if call is not None and version.header is not None and not fence:
            call.wrote.append(version)
        if fence and version.header is not None and call is not None and call.kind != "reindex":
            self._journal.counts.fences += 1
        self._name(text, pk, version.header)

    def _name(self, item: str, pk: str, header: Header | None) -> None:
        """Record what an item names now."""
        for entry in [entry for entry, owner in self._named.items() if owner == item]:
            del self._named[entry]
        self._held.pop(item, None)
        if header is not None and header.live:
            self._named.update(dict.fromkeys(_entries(pk, header), item))
            held = header.claims.items()
            self._held[item] = {LAYOUT.claim(index).text: Claim(pk_text(pk), rev) for index, rev in held}

    def _check_claims(self) -> None:
        """Check that no value has two live items, and that each has the claims that it names."""
        owners: dict[str, str] = {}
        for item, held in self._held.items():
            for text, claim in held.items():
                if text in owners:
                    self._journal.broken("I7 unique", f"{text} belongs to {owners[text]} and to {item}")
                elif (found := self._claims.get(text)) is None or found.pk != claim.pk:
                    self._journal.broken("I7 unique", f"live {item} names {claim} of {text}, but there is {found}")
                owners[text] = item

    def _check_entries(self, item: str) -> None:
        """Check that the entries that an item names are there."""
        for entry, owner in self._named.items():
            if owner == item and entry not in self._there:
                self._journal.broken("I1 complete", f"live {item} names {entry}, which does not exist")

    def _check_chain(self, item: str, old: Version, new: Version) -> None:
        """Check that a state follows from the one before."""
        broken, before, header = self._journal.broken, old.header, new.header
        if header is None:
            if before is not None and before.live:
                broken("revisions", f"{item} was deleted while it was live, at {before.rev}")
            return
        if (item, header.rev) in self._revs:
            broken("I3 exactly once", f"{item} got revision {header.rev} twice")
        self._revs.add((item, header.rev))
        n, lineage = (before.n + 1, before.remembered()) if before else (1, ())
        if (header.n, header.lineage) != (n, lineage):
            broken("I2 one winner", f"{item}: {header.rev} with {header.lineage} replaced {before and before.rev}")
        if new.thing is not None:
            listed = {position for listing in LISTINGS for position in positions(listing, new.thing)}
            named = {LAYOUT.text(position) for position in listed}
            if named != {_position(entry) for entry in _entries(new.thing["pk"], header)}:
                broken("entries", f"{item} {header.rev} names other entries than its keys")
            if set(header.claims) != claims(new.thing):
                broken("entries", f"{item} {header.rev} names other claims than its values")

    def live(self) -> Iterator[Thing]:
        """Yield the items that are live now."""
        for versions in self._versions.values():
            thing = versions[-1].thing
            if thing is not None:
                yield thing

    def garbage(self, *, conditional_delete: bool) -> set[str]:
        """Return what is there and belongs to no live item; what only a conditional deletion can remove may stay."""
        needed = {LAYOUT.item(thing["pk"]).text for thing in self.live()}
        needed |= self._named.keys() | {text for held in self._held.values() for text in held}
        stays = (_META,) if conditional_delete else (_META, _ITEMS, _CLAIMS)
        return {text for text in self._there - needed if not text.startswith(stays)}


def _entries(pk: str, header: Header) -> list[str]:
    return [LAYOUT.entry(index, pk_text(pk), rev).text for index, rev in header.entries.items()]


def _position(entry: str) -> str:
    return entry[: entry[:-1].rindex("/") + 1]
