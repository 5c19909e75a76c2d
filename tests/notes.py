"""The shelf that tests of maintenance are about."""

from __future__ import annotations

from typing import Any

from ssshelf import CManager, Collection, DictItems
from ssshelf.layout import Layout

__all__ = ["LAYOUT", "REV", "Note", "Notes", "note"]

Note = dict[str, Any]
REV = f"1-{'0' * 16}"
LAYOUT = Layout("notes")


class Notes(CManager[Note]):
    item_manager = DictItems(pk="slug")
    by_tag = Collection[Note](lambda note: note["tags"], covers=("title", "text"))
    by_title = Collection[Note](lambda note: note["title"], unique=True)


def note(number: int, *tags: str) -> Note:
    return {"slug": f"n{number:04}", "title": f"title {number}", "tags": list(tags)}
