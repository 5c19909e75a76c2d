"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["late"]


def late(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose names are imported when they are first used.

    A module that one of the names is in is an attribute of the package, too, as if it had been imported.

    Args:
        package: The name of the package.
        homes: For each name the module it is in, relative to the package.

    Source: https://peps.python.org/pep-0562/
    """
    modules = {home.partition(".")[0] for home in homes.values()}

    def get(name: str) -> Any:
        if name in homes:
            value = getattr(import_module(f"{package}.{homes[name]}"), name)
        elif name in modules:
            value = import_module(f"{package}.{name}")
        else:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        setattr(sys.modules[package], name, value)  # so that it is asked for once
        return value

    return get
