"""Which version of each collection a shelf is indexed by: noted by a reindex or a copy, asked by readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson

from ssshelf.errors import ConflictError, CorruptionError, NotFoundError
from ssshelf.layout import Layout
from ssshelf.storages.base import Condition, IfAbsent, IfMatch, Storage

__all__ = ["indexed_versions", "limit_versions", "record_versions"]

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

    def merge(known: dict[str, int]) -> dict[str, int]:
        return known | {name: max(version, known.get(name, 0)) for name, version in versions.items()}

    await _change(storage, layout, merge)


async def limit_versions(storage: Storage, layout: Layout, versions: Mapping[str, int]) -> None:
    """Remember that some items are listed by these versions only, and by none of what is not among them.

    Raises:
        ConflictError: Others kept being faster.

    Cost:
        1 get, and 1 put if later ones were recorded.
    """

    def lower(known: dict[str, int]) -> dict[str, int]:
        return {name: min(version, versions[name]) for name, version in known.items() if name in versions}

    await _change(storage, layout, lower)


async def _change(storage: Storage, layout: Layout, change: Callable[[dict[str, int]], dict[str, int]]) -> None:
    key = layout.meta(_NAME)
    for _ in range(_ATTEMPTS):
        known, condition = await _read(storage, layout)
        changed = change(known)
        if changed == known:
            return
        try:
            await storage.put(key, orjson.dumps(changed, option=orjson.OPT_SORT_KEYS), condition=condition)
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
