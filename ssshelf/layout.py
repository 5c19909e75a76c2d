"""The names under which one manager's items and index entries are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ssshelf.keys import Key, encode, segmented

__all__ = ["EntryName", "Layout", "cover_of", "ending_of", "new_rev", "number_of", "position_of"]


@dataclass(frozen=True, slots=True)
class EntryName:
    """The pieces of an index entry's name, each as k1 text.

    Attributes:
        index: The collection and the index key, ``by-tag!/python!``.
        pk: The primary key of the item it points to.
        ending: The revision whose commit first named the entry, and the cover, if there is one; see ``ending_of``.
    """

    index: str
    pk: str
    ending: str

    @property
    def position(self) -> str:
        """What entries are ordered and paged by."""
        return position_of(self.index, self.pk)

    @property
    def cover(self) -> str:
        """What the entry covers, as text; empty if that is nothing."""
        return cover_of(self.ending)


def new_rev(n: int, random_bits: int) -> str:
    """Return a revision: the ``n``-th of its item, told apart from those of other writers by 64 random bits."""
    return f"{n}-{random_bits:016x}"


def number_of(rev: str) -> int:
    """Return which commit of its item a revision is.

    Raises:
        ValueError: It is no revision.
    """
    if not isinstance(rev, str) or (match := re.fullmatch(r"([1-9][0-9]*)-[0-9a-f]{16}", rev)) is None:
        msg = f"{rev!r:.60} is no revision, as a write or CommitUnknownError.rev has it"
        raise ValueError(msg)
    return int(match[1])


_LONGEST_REV = new_rev(10**10 - 1, 2**64 - 1)
_RANDOM_DIGITS = 16
_LONGEST_COVERING = 896
"""In bytes: of names that end in a cover. The rest is for the prefixes of other storages to which items are copied."""


def ending_of(rev: str, cover: str) -> str:
    """Return what the name of an index entry ends in: a revision and, behind that, what the entry covers."""
    return segmented(f"{rev}-{cover}") if cover else rev


def cover_of(ending: str) -> str:
    """Return the cover in what the name of an index entry ends in; empty if it covers nothing."""
    return ending.replace("/", "").partition("-")[2][_RANDOM_DIGITS + 1 :]


def position_of(index: str, pk: str) -> str:
    """Return what an entry is ordered and paged by: the index key, then the primary key, whatever the revision."""
    return f"{index}/{_leaf(pk)}/"


def _leaf(pk_text: str) -> str:
    """Return the k1 text of the ``Leaf`` that holds a primary key, given as k1 text; slashes only cut it."""
    return segmented("!-" + pk_text[:-1].replace("/", "")) + "!"


class Layout:
    """Names derived from the manager's.

    ::

        items!/{manager}!/{pk}!                                        an item
        collections!/{manager}!/{collection}!/{part}!/…/!-{pk}!/{rev}! an index entry; the pk is a ``Leaf``
        collections!/{manager}!/{collection}!/{part}!/…/!-{pk}!/{rev}-{cover}!   one that covers values of its item
        unique!/{manager}!/{collection}!/{part}!/…                     a claim to a unique value
        meta!/{manager}!/{name}!                                       what maintenance remembers

    Attributes:
        items: What all items are stored under.
        entries: What all index entries are stored under.
        claims: What all claims are stored under.
        memory: What all that maintenance remembers is stored under.
    """

    __slots__ = ("_claims", "_collections", "_items", "claims", "entries", "items", "memory")

    def __init__(self, manager: str) -> None:
        self.items = Key("items", manager)
        self.entries = Key("collections", manager)
        self.claims = Key("unique", manager)
        self._items = self.items.below
        self._collections = self.entries.below
        self._claims = self.claims.below
        self.memory = Key("meta", manager)

    def item(self, pk: str) -> Key:
        """Return the key of an item, given its primary key as the caller has it."""
        return self.item_of(encode((pk,))[:-1])

    def item_of(self, pk_text: str) -> Key:
        """Return the key of an item, given its primary key as k1 text."""
        return Key.from_text(self._items + pk_text)

    def pk_of(self, item: Key) -> str:
        """Return the k1 text of the primary key in an item's key; ``decode`` its inverse."""
        return item.text[len(self._items) :]

    def claim(self, index: str) -> Key:
        """Return the key of the claim to a unique value, given as ``EntryName.index``."""
        return Key.from_text(self._claims + index)

    def index_of(self, claim: Key) -> str:
        """Return the index in the key of a claim."""
        return claim.text[len(self._claims) :]

    def meta(self, name: str) -> Key:
        """Return the key of what maintenance remembers by this name."""
        return self.memory / name

    def entry(self, index: str, pk_text: str, ending: str) -> Key:
        """Return the key of an index entry."""
        return Key.from_text(f"{self._collections}{position_of(index, pk_text)}{ending}!")

    def longest_entry(self, index: str, pk_text: str, cover: str = "") -> Key:
        """Return the key of an index entry with the longest revision, so that what fits once fits always."""
        return self.entry(index, pk_text, ending_of(_LONGEST_REV, cover))

    def has_room(self, index: str, pk_text: str, cover: str, max_key_bytes: int) -> bool:
        """Whether the name of an index entry may be so long that it ends in a cover."""
        return len(self.longest_entry(index, pk_text, cover).text) <= min(max_key_bytes, _LONGEST_COVERING)

    def text(self, position: str) -> str:
        """Return the text that the keys of the entries at a position, or under the start of one, start with."""
        return self._collections + position

    def parse(self, entry: Key) -> EntryName | None:
        """Return the pieces of an index entry's key; ``None`` when something else wrote it."""
        pieces = entry.text[len(self._collections) :].rsplit("!/", 2)
        if len(pieces) != 3 or pieces[1][:2] != "!-" or pieces[2][-1:] != "!":  # noqa: PLR2004  index, pk, rev
            return None
        pk = segmented(pieces[1][2:].replace("/", ""))
        return EntryName(pieces[0] + "!", pk + "!", pieces[2][:-1])
