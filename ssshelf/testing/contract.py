"""Every promise of ``Storage``, as tests: a storage that breaks one is not a storage.

To prove a storage of your own, subclass ``StorageContract`` in a test module and give it a fixture ``storage`` that
yields an empty one::

    class TestMyStorage(StorageContract):
        @pytest.fixture
        async def storage(self):
            async with MyStorage() as storage:
                yield storage
"""

from __future__ import annotations

from ssshelf.testing._entries import EntryPromises
from ssshelf.testing._scans import ScanPromises

__all__ = ["StorageContract"]


class StorageContract(EntryPromises, ScanPromises):
    """Tests that need one fixture, ``storage``: an empty storage that nothing else uses."""
