"""What the modules export: sorted, complete, there and documented."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

import pytest

import ssshelf

if TYPE_CHECKING:
    from types import ModuleType

NAMES = ["ssshelf", *(found.name for found in pkgutil.walk_packages(ssshelf.__path__, "ssshelf."))]
MODULES = [module for module in map(importlib.import_module, NAMES) if hasattr(module, "__all__")]

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


def in_order(name: str) -> tuple[bool, bool, str]:
    """Sort as ruff's RUF022 does: constants, classes, the rest."""
    return not name.isupper(), not name[0].isupper(), name


@each_module
def test_exports_are_sorted(module: ModuleType) -> None:
    assert list(module.__all__) == sorted(set(module.__all__), key=in_order)


@each_module
def test_exports_exist(module: ModuleType) -> None:
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@each_module
def test_every_public_class_and_function_is_exported(module: ModuleType) -> None:
    public = {
        name
        for name, value in vars(module).items()
        if (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }

    assert public - set(module.__all__) == set()


@pytest.mark.parametrize("name", ssshelf._HOMES)
def test_what_the_package_exports_is_documented(name: str) -> None:
    value = getattr(ssshelf, name)

    assert inspect.getdoc(value) or not callable(value)
