"""The commands that move shelves, as a person or a program runs them."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ssshelf import Key, SQLiteStorage
from ssshelf.cli.failures import Exit
from tests.moving import Guests, everything, guest, seated

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssshelf.storages.base import Storage
    from tests.cli.conftest import Run

CAPTURED = Path(__file__).parent.parent / "data" / "ssshelf-0.1.3.jsonl"
COLLECTIONS = ["--collections", "author-items=by-place", "--collections", "bookmark-items=by-tag,by-month"]


def on(path: Path, work: Callable[[Storage], object]) -> object:
    """Do something with the storage in a file."""

    async def main() -> object:
        async with SQLiteStorage(path) as storage:
            return await work(storage)  # type: ignore[misc]

    return asyncio.run(main())


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "source.db"
    on(path, lambda storage: seated(storage, 20))
    monkeypatch.setenv("SSSHELF_URL", f"sqlite:///{path}")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target.db"


def test_copy(ssshelf: Run, source: Path, target: Path) -> None:
    done = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}")
    again = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}", "--json")

    assert (done.code, done.rows) == (0, [["21", "21", "0", "0", "0", "0", "guests"]])
    assert again.code == 0
    assert again.json["complete"] is True
    assert again.json["managers"][0]["verified"] == 21
    assert on(target, everything) == on(source, everything)


def test_copy_of_one_manager(ssshelf: Run, source: Path, target: Path) -> None:
    assert ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}", "-m", "others").code == 0
    assert on(target, everything) == {}


def test_copy_tells_conflicts(ssshelf: Run, source: Path, target: Path) -> None:
    on(target, lambda storage: Guests(storage).add_item(guest("g000", 0)))

    done = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}")
    told = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}", "--json")
    decided = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}", "--overwrite")

    assert done.code == Exit.CONFLICT
    assert "1 items are something else there" in done.err
    assert done.rows[1][0] == "items!/guests!/g000!"
    assert (told.code, told.json["managers"][0]["conflict"]) == (Exit.CONFLICT, 1)
    assert decided.code == 0


def test_copy_tells_what_is_unreadable(ssshelf: Run, source: Path, target: Path) -> None:
    on(source, lambda storage: storage.put(Key("items", "guests", "bad"), b"x"))

    done = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{target}")

    assert done.code == Exit.CORRUPT
    assert done.rows[1] == ["items!/guests!/bad!", "items!/guests!/bad!: not the stored form of an item"]


def test_copy_onto_itself(ssshelf: Run, source: Path) -> None:
    done = ssshelf("copy", f"sqlite:///{source}", f"sqlite:///{source}")

    assert (done.code, done.out) == (Exit.USAGE, "")
    assert done.err == "ssshelf: the source and the destination are the same place, so there is nothing to copy\n"


def test_copy_of_a_file_that_is_not_there(ssshelf: Run, tmp_path: Path, target: Path) -> None:
    done = ssshelf("copy", f"sqlite:///{tmp_path}/none.db", f"sqlite:///{target}")

    assert done.code == Exit.NO_STORE
    assert not target.exists()


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst"])
def test_export_and_import(ssshelf: Run, source: Path, target: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / name

    exported = ssshelf("export", str(file))
    imported = ssshelf("import", str(file), "--url", f"sqlite:///{target}", "--json")

    assert (exported.code, exported.out, exported.err) == (0, "", "exported 21 items\n")
    assert (imported.code, imported.json["copied"], imported.json["complete"]) == (0, 21, True)
    assert on(target, everything) == on(source, everything)


@pytest.mark.usefixtures("source")
def test_export_does_not_replace_a_file(ssshelf: Run, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("mine")

    done = ssshelf("export", str(tmp_path / "out.jsonl"))

    assert done.code == Exit.USAGE
    assert done.err == f"ssshelf: {tmp_path}/out.jsonl: it is there already: remove it, or choose another name\n"


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("arguments", [["export", "out", "--compress", "rar"], ["import", "out", "--compress", "rar"]])
def test_a_compression_that_there_is_not(ssshelf: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "out").write_text("")
    os.chdir(tmp_path)

    assert ssshelf(*arguments).code == Exit.USAGE


def test_through_pipes(source: Path, target: Path) -> None:
    command = [sys.executable, "-m", "ssshelf"]
    importing = [*command, "import", "-", "--compress", "zst", "--url", f"sqlite:///{target}", "--json"]
    with subprocess.Popen([*command, "export", "-", "--compress", "zst"], stdout=subprocess.PIPE) as exporting:
        done = subprocess.run(importing, stdin=exporting.stdout, stdout=subprocess.PIPE, check=True)

    assert exporting.returncode == 0
    assert json.loads(done.stdout)["copied"] == 21
    assert on(target, everything) == on(source, everything)


def test_import_tells_a_bad_line(ssshelf: Run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = b'{"manager":"guests","pk":"zoe","document":{}}\n{"manager"\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))

    done = ssshelf("import", "-")

    assert (done.code, done.err) == (Exit.CORRUPT, "ssshelf: line 2: it is no JSON; what came before is stored\n")
    assert on(source, lambda storage: storage.get(Key("items", "guests", "zoe")))


# From ssshelf 0.1


@pytest.fixture
def old(tmp_path: Path) -> Path:
    async def put(storage: Storage) -> None:
        for name, text in map(json.loads, CAPTURED.read_text().splitlines()):
            await storage.put(Key.from_text(name), text.encode())

    on(tmp_path / "old.db", put)
    return tmp_path / "old.db"


def test_migrate(ssshelf: Run, old: Path, target: Path) -> None:
    first = ssshelf("migrate-legacy", f"sqlite:///{old}", f"sqlite:///{old}", *COLLECTIONS, "--dry-run", "--json")
    done = ssshelf("migrate-legacy", f"sqlite:///{old}", f"sqlite:///{target}", *COLLECTIONS)
    listed = ssshelf("ls", "bookmark-items", "by-tag", "python", "--url", f"sqlite:///{target}")

    assert (first.code, first.json["copied"], first.json["dangling"]) == (0, 9, 7)
    assert done.code == 0
    assert done.err == "entries of 0.1 68, of which list no item 7\n"
    assert len(listed.rows) == 5


def test_migrate_into_a_class(
    ssshelf: Run, old: Path, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "library.py").write_text(
        "from ssshelf import CManager, Collection, DictItems\n\n\n"
        "class Books(CManager):\n"
        "    item_manager = DictItems(pk='pk')\n"
        "    by_month = Collection(lambda item: item['month'])\n"
    )
    monkeypatch.chdir(tmp_path)

    unclear = ssshelf("migrate-legacy", f"sqlite:///{old}", f"sqlite:///{target}", "-m", "library:Books")
    done = ssshelf("migrate-legacy", f"sqlite:///{old}", f"sqlite:///{target}", "-m", "bookmark-items=library:Books")
    counted = ssshelf("count", "books", "by-month", "2017-09", "--url", f"sqlite:///{target}")

    assert unclear.code == Exit.USAGE
    assert "whose items are meant?" in unclear.err
    assert (done.code, done.rows[0]) == (0, ["bookmark-items", "books"])
    assert counted.out == "7\n"


def test_migrate_tells_what_it_has_to_know(ssshelf: Run, old: Path, target: Path) -> None:
    done = ssshelf("migrate-legacy", f"sqlite:///{old}", f"sqlite:///{target}")
    wrong = ssshelf("migrate-legacy", f"sqlite:///{old}", f"sqlite:///{target}", "--collections", "x")

    assert (done.code, wrong.code) == (Exit.USAGE, Exit.USAGE)
    assert "several managers have items of the same primary keys" in done.err


# Killed, and done again


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.db"
    on(path, lambda storage: seated(storage, 1200))
    return path


def stopped(command: list[str], path: Path, size_bytes: int, by: signal.Signals) -> tuple[int, bytes]:
    """Run a command, send it a signal once a file that it writes is as large as this, and return how it ended."""
    with subprocess.Popen([sys.executable, "-m", "ssshelf", *command], stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (path.exists() and path.stat().st_size > size_bytes):
            pass
        process.send_signal(by)
        _, said = process.communicate()
        return process.returncode, said


def killed(command: list[str], path: Path, size_bytes: int) -> None:
    code, _ = stopped(command, path, size_bytes, signal.SIGKILL)
    assert code == -signal.SIGKILL


def test_ctrl_c_tells_how_to_go_on(large: Path, target: Path) -> None:
    command = ["copy", f"sqlite:///{large}", f"sqlite:///{target}"]

    code, said = stopped(command, target.with_name("target.db-wal"), 20_000, signal.SIGINT)

    assert code == Exit.INTERRUPTED
    assert said == b"ssshelf: interrupted: nothing is half done; run it again: it goes on where it stopped\n"


def test_a_copy_that_is_killed_goes_on(large: Path, target: Path, ssshelf: Run) -> None:
    command = ["copy", f"sqlite:///{large}", f"sqlite:///{target}"]
    for size_bytes in (20_000, 400_000):
        killed(command, target.with_name("target.db-wal"), size_bytes)
        assert ssshelf("verify", "--url", f"sqlite:///{target}").code == 0

    assert ssshelf(*command, "--json").json["complete"]
    assert on(target, everything) == on(large, everything)


def test_an_export_and_an_import_that_are_killed_go_on(
    large: Path, target: Path, ssshelf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out.jsonl"
    monkeypatch.setenv("SSSHELF_URL", f"sqlite:///{large}")
    killed(["export", str(file)], tmp_path / "out.jsonl.part", -1)
    assert not file.exists()
    assert ssshelf("export", str(file)).code == 0

    monkeypatch.setenv("SSSHELF_URL", f"sqlite:///{target}")
    killed(["import", str(file)], target.with_name("target.db-wal"), 400_000)
    assert ssshelf("verify").code == 0
    assert ssshelf("import", str(file), "--json").json["complete"]
    assert on(target, everything) == on(large, everything)
