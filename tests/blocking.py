"""Storages for tests that do not await."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ssshelf._background import background
from tests.storages import open_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from ssshelf.storages.base import Storage

__all__ = ["opened"]


@contextlib.contextmanager
def opened(name: str, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Open the storage with this name, empty, where blocking calls use it."""
    request.getfixturevalue(f"{name}_url" if name in ("moto", "ceph") else "tmp_path")  # not there: nothing may block
    opening = open_named(name, request)
    storage = background().call(opening.__aenter__)
    try:
        yield storage
    finally:
        background().call(opening.__aexit__, None, None, None)
