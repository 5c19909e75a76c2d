"""What a commit takes and returns: drafts of items, revisions, and what was faster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ssshelf.covers import is_same_cover
from ssshelf.envelope import Header, Stored
from ssshelf.layout import cover_of

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Draft", "Lost", "Revision"]


class Draft(NamedTuple):
    """What is to be stored under a primary key.

    Attributes:
        body: The serialized document.
        indexes: The index keys it is to be listed under, as ``EntryName.index``, and what the entry of each covers.
        unique: Those of them that no other item may have.
        content_type: The media type of the document.
        afresh: Make all entries and claims anew, also those that there are according to the item.
    """

    body: bytes
    indexes: Mapping[str, str]
    unique: frozenset[str] = frozenset()
    content_type: str = ""
    afresh: bool = False

    def has_keys_of(self, header: Header) -> bool:
        """Whether an item has just these index keys, and claims just these unique values."""
        return self.indexes.keys() == header.entries.keys() and self.unique == header.claims.keys()

    def is_listed_by(self, header: Header) -> bool:
        """Whether, moreover, its entries cover what they are to cover."""
        return self.has_keys_of(header) and all(self.keeps(*one) for one in header.entries.items())

    def agrees_with(self, header: Header) -> bool:
        """Whether that is so but for entries that cover nothing, which is slower to list and not wrong."""
        named = {index: ending for index, ending in header.entries.items() if cover_of(ending)}
        return self.has_keys_of(header) and all(self.keeps(*one) for one in named.items())

    def keeps(self, index: str, ending: str) -> bool:
        """Whether the entry of an index key that is listed already, with this end of its name, is as it is to be."""
        return is_same_cover(self.indexes[index], cover_of(ending))

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """Return what is stored, to be stored again."""
        header = stored.header
        indexes = {index: cover_of(ending) for index, ending in header.entries.items()}
        return cls(stored.body, indexes, frozenset(header.claims), header.content_type)


@dataclass(frozen=True, slots=True)
class Lost:
    """A commit that somebody else's was faster than; ``current`` is what they stored."""

    current: Stored | None


class Revision(str):
    """The version of an item, as text; also after a round trip as text it can be given as ``expect``.

    Given back as it is, it saves the request that would find out what to change.
    """

    __slots__ = ("stored",)

    stored: Stored | None

    def __new__(cls, rev: str, stored: Stored | None = None) -> Self:
        """Return ``rev``, remembering what its commit stored."""
        self = super().__new__(cls, rev)
        self.stored = stored
        return self

    @classmethod
    def of(cls, stored: Stored) -> Self:
        """Return the revision of what is stored, without its document."""
        return cls(stored.header.rev, Stored(stored.etag, stored.header))

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)
