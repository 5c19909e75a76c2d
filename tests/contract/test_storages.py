"""All storages of the package keep the contract, and none is forgotten."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest

import ssshelf.storages
from ssshelf.storages.base import Storage
from ssshelf.storages.readonly import ReadOnlyStorage
from ssshelf.storages.wrapper import WrapperStorage
from ssshelf.testing import StorageContract
from tests import storages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TestStorages(StorageContract):
    @pytest.fixture(params=storages.ALL)
    async def storage(self, request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
        async with storages.open_named(request.param, request) as storage:
            yield storage


def test_every_storage_class_is_under_contract() -> None:
    modules = pkgutil.iter_modules(ssshelf.storages.__path__, "ssshelf.storages.")
    found = {
        value
        for module in modules
        for name, value in vars(importlib.import_module(module.name)).items()
        if isinstance(value, type) and Storage in value.__mro__ and not name.startswith("_")
    }
    tested = {getattr(storages, name) for name in dir(storages) if name.endswith("Storage")}

    assert found - tested <= {WrapperStorage, ReadOnlyStorage}  # one does nothing, the other writes nothing
