"""Unique values: an item claims each of its own before it is committed, and at most one live item holds it.

A claim names the item it was made for, and the commit that made it. It counts, whatever the commit, only while that
item is live and names the value in turn. A claim that counts for nobody may still be that of a writer who is about to
commit; so whoever takes it over for another item first fences the one it was made for: it writes the item anew as it
is, so that no commit that started from what was there before can succeed any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import orjson

from ssshelf.envelope import Stored
from ssshelf.errors import ConflictError, CorruptionError, NotFoundError, UnavailableError, UniqueViolationError
from ssshelf.keys import Key, decode
from ssshelf.layout import Layout
from ssshelf.storages.base import Condition, Delete, IfAbsent, IfMatch, Operation, Put, Storage

__all__ = ["Claim", "Claims"]

_FORMAT_VERSION = 1
_SIGHTINGS = 6
"""How often a claim in progress is looked at before its writer counts as dead; about a second in all."""
_ATTEMPTS_ALONE = 2
"""To claim a value that nobody else wants: what is there may be a claim that counts for nobody."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is stored under a unique value.

    Attributes:
        pk: The primary key of the item it was made for, as k1 text; empty when it was given back.
        rev: The revision of the commit that made it, or gave it back; no two claims have the same.
    """

    pk: str
    rev: str

    def pack(self) -> bytes:
        """Return the bytes to store."""
        return orjson.dumps({"ssshelf": _FORMAT_VERSION, "pk": self.pk, "rev": self.rev})

    @classmethod
    def unpack(cls, key: Key, data: bytes) -> Claim:
        """Return the claim in ``data``, which was stored under ``key``.

        Raises:
            CorruptionError: It is none.
        """
        try:
            line = orjson.loads(data)
            if line["ssshelf"] == _FORMAT_VERSION and type(line["pk"]) is type(line["rev"]) is str:
                return cls(line["pk"], line["rev"])
        except (orjson.JSONDecodeError, LookupError, TypeError):
            pass
        raise CorruptionError(key, "not the stored form of a claim to a unique value")


class Claims:
    """Takes and gives back the claims of one manager's items.

    Args:
        storage: Where they are.
        layout: Under which names.
        load: Reads what is stored under the key of an item.
        fence: Makes every commit fail that started from what is given, or from before; returns whether it did.
        pauses: Between attempts, of which there are at least so many.
    """

    def __init__(
        self,
        storage: Storage,
        layout: Layout,
        load: Callable[[Key], Awaitable[Stored | None]],
        fence: Callable[[Key, Stored | None], Awaitable[bool]],
        pauses: Callable[[int], Iterator[float]],
    ) -> None:
        self._storage = storage
        self._layout = layout
        self._load = load
        self._fence = fence
        self._pauses = pauses

    async def take(self, index: str, mine: Claim) -> bool:
        """Claim a value for an item that is not committed yet.

        Returns:
            Whether it may be given back by who does not commit: not when it was another writer's of the same item,
            who may yet commit and name it.

        Raises:
            UniqueViolationError: A live item holds it.
            ConflictError: Others kept being faster.
            UnavailableError: The store does not answer.

        Cost:
            1 put. If somebody else has claimed it, 2 gets each time it is looked at; a claim without an item that
            names it is taken over with 2 puts more.
        """
        key = self._layout.claim(index)
        failure: Exception = ConflictError(key, None, None)
        condition: Condition | None = IfAbsent()
        seen: list[str] = []
        inherited = False
        for pause in self._pauses(_SIGHTINGS + _ATTEMPTS_ALONE):
            if pause:
                await asyncio.sleep(pause)
            try:
                if condition is not None:
                    await self._storage.put(key, mine.pack(), condition=condition)
                    return not inherited
            except (ConflictError, UnavailableError) as error:
                failure = error
            try:
                claim, etag = await self._find(key)
                if claim == mine:  # an earlier attempt was applied
                    return not inherited
                inherited = inherited or claim.pk == mine.pk
                seen.append(etag)
                condition = await self._condition(index, claim, mine, etag, patient=seen.count(etag) < _SIGHTINGS)
            except NotFoundError:
                condition = IfAbsent()
        raise failure

    async def release(self, index: str, mine: Claim, rev: str) -> Operation | None:
        """Return what gives back a claim that no live item names any more; ``None`` when it is gone already.

        Args:
            index: The value.
            mine: The claim as it was made.
            rev: The revision that gives it back.

        Cost:
            1 get.
        """
        key = self._layout.claim(index)
        try:
            claim, etag = await self._find(key)
        except NotFoundError:
            return None
        if claim != mine:
            return None
        if self._storage.capabilities.conditional_delete:
            return Delete(key, IfMatch(etag))
        return Put(key, Claim("", rev).pack(), IfMatch(etag))

    async def give_back(self, index: str, mine: Claim, rev: str) -> None:
        """Give back a claim, if it still is as it was made; like ``release``.

        Cost:
            1 get and 1 deletion.
        """
        operation = await self.release(index, mine, rev)
        try:
            if isinstance(operation, Delete):
                await self._storage.delete(operation.key, condition=operation.condition)
            elif isinstance(operation, Put):
                await self._storage.put(operation.key, operation.data, condition=operation.condition)
        except ConflictError:  # somebody took it over
            return

    async def _find(self, key: Key) -> tuple[Claim, str]:
        entry = await self._storage.get(key)
        return Claim.unpack(key, entry.data), entry.etag

    async def _condition(self, index: str, claim: Claim, mine: Claim, etag: str, *, patient: bool) -> Condition | None:
        """Return the condition under which a claim may be taken over; ``None``: look at it again."""
        if claim.pk not in ("", mine.pk):
            item = self._layout.item_of(claim.pk)
            owner = await self._load(item)
            if owner is not None and owner.header.live and index in owner.header.claims:
                raise UniqueViolationError(self._layout.claim(index), str(decode(f"{claim.pk}/")[0]))
            if patient or not await self._fence(item, owner):
                return None
        return IfMatch(etag)
