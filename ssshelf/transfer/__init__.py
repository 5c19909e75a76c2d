"""Moving of whole shelves: from storage to storage, into files and back, and from ssshelf 0.1."""

from __future__ import annotations

from ssshelf.transfer.copying import Copied, copy
from ssshelf.transfer.exporting import Exported, export_items
from ssshelf.transfer.files import PartFile, Sink, Stream, compression_of
from ssshelf.transfer.importing import Imported, import_items
from ssshelf.transfer.legacy import LegacyBucket
from ssshelf.transfer.migrating import Migrated, Migration
from ssshelf.transfer.tally import Fate, Tally

__all__ = [
    "Copied",
    "Exported",
    "Fate",
    "Imported",
    "LegacyBucket",
    "Migrated",
    "Migration",
    "PartFile",
    "Sink",
    "Stream",
    "Tally",
    "compression_of",
    "copy",
    "export_items",
    "import_items",
]
