"""A dict as one stored JSON document: read, and written only over what was read, by who blocks."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from ssshelf._background import background
from ssshelf._json_document import STAMP_BITS, packed, parsed, stamp
from ssshelf._observed import plain
from ssshelf._register import Register
from ssshelf.errors import ConflictError, DeniedError, NotFoundError, UnavailableError, UnsupportedError
from ssshelf.storages.base import Entry, content_etag

__all__ = ["JSONFile", "Merge", "merge_keys"]

Merge: TypeAlias = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], "dict[str, Any] | None"]
"""Makes one dict of the last one that both had, one's own and theirs; ``None`` if that cannot be done."""


class JSONFile:
    """One document, and what of it was read or written here last; not for several threads at once.

    Args:
        register: Its entry.
        merge: Asked when somebody else has written meanwhile; ``None`` leaves it at a ``ConflictError``.
    """

    def __init__(self, register: Register, merge: Merge | None) -> None:
        self.register = register
        if merge is not None and not callable(merge):
            msg = f"merge must be a function, not {type(merge).__name__}"
            raise TypeError(msg)
        self._merge = merge
        self._seen: Entry | None = None
        self._unanswered: set[str] = set()  # etags of what was sent, and may be stored

    @property
    def is_there(self) -> bool:
        """Whether there was a document, when that was read or written last."""
        return self._seen is not None

    def load(self) -> dict[str, Any] | None:
        """Return what is stored; ``None`` when nothing ever was.

        Raises:
            NotFoundError: Somebody has removed it.
            CorruptionError: It is no JSON object.
        """
        entry = background().call(self.register.read)
        if entry is None and self._seen is not None:
            raise NotFoundError(self.register.key)
        data = parsed(self.register.key, entry.data) if entry else None
        self._seen = entry
        return data

    def create(self, data: dict[str, Any]) -> None:
        """Write the first document; ``ConflictError`` when there is one."""
        self._send(packed(data), partial(self.register.write, expect=None))

    def overwrite(self, data: dict[str, Any]) -> None:
        """Write over whatever is there."""
        self._send(packed(data), partial(self.register.storage.put, self.register.key))

    def save(self, data: dict[str, Any], *, if_changed: bool = False) -> dict[str, Any]:
        """Write over what was read or written last; return ``data``, or what it was merged to.

        Args:
            data: What to write.
            if_changed: Send nothing if it is what was read or written last.

        Raises:
            ConflictError: Somebody else has written, or removed it, and it was not merged; nothing was written.
            CommitUnknownError: The store did not say; to save again is safe.
        """
        conflict = ConflictError(self.register.key, None, None)
        over = self._seen
        for pause in self.register.policy.conflict_pauses():
            time.sleep(pause)
            text = packed(data)
            if if_changed and over is self._seen and self._is_stored(text):
                return data
            try:
                self._send(text, partial(self.register.write, expect=over.etag if over else None))
            except ConflictError as error:
                conflict = error
                data, over = self._reconciled(data, over, conflict)
            else:
                return data
        raise conflict

    def delete(self) -> None:
        """Remove what was read or written last; that somebody else has removed it is no conflict."""
        background().call(self._delete)
        self._seen = None

    def delete_anyway(self) -> None:
        """Remove whatever is there."""
        background().call(self.register.storage.delete, self.register.key)
        self._seen = None

    async def _delete(self) -> None:
        over = self._seen
        while not (over and await self._is_deleted(over)):
            found = await self.register.read()
            if found is None:
                return
            if found == over or not self._is_own(found):
                raise ConflictError(self.register.key, over.etag if over else None, found.etag)
            over = found

    async def _is_deleted(self, entry: Entry) -> bool:
        """Remove ``entry``; return whether that was there."""
        try:
            await self.register.delete(expect=entry.etag)
        except ConflictError:
            return False
        return True

    def _is_own(self, found: Entry) -> bool:
        """Whether what was found was written here, and nobody said so."""
        return content_etag(found.data) in self._unanswered

    def _reconciled(
        self, data: dict[str, Any], over: Entry | None, conflict: ConflictError
    ) -> tuple[dict[str, Any], Entry]:
        """Return what to write instead of ``data``, and over what, since ``over`` is there no more."""
        if self._merge is None and not self._unanswered:
            raise conflict
        theirs = background().call(self.register.read)
        if theirs is None:
            raise conflict
        if self._is_own(theirs):
            return data, theirs
        base = parsed(self.register.key, over.data) if over else {}
        merged = self._merge(base, plain(data), parsed(self.register.key, theirs.data)) if self._merge else None
        if merged is None:
            raise conflict
        return merged, theirs

    def _is_stored(self, text: bytes) -> bool:
        """Whether a document is what was read or written last, and nothing else may have been written since."""
        return self._seen is not None and not self._unanswered and self._seen.data.rstrip() == text

    def _send(self, text: bytes, write: Callable[[bytes], Awaitable[str]]) -> None:
        document = text + stamp(self.register.policy.dice.getrandbits(STAMP_BITS))
        try:
            etag = background().call(write, document)
        except BaseException as error:
            if _may_be_stored(error):
                self._unanswered.add(content_etag(document))
            raise
        self._seen = Entry(document, etag)
        self._unanswered.clear()


def _may_be_stored(error: BaseException) -> bool:
    """Whether what was to be written may be stored after this, now or later."""
    if isinstance(error, UnavailableError):
        return error.maybe_applied
    return not isinstance(error, ConflictError | DeniedError | UnsupportedError)


def merge_keys(base: dict[str, Any], mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any] | None:
    """Merge what changed key by key; ``None`` if both have changed one key, and not to the same."""
    merged = dict(theirs)
    for name in base | mine:
        was, now, there = (_text(each, name) for each in (base, mine, theirs))
        if now in (was, there):
            continue
        if there != was:
            return None
        if now is None:
            del merged[name]
        else:
            merged[name] = mine[name]
    return merged


def _text(data: dict[str, Any], name: str) -> str | None:
    """Return what tells a value from another; to ``==`` 1, 1.0 and true are one. ``None``: the key is not there."""
    return json.dumps(data[name], sort_keys=True) if name in data else None
