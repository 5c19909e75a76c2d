"""CPython's own tests of mappings, for ``S3Dict``."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ssshelf import MemoryStorage, S3Dict

mapping_tests = pytest.importorskip("test.mapping_tests", reason="Debian has them in libpython3-testsuite")
names = itertools.count()


class MemoryDict(S3Dict):
    """What is made as a dict is."""

    storage: Any = MemoryStorage()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(file_name=f"{next(names)}.json", storage=self.storage, data=dict(*args, **kwargs))


class TestS3Dict(mapping_tests.TestHashMappingProtocol):  # type: ignore[misc, name-defined]
    type2test: Any = MemoryDict
    test_fromkeys = None  # makes plain dicts, since a dict of the same class would be saved in the same place
    test_copy = None  # asks for the same class: as above
    test_repr = None  # of a dict in itself, which no UserDict can show
    test_repr_deep = None  # of S3Dicts in each other, which JSON has not
