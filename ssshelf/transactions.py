"""What a commit changes: the item, and the entries and claims by which what it names differs from what was named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ssshelf.claims import Claim
from ssshelf.drafts import Draft
from ssshelf.envelope import UNWRITTEN, Header, Stored
from ssshelf.keys import Key
from ssshelf.layout import Layout, ending_of
from ssshelf.storages.base import IfAbsent, IfMatch, Operation, Put

__all__ = ["Transaction", "next_header", "plan"]


class Transaction(NamedTuple):
    """One commit of an item.

    Attributes:
        header: The new one.
        base: What it replaces.
        item: The conditional write that is the commit point.
        adds: The index entries to make before it.
        drops: The index entries to delete after it.
        claims: The unique values to claim before it.
        releases: The unique values to give back after it.
        is_new: Whether nobody else writes under these names, so that they may be removed again.
    """

    header: Header
    base: Stored | None
    item: Put
    adds: Sequence[Key]
    drops: Sequence[Key]
    claims: Mapping[str, Claim]
    releases: Mapping[str, Claim]
    is_new: bool = True

    @property
    def size(self) -> int:
        """How many operations it has."""
        return len(self.adds) + len(self.claims) + 1 + len(self.releases) + len(self.drops)

    def preparations(self, layout: Layout) -> list[Operation]:
        """Return what comes before the commit point, for a store that does it all at once."""
        return [
            *(Put(key, b"") for key in self.adds),
            *(Put(layout.claim(index), claim.pack(), IfAbsent()) for index, claim in self.claims.items()),
        ]


def next_header(before: Header, draft: Draft | None, rev: str) -> Header:
    """Return the header of the commit ``rev`` that comes after ``before``; ``None`` is that of a tombstone."""
    # A tombstone names no entries, since they may be gone, so that nothing carries them forward.
    named, held = (before.entries, before.claims) if not (draft and draft.afresh) else ({}, {})
    return Header(
        rev,
        before.n + 1,
        before.remembered() if before.n else (),
        live=draft is not None,
        # Entries of unchanged index keys and covers keep their names and cost nothing; so do claims.
        entries={index: _ending(draft, index, named, rev) for index in sorted(draft.indexes)} if draft else {},
        claims={index: held.get(index, rev) for index in sorted(draft.unique)} if draft else {},
        content_type=draft.content_type if draft else "",
    )


def _ending(draft: Draft, index: str, named: Mapping[str, str], rev: str) -> str:
    """Return what the name of an entry ends in after the commit ``rev``, given those there were before."""
    if index in named and draft.keeps(index, named[index]):
        return named[index]
    return ending_of(rev, draft.indexes[index])


def plan(layout: Layout, item: Put, base: Stored | None, header: Header, *, is_new: bool = True) -> Transaction:
    """Return the transaction that stores ``item``, whose header is ``header``, over ``base``."""
    before = base.header if base else UNWRITTEN
    pk = layout.pk_of(item.key)
    return Transaction(
        header,
        base,
        Put(item.key, item.data, IfMatch(base.etag) if base else IfAbsent()),
        adds=[layout.entry(index, pk, ending) for index, ending in _beyond(header.entries, before.entries)],
        drops=[layout.entry(index, pk, ending) for index, ending in _beyond(before.entries, header.entries)],
        claims={index: Claim(pk, rev) for index, rev in _beyond(header.claims, before.claims)},
        releases={index: Claim(pk, rev) for index, rev in before.claims.items() if index not in header.claims},
        is_new=is_new,
    )


def _beyond(some: Mapping[str, str], others: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the entries or claims that ``some`` name and ``others`` do not, with the same ending or revision."""
    return [(index, ending) for index, ending in some.items() if others.get(index) != ending]
