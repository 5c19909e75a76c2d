"""Managers: those of the user's own program, named as ``module:Class``, and the stored ones, by their names."""

from __future__ import annotations

import importlib
import re
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from ssshelf.cli.failures import Refused
from ssshelf.cli.notation import parse_text
from ssshelf.documents import Documents
from ssshelf.managers import CManager
from ssshelf.storages.base import Storage

__all__ = ["is_program", "load", "manager_on"]

_PROGRAM = re.compile(r"(?!(text|json):)[^\W\d][\w.]*:[^\W\d][\w.]*")


def is_program(word: str) -> bool:
    """Whether ``word`` names a class and not what is stored; ``text:a:b`` is a stored name with a colon."""
    return _PROGRAM.fullmatch(word) is not None


def manager_on(storage: Storage, word: str) -> CManager[Any]:
    """Return the manager that ``word`` names: a class of a program, or what some program has stored.

    Raises:
        Refused: The class cannot be imported, is none, or takes other arguments.
    """
    return load(word, storage) if is_program(word) else Documents(storage, parse_text(word))


def load(word: str, storage: Storage) -> CManager[Any]:
    """Return an instance of the class ``module:Class``, which is looked for in the current directory first.

    Raises:
        Refused: As for ``manager_on``.
    """
    module, _, path = word.partition(":")
    if not is_program(word):
        msg = f"{word!r} is no class: write module:Class, such as shop.models:Orders"
        raise Refused(msg)
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = reduce(getattr, path.split("."), importlib.import_module(module))
        if isinstance(found, type) and issubclass(found, CManager):
            return found(storage)
    except Exception as error:
        msg = f"{word} cannot be used: {type(error).__name__}: {error}"
        raise Refused(msg) from error
    msg = f"{word} is no subclass of ssshelf.CManager"
    raise Refused(msg)
