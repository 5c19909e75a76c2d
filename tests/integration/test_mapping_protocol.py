"""CPython's own tests of mappings, on the blocking shelf."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import Shelf as AsyncShelf
from ssshelf.blocking import Shelf
from tests.blocking import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

mapping_tests: Any = pytest.importorskip("test.mapping_tests", reason="Debian has it in libpython3-testsuite")

# Its popitem makes maps of up to 2,048 items, 16,000 writes in all; with SSSHELF_FULL=1 here, too.
FULL = bool(os.environ.get("SSSHELF_FULL"))
SMALL_MAPS = 5


class MappingProtocol(mapping_tests.TestMappingProtocol):  # type: ignore[misc]
    """All of it, with pickles, since values are tuples; but for what cannot be."""

    kind = "memory"
    writeback = False

    @pytest.fixture(autouse=True)
    def storage(self, request: pytest.FixtureRequest) -> Iterator[None]:
        numbers = itertools.count()
        with opened(self.kind, request) as storage:

            class Fresh(Shelf[Any]):
                """A new, empty shelf each time."""

                def __init__(self, *args: Any, **pairs: Any) -> None:
                    shelf = AsyncShelf(storage, name=f"shelf-{next(numbers)}", serializer="pickle")
                    super().__init__(shelf, writeback=writeback)
                    self.update(*args, **pairs)

            writeback = self.writeback
            self.type2test = Fresh
            yield

    def test_fromkeys(self) -> None:
        """Not here: a class has no storage to put the keys into."""

    def test_copy(self) -> None:
        """All but the class: a copy is a dict, as that of ``os.environ`` is."""
        shelf = self._full_mapping({1: 1, 2: 2, 3: 3})
        assert shelf.copy() == {1: 1, 2: 2, 3: 3}
        assert self._empty_mapping().copy() == {}
        with pytest.raises(TypeError):
            shelf.copy(None)

    def test_setdefault(self) -> None:
        """Without writeback only the basics: the rest appends to a value that was read, which is a copy."""
        if self.writeback:
            super().test_setdefault()
        else:
            mapping_tests.BasicTestMappingProtocol.test_setdefault(self)

    def test_popitem(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if not FULL:
                patch.setattr(mapping_tests, "range", lambda most: range(min(most, SMALL_MAPS)), raising=False)
            super().test_popitem()


class TestOnMemory(MappingProtocol):
    pass


class TestOnMemoryWithWriteback(MappingProtocol):
    writeback = True


class TestOnSQLite(MappingProtocol):
    kind = "sqlite"


class TestOnS3(MappingProtocol):
    kind = "moto"


@pytest.mark.ceph
class TestOnCeph(MappingProtocol):
    kind = "ceph"


del MappingProtocol  # it is a test itself, which pytest would find
