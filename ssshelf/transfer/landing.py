"""What a shelf has to know while items are brought into it: where to go on, that nobody sweeps, what is listed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ssshelf.commit import Committer
from ssshelf.errors import NotFoundError, UnavailableError
from ssshelf.maintenance.announcements import check_no_sweep, copy_name
from ssshelf.maintenance.checkpoint import Checkpoint
from ssshelf.schema import limit_versions, record_versions
from ssshelf.storages.base import Storage
from ssshelf.transfer.tally import Tally

__all__ = ["Landing", "digest_of"]


def digest_of(source: bytes) -> str:
    """Return what stands for a source in the name of a checkpoint."""
    return hashlib.blake2b(source, digest_size=16).hexdigest()


class Landing:
    """The beginning, the middle and the end of bringing items into one manager's shelf.

    The versions by which its collections list items are lowered before the first item comes that may not be listed by
    them. If nothing was there before, those of the source hold at the end.

    Args:
        committer: Of the shelf.
        source: The digest of where the items come from.
        versions: Of the collections that list all items at the source.

    Attributes:
        after: The key text behind which to go on.
    """

    def __init__(self, committer: Committer, source: str, versions: Mapping[str, int]) -> None:
        self._storage, self._layout = committer.storage, committer.layout
        self._key = self._layout.meta(copy_name(source))
        self._checkpoint = Checkpoint(self._storage, self._key)
        self._token = f"{committer.policy.dice.getrandbits(64):016x}"
        self._versions = dict(versions)
        self.is_fresh = False
        self.after = ""

    async def begin(self) -> Tally:
        """Tell everybody that items are coming, and return what an interrupted run has counted.

        Raises:
            UnavailableError: The shelf is being swept.

        Cost:
            2 gets, 1 scan, 1 put; 1 put more to lower the versions.
        """
        saved = await self._checkpoint.load(self._state(Tally()))
        if saved is None:
            tally = Tally()
            self.is_fresh = not (await self._storage.scan(self._layout.items, limit=1)).rows
        else:
            state, _ = saved
            tally = Tally.of(state["counts"])
            self.after, self.is_fresh = state["after"], state["is_fresh"]
            before = dict(state["versions"])
            self._versions = {name: min(v, before[name]) for name, v in self._versions.items() if name in before}
        await self.save(tally)
        try:
            await check_no_sweep(self._storage, self._layout)
        except UnavailableError:
            if saved is None:  # nothing has come that a sweep would have to spare
                await self._checkpoint.forget()
            raise
        await limit_versions(self._storage, self._layout, self._versions)
        return tally

    async def check_is_elsewhere(self, source: Storage) -> None:
        """Refuse a source in which the announcement shows.

        Raises:
            ValueError: Source and destination are one place.
        """
        try:
            seen = (await source.get(self._key)).data
        except NotFoundError:
            return
        if self._token.encode() in seen:
            await self._checkpoint.forget()
            msg = "the source and the destination are the same place, so there is nothing to copy"
            raise ValueError(msg)

    async def save(self, tally: Tally, after: str | None = None) -> None:
        """Remember that all up to the key text ``after`` has arrived."""
        self.after = self.after if after is None else after
        await self._checkpoint.save(self._state(tally))

    async def end(self) -> None:
        """Let readers in by the versions that hold now, and forget the rest.

        Cost:
            1 deletion; 1 get and 1 put into a shelf that was empty.
        """
        if self.is_fresh and self._versions:
            await record_versions(self._storage, self._layout, self._versions)
        await self._checkpoint.forget()

    def _state(self, tally: Tally) -> dict[str, Any]:
        return {
            "token": self._token,
            "after": self.after,
            "is_fresh": self.is_fresh,
            "versions": list(self._versions.items()),
            "counts": tally.state(),
        }
