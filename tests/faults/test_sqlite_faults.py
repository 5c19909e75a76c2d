"""SQLite on disks that are full, read-only, locked or damaged: clear errors, nothing lost, and it goes on afterwards.

A scenario that changes what its process may do runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ssshelf
from ssshelf import (
    CommitUnknownError,
    CorruptionError,
    DeniedError,
    RetryPolicy,
    SQLiteStorage,
    UnavailableError,
)
from tests.bookmarks import Bookmark, Bookmarks, assert_in_step, bookmark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssshelf.blocking import Shelf

ROOT = Path(__file__).parents[2]
NOBODY = 65534
ITEM_BYTES = 30_000
ITEMS = [bookmark("a", 2024, "x", "y"), bookmark("b", 2023, "y")]


def in_a_process(scenario: Callable[[Path], None], folder: Path, *before: str) -> None:
    """Run ``scenario`` on ``folder`` in another process, started by the command ``before``."""
    name = scenario.__name__
    code = f"from {__name__} import {name}, Path; {name}(Path({str(folder)!r}))"
    done = subprocess.run([*before, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def in_a_namespace(scenario: Callable[[Path], None], folder: Path) -> None:
    """Run ``scenario`` where it may mount what nobody else sees."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount anything")
    in_a_process(scenario, folder, *command)


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", folder], check=True)


def opened(folder: Path) -> SQLiteStorage:
    return SQLiteStorage(folder / "shelf.db", busy_timeout_s=0.05)


def shelf_on(storage: SQLiteStorage) -> Bookmarks:
    return Bookmarks(storage, retries=RetryPolicy(attempts=3, base_s=0.001))


def large(number: int) -> Bookmark:
    return {**bookmark(f"i{number:03}", 2000 + number, "x"), "note": "n" * ITEM_BYTES}


async def write_until_it_is_full(shelf: Bookmarks) -> tuple[list[Bookmark], Exception]:
    written: list[Bookmark] = []
    while True:
        try:
            await shelf.add_item(large(len(written)))
        except (UnavailableError, CommitUnknownError) as error:
            return written, error
        written.append(large(len(written)))


async def fill_and_make_room(folder: Path, make_room: Callable[[], None]) -> Exception:
    """Check that a shelf bears a full disk, and return what it said about it."""
    async with opened(folder) as storage:
        shelf = shelf_on(storage)
        written, error = await write_until_it_is_full(shelf)
        assert len(written) > 5
        await assert_in_step(shelf, written)
        again, _ = await write_until_it_is_full(shelf_on(storage))  # replaces what is there, until it fails, too
        await assert_in_step(shelf, written)
        assert len(again) <= len(written)
        make_room()
        written.append(large(len(written)))
        await shelf.add_item(written[-1])
        await assert_in_step(shelf, written)
    async with opened(folder) as storage:
        await assert_in_step(shelf_on(storage), written)
        assert (await shelf_on(storage).verify()).is_clean
    return error


def a_full_disk(folder: Path) -> None:
    mount(folder, "size=3m")
    filler = folder / "filler"
    filler.write_bytes(bytes(1_500_000))

    error = asyncio.run(fill_and_make_room(folder, filler.unlink))

    assert isinstance(error, UnavailableError)
    assert not error.maybe_applied
    assert str(error).endswith("shelf.db: database or disk is full")


def test_a_full_disk(tmp_path: Path) -> None:
    in_a_namespace(a_full_disk, tmp_path)


