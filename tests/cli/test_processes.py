"""The command line as a process: on a terminal, in a pipe, interrupted; and what it leaves behind then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ssshelf import CManager, Collection, DictItems
from ssshelf.cli.console import Console
from ssshelf.storages.sqlite import SQLiteStorage
from tests.cli.shop import NOON, shelf_at
from tests.terminal import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

COMMAND = [sys.executable, "-m", "ssshelf"]
MANY = 4000


class Notes(CManager[dict[str, str]]):
    item_manager = DictItems(pk="no", name="notes")
    every = Collection[dict[str, str]](lambda note: note["no"])


async def write(path: Path) -> None:
    async with SQLiteStorage(path, clock=lambda: NOON) as storage:
        await Notes(storage).add_items({"no": f"note {number:05}"} for number in range(MANY))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a shelf with many notes; it is not to be changed."""
    path = tmp_path_factory.mktemp("many") / "notes.db"
    asyncio.run(write(path))
    return path


@pytest.fixture
def many(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a shelf with many notes, which commands use."""
    path = tmp_path / "notes.db"
    shutil.copy(written, path)
    monkeypatch.setenv("SSSHELF_URL", f"sqlite:///{path}")
    return path


def on_terminal(*arguments: str) -> contextlib.AbstractContextManager[Terminal]:
    return terminal([*COMMAND, *arguments])


@pytest.mark.usefixtures("many")
def test_progress_is_shown_on_a_terminal_and_gone_in_the_end() -> None:
    with on_terminal("verify") as shown:
        code, _ = shown.ended()

    assert code == 0
    assert "verifying notes: items" in shown.seen
    assert shown.seen.endswith("unique values 0, removed items 0\r\n")


@pytest.mark.usefixtures("many")
def test_no_progress_is_shown_elsewhere() -> None:
    ended = subprocess.run([*COMMAND, "verify"], capture_output=True, text=True, check=True)

    assert (ended.stdout, ended.stderr) == (
        "",
        f"notes: clean; items {MANY:,}, entries {MANY:,}, unique values 0, removed items 0\n",
    )


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("n", 1), ("", 1), ("\x04", 1)])
def test_a_person_is_asked(ssshelf: Run, shelf: Path, answer: str, code: int) -> None:
    with on_terminal("rm", "orders", "a1") as shown:
        shown.wait_for(f"Remove item a1 of orders from sqlite:///{shelf}? [y/N] ")
        shown.type(f"{answer}\n" if answer != "\x04" else answer)
        ended, _ = shown.ended()

    assert ended == code
    assert ssshelf("get", "orders", "a1").code == 1 - code


@pytest.mark.usefixtures("shelf")
def test_ctrl_c_answers_a_question_too(ssshelf: Run) -> None:
    with on_terminal("sweep") as shown:
        shown.wait_for("[y/N] ")
        shown.type("\x03")
        code, text = shown.ended()

    assert code == 130
    assert text.endswith("ssshelf: interrupted: nothing is half done; run it again: it goes on where it stopped\n")
    assert ssshelf("verify").code == 0


@pytest.mark.usefixtures("many")
def test_ctrl_c_ends_a_wait_for_a_document() -> None:
    command = [*COMMAND, "put", "notes", "x"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until_it_reads(process.pid)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()

    assert (process.returncode, err) == (130, b"ssshelf: interrupted: nothing is half done\n")


async def interrupted_before(wait: Callable[[], object]) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()  # what the event loop does at Ctrl-C
    wait()


def test_ctrl_c_just_before_a_wait_for_the_keyboard_is_not_lost() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted_before(lambda: Console().read("-")))


def wait_until_it_reads(pid: int) -> None:
    """Wait until a process waits for its standard input, as Linux tells."""
    while True:
        with open(f"/proc/{pid}/syscall") as file:  # noqa: PTH123
            call = file.read().split()
        if call[:2] == ["0", "0x0"]:
            return


async def removed_and_rest(path: Path) -> tuple[int, bool]:
    async with shelf_at(path) as storage:
        notes = Notes(storage)
        verified = await notes.verify()
        listed = await notes.every.count()
        return verified.tombstones, verified.is_clean and verified.items == listed == MANY - verified.tombstones


@pytest.mark.parametrize("seed", range(4))
def test_ctrl_c_at_any_moment_leaves_items_whole(many: Path, seed: int) -> None:
    dice = random.Random(seed)
    pks = [f"note {number:05}" for number in range(MANY)]
    with on_terminal("rm", "--yes", "notes", *pks) as shown:
        shown.wait_for("removing: items")
        for _ in range(dice.randrange(4)):
            shown.read()
        os.kill(shown.process.pid, signal.SIGINT)
        code, text = shown.ended()

    removed, is_sound = asyncio.run(removed_and_rest(many))
    assert is_sound
    assert removed > 0
    if code:
        assert code == 130
        assert text.endswith("interrupted: each item is there whole or gone; run it again to remove the rest\n")
    else:  # it was done before the signal came
        assert removed == MANY


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("many")
def test_a_bench_that_is_interrupted_leaves_nothing(ssshelf: Run, seed: int) -> None:
    dice = random.Random(seed)
    before = ssshelf("stat", "--json").json
    with on_terminal("bench", "--requests", "100000") as shown:
        shown.wait_for("measuring: put")
        for _ in range(dice.randrange(6)):
            shown.read()
        os.kill(shown.process.pid, signal.SIGINT)
        code, text = shown.ended()

    assert code == 130
    assert text.endswith("ssshelf: interrupted: what it had written is removed\n")
    assert ssshelf("stat", "--json").json == before


@pytest.mark.usefixtures("many")
def test_a_reader_that_has_had_enough_is_not_told_so() -> None:
    with subprocess.Popen([*COMMAND, "ls", "notes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()

    assert first == b"19\t2024-05-01T12:00:00Z\tnote 00000\n"
    assert (process.returncode, err) == (141, b"")
