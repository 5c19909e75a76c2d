"""Exports and imports: a file holds all that is stored, and says so only when it is whole."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import resource
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CorruptionError, IncompleteError, Key, MemoryStorage
from ssshelf.layout import Layout
from ssshelf.maintenance import Progress
from ssshelf.schema import indexed_versions
from ssshelf.testing import CrashError, Fault, FaultyStorage
from ssshelf.transfer import Fate, PartFile, Stream, compression_of, export_items, exporting, import_items, streams
from tests.moving import Guests, Named, everything, guest, seated, stored
from tests.storages import LimitedStorage
from tests.unit.test_copy import Newer

if TYPE_CHECKING:
    from pathlib import Path

    from ssshelf.storages.base import Storage
    from ssshelf.transfer import Imported

GUESTS = Layout("guests")
COMPRESSIONS = ["none", "gz", "zst"]
each_compression = pytest.mark.parametrize("compression", COMPRESSIONS)


@pytest.fixture(autouse=True)
def blockbuster() -> None:
    """Let tests read and write files."""


@pytest.fixture
async def source() -> Storage:
    storage = MemoryStorage()
    await seated(storage)
    return storage


@pytest.fixture(params=["transactions", "plain"])
def destination(request: pytest.FixtureRequest) -> Storage:
    return MemoryStorage(transactions=request.param == "transactions")


async def exported(storage: Storage, compression: str = "none", **options: Any) -> bytes:
    file = io.BytesIO()
    await export_items(storage, Stream(file, compression), **options)
    return file.getvalue()


async def imported(data: bytes, storage: Storage, **options: Any) -> Imported:
    return await import_items(io.BytesIO(data), storage, **options)


def made(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


@each_compression
async def test_what_is_imported_is_the_same_byte_for_byte(
    source: Storage, destination: Storage, compression: str
) -> None:
    data = await exported(source, compression)

    done = await imported(data, destination, compression=compression)

    assert (done.managers, done.tally[Fate.COPIED], done.is_complete) == (("guests",), 6, True)
    assert await everything(destination) == await everything(source)
    assert await stored(destination, "meta") == {}


async def test_importing_again_changes_nothing(source: Storage, destination: Storage) -> None:
    data = await exported(source)
    await imported(data, destination)
    before = await everything(destination)

    done = await imported(data, destination)

    assert (done.tally[Fate.SAME], done.tally.seen, done.is_complete) == (6, 6, True)
    assert await everything(destination) == before


async def test_a_line_is_readable(source: Storage) -> None:
    first, line, *_, last = (json.loads(text) for text in (await exported(source)).splitlines())

    assert first == {"ssshelf-export": 1, "collections": {"guests": {}}}
    assert (line["manager"], line["pk"], line["state"]) == ("guests", "g000", "live")
    assert line["document"] == guest("g000", 0, "x", "y")
    assert last == {"end": 6}


async def test_versions_of_collections_come_along(source: Storage, destination: Storage) -> None:
    await Newer(source).reindex()
    await imported(await exported(source), destination)

    assert await Newer(destination).by_row.count() == 5


async def test_lines_without_versions_shut_readers_out(destination: Storage) -> None:
    await Newer(destination).reindex()
    await imported(made({"manager": "guests", "pk": "a", "document": guest("a", 1)}), destination)

    with pytest.raises(IncompleteError):
        await Newer(destination).by_row.count()
    assert await indexed_versions(destination, GUESTS) == {}


async def test_a_later_revision_stays_and_a_conflict_is_told(source: Storage, destination: Storage) -> None:
    data = await exported(source)
    await imported(data, destination)
    guests = Guests(destination)
    await guests.update_item("g000", lambda item: item.update(tags=["later"]))
    other = MemoryStorage()
    await Guests(other).add_item(guest("g001", 1))

    assert (await imported(data, destination)).tally[Fate.KEPT] == 1
    done = await imported(await exported(other), destination)

    assert (done.tally[Fate.CONFLICT], done.is_complete) == (1, False)
    assert (await imported(await exported(other), destination, overwrite=True)).is_complete
    assert (await guests.get_item("g001"))["tags"] == []


async def test_what_cannot_be_read_is_told_and_not_in_the_file(source: Storage, destination: Storage) -> None:
    await source.put(GUESTS.item("g001"), b"no envelope")
    file = io.BytesIO()

    done = await export_items(source, Stream(file, "none"))

    assert (done.items, [str(key) for key, _ in done.unreadable]) == (5, ["items!/guests!/g001!"])
    assert not done.is_complete
    assert (await imported(file.getvalue(), destination)).tally.seen == 5


# Lines that somebody has made


async def test_made_lines_are_added_once(destination: Storage) -> None:
    keys = {"keys": ["by-tag!/x!/!3p5017!"], "unique": ["by-seat!/!3p5017!"]}
    data = made({"manager": "guests", "pk": "zoe", "document": guest("zoe", 7, "x"), **keys})

    first = await imported(data, destination)
    second = await imported(data, destination)

    assert (first.tally[Fate.COPIED], second.tally[Fate.SAME]) == (1, 1)
    guests = Guests(destination)
    assert await guests.get_item("zoe") == guest("zoe", 7, "x")
    assert [item["name"] for item in await guests.by_tag.get_items(prefix="x")] == ["zoe"]
    assert (await guests.verify()).is_clean


async def test_of_made_lines_with_one_primary_key_the_first_stays_unless_told_otherwise(destination: Storage) -> None:
    data = made(*({"manager": "m", "pk": "a", "document": n} for n in range(3)))

    done = await imported(data, destination)
    assert (done.tally[Fate.COPIED], done.tally[Fate.CONFLICT]) == (1, 2)

    done = await imported(data, destination, overwrite=True)
    assert done.is_complete
    assert b"\n2" in (await destination.get(Layout("m").item("a"))).data


async def test_made_lines_may_hold_any_bytes(destination: Storage) -> None:
    await imported(made({"manager": "m", "pk": "a", "data": "AP8="}), destination)

    assert (await destination.get(Layout("m").item("a"))).data.endswith(b"\n\x00\xff")


# Files that are wrong


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON\n",
        b"[]\n",
        b"7\n",
        b"{}\n",
        b'{"manager":"m"}\n',
        b'{"manager":"m","pk":""}\n',
        b'{"manager":"m","pk":"a"}\n',
        b'{"manager":"m","pk":7,"document":{}}\n',
        b'{"manager":"m","pk":"a","data":"!"}\n',
        b'{"manager":"m","pk":"a","document":{},"keys":["by-tag!"]}\n',
        b'{"manager":"m","pk":"a","document":{},"keys":["\\u0000"]}\n',
        b'{"manager":"m","pk":"a","document":{},"keys":7}\n',
        b'{"manager":"m","pk":"a","rev":"1-00"}\n',
        b'{"manager":"m","pk":"a","rev":"1-0000000000000000","stored":"AAAA"}\n',
        b'{"ssshelf-export":2,"collections":{}}\n',
        b'{"ssshelf-export":1,"collections":{"m":{"c":"x"}}}\n',
        b'{"ssshelf-export":1}\n',
    ],
)
async def test_a_bad_line_is_told_by_its_number_and_what_came_before_is_stored(
    destination: Storage, line: bytes
) -> None:
    good = made({"manager": "m", "pk": "good", "document": {}})

    with pytest.raises(CorruptionError, match="line 2: ") as caught:
        await imported(good + line + made({"manager": "m", "pk": "never", "document": {}}), destination)

    assert "AAAA" not in str(caught.value)
    assert list(await stored(destination, "items")) == ["items!/m!/good!"]


@each_compression
async def test_a_file_that_was_cut_short_is_told_and_what_was_read_is_stored(source: Storage, compression: str) -> None:
    await Guests(source).add_items(guest(os.urandom(20).hex(), 100 + n) for n in range(50))
    data = await exported(source, compression)

    for length in range(1, len(data), len(data) // 9):
        destination = MemoryStorage()
        with pytest.raises(CorruptionError, match="line"):
            await imported(data[:length], destination, compression=compression)

        found = await stored(destination, "items")
        assert found.items() <= (await stored(source, "items")).items()
        assert (await Guests(destination).verify()).is_clean
        assert (await imported(data, destination, compression=compression)).is_complete
        assert await everything(destination) == await everything(source)


async def test_lines_that_are_missing_in_the_middle_are_told(source: Storage, destination: Storage) -> None:
    lines = (await exported(source)).splitlines(keepends=True)

    with pytest.raises(CorruptionError, match="should be 6 items before, and there are 5"):
        await imported(b"".join(lines[:2] + lines[3:]), destination)


async def test_something_behind_the_end_is_told(source: Storage, destination: Storage) -> None:
    data = await exported(source)

    with pytest.raises(CorruptionError, match="line 9: there is something behind the last line"):
        await imported(data + data, destination)


@pytest.mark.parametrize("compression", ["gz", "zst"])
async def test_a_damaged_or_uncompressed_file_is_told(source: Storage, destination: Storage, compression: str) -> None:
    data = await exported(source, compression)
    damaged = data[: len(data) // 2] + bytes(20) + data[len(data) // 2 + 20 :]

    for wrong in (damaged, await exported(source)):
        with pytest.raises(CorruptionError, match="line"):
            await imported(wrong, destination, compression=compression)


async def test_an_empty_file_is_told(destination: Storage) -> None:
    with pytest.raises(CorruptionError, match="empty"):
        await imported(b"", destination)


# Interruptions


async def test_an_interrupted_import_goes_on_with_the_same_lines_only(
    destination: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemoryStorage()
    await seated(source, 300)
    monkeypatch.setattr(streams, "_LINES_AT_ONCE", 20)
    data = await exported(source)
    dying = FaultyStorage(destination, lambda r: Fault.CRASH_BEFORE if GUESTS.item("g200") in r.keys else None)
    with pytest.raises((CrashError, ExceptionGroup)):
        await imported(data, dying)
    other = data.replace(b'"tags":["x","y"]', b'"tags":["x","z"]')

    told: list[Progress] = []
    done = await imported(data, destination, progress=told.append)
    assert told[0].done > 180
    assert done.is_complete
    assert await everything(destination) == await everything(source)

    again = await imported(other, MemoryStorage())
    assert again.tally.seen == 301


async def test_other_lines_that_begin_alike_are_imported_from_their_beginning(
    destination: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_LINES_AT_ONCE", 2)
    lines = [{"manager": "m", "pk": f"p{n}", "document": n} for n in range(9)]
    with pytest.raises(CorruptionError):
        await imported(made(*lines) + b"bad\n", destination)
    others = made(lines[0], *({"manager": "m", "pk": f"q{n}", "document": n} for n in range(9)))

    assert (await imported(others, destination)).tally[Fate.COPIED] == 9
    assert len(await stored(destination, "items")) == 18


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False


async def test_a_pipe_goes_on_too_and_is_refused_once_if_it_is_another(
    destination: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_LINES_AT_ONCE", 2)
    lines = [{"manager": "m", "pk": f"p{n}", "document": n} for n in range(9)]
    with pytest.raises(CorruptionError):
        await import_items(Pipe(made(*lines) + b"bad\n"), destination)
    assert (await import_items(Pipe(made(*lines)), destination)).is_complete

    with pytest.raises(CorruptionError):
        await import_items(Pipe(made(*lines) + b"bad\n"), destination)
    others = made(lines[0], *({"manager": "m", "pk": f"q{n}", "document": n} for n in range(9)))
    with pytest.raises(CorruptionError, match="do it again"):
        await import_items(Pipe(others), destination)
    assert (await import_items(Pipe(others), destination)).is_complete


@each_compression
async def test_an_interrupted_export_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: str) -> None:
    monkeypatch.setattr(exporting, "_PIECE_BYTES", 5000)
    source = MemoryStorage()
    await seated(source, 600)
    path = tmp_path / "out.jsonl"
    dying = FaultyStorage(source, lambda r: Fault.CRASH_BEFORE if r.keys == (GUESTS.item("g500"),) else None)
    with pytest.raises((CrashError, ExceptionGroup)):
        await export_items(Named(dying), PartFile(path, compression))
    assert not path.exists()
    part = tmp_path / "out.jsonl.part"
    part.write_bytes(part.read_bytes() + b"what was not noted")

    counting = Named(source)
    done = await export_items(counting, PartFile(path, compression))

    assert counting.counts["get"] < 300
    assert done.items == 601
    assert os.listdir(tmp_path) == ["out.jsonl"]  # noqa: PTH208
    destination = MemoryStorage()
    assert (await imported(path.read_bytes(), destination, compression=compression)).is_complete
    assert await everything(destination) == await everything(source)


async def test_a_part_of_another_export_is_begun_anew(tmp_path: Path, source: Storage) -> None:
    path = tmp_path / "out.jsonl"
    (tmp_path / "out.jsonl.part").write_bytes(b"x" * 1000)
    (tmp_path / "out.jsonl.part.json").write_bytes(b'{"source":"other","compression":"none","size":10,"state":{}}')

    await export_items(source, PartFile(path, "none"))

    assert path.read_bytes() == await exported(source)


async def test_a_whole_file_is_never_replaced(tmp_path: Path, source: Storage) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("mine")

    with pytest.raises(FileExistsError, match="remove it"):
        await export_items(source, PartFile(path, "none"))

    assert path.read_text() == "mine"


async def test_two_exports_do_not_write_one_file(tmp_path: Path, source: Storage) -> None:
    sink = PartFile(tmp_path / "out.jsonl", "none")
    sink.resume("source")

    with pytest.raises(BlockingIOError, match="another export"):
        await export_items(source, PartFile(tmp_path / "out.jsonl", "none"))
    sink.close()

    assert (await export_items(source, PartFile(tmp_path / "out.jsonl", "none"))).items == 6


async def test_a_full_disk_leaves_no_file_that_looks_whole(tmp_path: Path, source: Storage) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            await export_items(source, PartFile(tmp_path / "out.jsonl", "none"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not (tmp_path / "out.jsonl").exists()
    assert (await export_items(source, PartFile(tmp_path / "out.jsonl", "none"))).items == 6
    assert (tmp_path / "out.jsonl").read_bytes() == await exported(source)


async def test_a_source_may_be_written_while_it_is_exported(destination: Storage) -> None:
    source = MemoryStorage()
    guests = await seated(source, 300)
    data, _ = await asyncio.gather(
        exported(source), guests.add_items(guest(f"h{n}", 1000 + n, "new") for n in range(300))
    )

    assert (await imported(data, destination)).is_complete
    assert (await Guests(destination).verify()).is_clean


@pytest.mark.parametrize(
    ("name", "compression"), [("a.gz", "gz"), ("a.jsonl.zst", "zst"), ("a.jsonl", "none"), ("-", "none"), ("gz", "gz")]
)
def test_a_suffix_tells_the_compression(name: str, compression: str) -> None:
    assert compression_of(name) == compression


async def test_what_the_destination_has_no_room_for_is_told(source: Storage) -> None:
    await Guests(source).add_item(guest("n" * 90, 50))

    done = await imported(await exported(source), LimitedStorage(MemoryStorage(), max_key_bytes=100))

    assert (done.tally[Fate.COPIED], done.tally[Fate.REFUSED], done.is_complete) == (6, 1, False)


async def test_gzip_of_others_is_read(destination: Storage) -> None:
    data = gzip.compress(made({"manager": "m", "pk": "a", "document": {}}))

    assert (await imported(data, destination, compression="gz")).is_complete


async def test_only_the_managers_that_are_named_are_exported(source: Storage) -> None:
    await source.put(Key("items", "others", "a"), b"")

    assert b"g000" in await exported(source, managers=["guests"])
    assert b"g000" not in await exported(source, managers=["others"])