def a_file_that_may_not_grow(folder: Path) -> None:
    """What anybody can bring about without a full disk; the system calls it another error."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))

    error = asyncio.run(fill_and_make_room(folder, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))))

    assert "shelf.db" in str(error.__cause__ if isinstance(error, CommitUnknownError) else error)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    in_a_process(a_file_that_may_not_grow, tmp_path)


def set_until_it_is_full(shelf: Shelf[str], written: dict[int, str]) -> None:
    for number in count():
        shelf[number] = "n" * ITEM_BYTES
        written[number] = "n" * ITEM_BYTES


def a_file_that_may_not_grow_for_those_who_block(folder: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    written: dict[int, str] = {}
    with ssshelf.open(folder / "shelf.db") as shelf:
        shelf[0] = "old"
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        with pytest.raises(UnavailableError, match=r"shelf\.db"):
            set_until_it_is_full(shelf, written)
        assert dict(shelf) == written
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        shelf[-1] = written[-1] = "new"
    with ssshelf.open(folder / "shelf.db") as shelf:
        assert len(written) > 5
        assert dict(shelf) == written


def test_a_file_that_may_not_grow_for_those_who_block(tmp_path: Path) -> None:
    in_a_process(a_file_that_may_not_grow_for_those_who_block, tmp_path)


async def write_items(folder: Path) -> None:
    async with opened(folder) as storage:
        await shelf_on(storage).add_items(ITEMS)


async def read_items(folder: Path) -> None:
    async with opened(folder) as storage:
        await assert_in_step(shelf_on(storage), ITEMS)


async def is_refused(folder: Path) -> None:
    """Check that a shelf in a file that cannot be written to is refused."""
    async with opened(folder) as storage:
        shelf = shelf_on(storage)
        for attempt in (shelf.get_item("a"), shelf.add_item(bookmark("a")), shelf.every.get_items()):
            with pytest.raises(DeniedError, match=r"shelf\.db"):
                await attempt


def a_read_only_disk(folder: Path) -> None:
    mount(folder, "size=3m")
    asyncio.run(write_items(folder))
    mount(folder, "remount", "ro")
    asyncio.run(is_refused(folder))
    mount(folder, "remount", "rw")
    asyncio.run(read_items(folder))
    asyncio.run(write_items(folder))


def test_a_read_only_disk(tmp_path: Path) -> None:
    in_a_namespace(a_read_only_disk, tmp_path)


def a_read_only_file(folder: Path) -> None:
    asyncio.run(write_items(folder))
    _give_up_privileges(folder)
    for mode_of_file, mode_of_folder in ((0o444, 0o777), (0o444, 0o555), (0o644, 0o555), (0o000, 0o777)):
        (folder / "shelf.db").chmod(mode_of_file)
        folder.chmod(mode_of_folder)
        asyncio.run(is_refused(folder))
    folder.chmod(0o777)
    (folder / "shelf.db").chmod(0o644)
    asyncio.run(read_items(folder))
    asyncio.run(write_items(folder))


def _give_up_privileges(folder: Path) -> None:
    """Become a user whom modes concern; what is imported late has been used once, as that user may not read it."""
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Yield a folder that others can reach, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_read_only_file_or_folder(public_folder: Path) -> None:
    in_a_process(a_read_only_file, public_folder)


@contextlib.contextmanager
def another_process(path: Path, script: str) -> Iterator[None]:
    """Have another process execute ``script``, and stay."""
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); print(); input()"
    command = [sys.executable, "-c", code, str(path), script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.close()


async def test_a_file_that_another_process_writes_for_too_long(tmp_path: Path) -> None:
    async with opened(tmp_path) as storage:
        shelf = shelf_on(storage)
        await shelf.add_items(ITEMS)

        with another_process(tmp_path / "shelf.db", "BEGIN IMMEDIATE"):
            with pytest.raises(UnavailableError, match=r"shelf\.db: database is locked") as caught:
                await shelf.add_item(bookmark("a"))
            assert not caught.value.maybe_applied
            await assert_in_step(shelf, ITEMS)

        await shelf.add_items([bookmark("a"), *ITEMS])
        await assert_in_step(shelf, ITEMS)


async def test_a_file_that_another_process_keeps_for_itself(tmp_path: Path) -> None:
    await write_items(tmp_path)
    async with opened(tmp_path) as storage:
        shelf = shelf_on(storage)

        with another_process(tmp_path / "shelf.db", "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"):
            for attempt in (shelf.get_item("a"), shelf.add_item(bookmark("a")), shelf.every.get_items()):
                with pytest.raises(UnavailableError, match=r"shelf\.db: database is locked"):
                    await attempt

        await assert_in_step(shelf, ITEMS)
        await shelf.add_items(ITEMS)


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "shelf.db"
    path.write_bytes(b"Dear diary, " * 1000)
    async with opened(tmp_path) as storage:
        shelf = shelf_on(storage)

        for attempt in (shelf.get_item("a"), shelf.add_item(bookmark("a")), shelf.every.get_items()):
            with pytest.raises(CorruptionError, match=r"shelf\.db: file is not a database"):
                await attempt

        assert path.read_bytes() == b"Dear diary, " * 1000
        path.unlink()
        await shelf.add_items(ITEMS)
        await assert_in_step(shelf, ITEMS)


def cut_short(data: bytearray) -> None:
    del data[len(data) // 2 :]


def overwritten(data: bytearray) -> None:
    data[len(data) // 2 : len(data) // 2 + 50_000] = b"\xff" * 50_000


def zeroed(data: bytearray) -> None:
    data[len(data) // 2 : len(data) // 2 + 50_000] = bytes(50_000)


def rotten(data: bytearray) -> None:
    """One character of each item is another."""
    data[:] = data.replace(b"nnnnnnn", b"nnnNnnn")


@pytest.mark.parametrize("damage", [cut_short, overwritten, zeroed, rotten])
async def test_a_damaged_file_returns_nothing_wrong(tmp_path: Path, damage: Callable[[bytearray], None]) -> None:
    path = tmp_path / "shelf.db"
    items = {item["slug"]: item for item in map(large, range(40))}
    async with opened(tmp_path) as storage:
        await shelf_on(storage).add_items(items.values())
    whole = path.read_bytes()
    data = bytearray(whole)
    damage(data)
    path.write_bytes(data)

    async with opened(tmp_path) as storage:
        shelf = shelf_on(storage)
        found = {slug: (await asyncio.gather(shelf.get_item(slug), return_exceptions=True))[0] for slug in items}
        unreadable = {slug for slug, outcome in found.items() if isinstance(outcome, CorruptionError)}

        assert {slug: found[slug] for slug in items.keys() - unreadable} == {
            slug: items[slug] for slug in items.keys() - unreadable
        }
        assert unreadable
        for slug in unreadable:
            with pytest.raises(CorruptionError):
                await shelf.update_item(slug, lambda item: item.update(note=""))

    path.write_bytes(whole)
    async with opened(tmp_path) as storage:
        await assert_in_step(shelf_on(storage), list(items.values()))
