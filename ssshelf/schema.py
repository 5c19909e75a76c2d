"""Which version of each collection a shelf is indexed by: written by a reindex, asked by readers of later versions."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from ssshelf.errors import ConflictError, CorruptionError, NotFoundError
from ssshelf.layout import Layout
from ssshelf.storages.base import Condition, IfAbsent, IfMatch, Storage

__all__ = ["indexed_versions", "record_versions"]

_NAME = "collections"
_ATTEMPTS = 8


async def indexed_versions(storage: Storage, layout: Layout) -> Mapping[str, int]:
    """Return the version of each collection that all items are listed by; empty before the first reindex.

    Raises:
        CorruptionError: It cannot be read.

    Cost:
        1 get.
    """
    return (await _read(storage, layout))[0]


async def record_versions(storage: Storage, layout: Layout, versions: Mapping[str, int]) -> None:
    """Remember that all items are listed by these versions; later ones that somebody else recorded stay.

    Raises:
        ConflictError: Others kept being faster.

    Cost:
        1 get and 1 put.
    """
    key = layout.meta(_NAME)
    for _ in range(_ATTEMPTS):
        known, condition = await _read(storage, layout)
        merged = {name: max(version, known.get(name, 0)) for name, version in versions.items()}
        data = orjson.dumps({**known, **merged}, option=orjson.OPT_SORT_KEYS)
        try:
            await storage.put(key, data, condition=condition)
        except ConflictError:
            continue
        return
    raise ConflictError(key, None, None)


async def _read(storage: Storage, layout: Layout) -> tuple[dict[str, int], Condition]:
    key = layout.meta(_NAME)
    try:
        entry = await storage.get(key)
    except NotFoundError:
        return {}, IfAbsent()
    try:
        versions = orjson.loads(entry.data)
        if all(type(version) is int for version in versions.values()):
            return versions, IfMatch(entry.etag)
    except (orjson.JSONDecodeError, AttributeError):
        pass
    raise CorruptionError(key, "not what a reindex remembers of collections; delete it and reindex again")
