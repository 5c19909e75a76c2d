"""The mark that ``pop`` leaves for a moment where a value was, on stores that do not say who has deleted it.

All marks are the same bytes, so a listing tells them by their etag, and nothing needs to be read to leave them out. To
every reader there is nothing where one is. No JSON, MessagePack or pickle is one.
"""

from __future__ import annotations

from typing import Final

from ssshelf.storages.base import Entry, Row, content_etag

__all__ = ["TAKEN", "is_taken"]

TAKEN: Final = b"\0ssshelf: this value was popped 83d19c1697ce19cd1cead2701725b5ef"
_ETAG: Final = content_etag(TAKEN)


def is_taken(found: Entry | Row) -> bool:
    """Whether what was read, or listed, is the mark."""
    return found.data == TAKEN if isinstance(found, Entry) else found.etag == _ETAG
