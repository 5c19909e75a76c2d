"""The command line as a process: on a terminal, in a pipe, interrupted; and what it leaves behind then."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from fcntl import ioctl
from typing import TYPE_CHECKING

import pytest

from ssshelf import CManager, Collection, DictItems
from ssshelf.cli.console import Console
from ssshelf.storages.sqlite import SQLiteStorage
from tests.cli.shop import NOON, shelf_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Run

COMMAND = [sys.executable, "-m", "ssshelf"]
MANY = 4000
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


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


@dataclass
class Terminal:
    """A command on a terminal of its own."""

    process: subprocess.Popen[bytes]
    leader: int
    seen: str = ""

    def read(self) -> bool:
        """Read what comes next; return whether anything did before the command ended."""
        try:
            data = os.read(self.leader, 65536)
        except OSError:  # Linux says so when nobody has the other end open
            return False
        self.seen += data.decode()
        return bool(data)

    def wait_for(self, text: str) -> None:
        while text not in self.seen:
            assert self.read(), self.seen

    def type(self, text: str) -> None:
        os.write(self.leader, text.encode())

    def ended(self) -> tuple[int, str]:
        """Return the exit code and what is on the terminal, without what moves the cursor."""
        while self.read():
            pass
        return self.process.wait(), CODES.sub("", self.seen.replace("\r\n", "\n"))


@contextlib.contextmanager
def terminal(*arguments: str, columns: int = 80) -> Iterator[Terminal]:
    leader, follower = pty.openpty()
    ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    command = [*COMMAND, *arguments]

    def lead() -> None:
        os.setsid()
        ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env=environment,
        preexec_fn=lead,  # noqa: PLW1509
    )
    os.close(follower)
    try:
        yield Terminal(process, leader)
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def on_terminal(*arguments: str, columns: int = 80) -> tuple[int, str]:
    with terminal(*arguments, columns=columns) as shown:
        return shown.ended()


LS = """\
MANAGER  COLLECTIONS
orders   by-day by-tag
people   by-email
"""
LS_ORDERS = """\
SIZE  MODIFIED              PRIMARY KEY
 127  2024-05-01T12:00:00Z  'json:"-two\\nlines \\u001b[31m"'
 109  2024-05-01T12:00:00Z  a1
  99  2024-05-01T12:00:00Z  a2
"""
LS_BY_TAG = """\
WRITTEN               PRIMARY KEY                      KEY
2024-05-01T12:00:00Z  a1                               new number:1
2024-05-01T12:00:00Z  a2                               new number:2.5
2024-05-01T12:00:00Z  'json:"-two\\nlines \\u001b[31m"'  text:number:5 number:3
2024-05-01T12:00:00Z  a1                               'two words' number:1
2024-05-01T12:00:00Z  'json:"-two\\nlines \\u001b[31m"'  é number:3
"""
GET = """\
{
  "name": "Ada",
  "email": "Ada@example.org"
}
"""


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("ls",), LS),
        (("ls", "orders"), LS_ORDERS),
        (("ls", "orders", "by-tag"), LS_BY_TAG),
        (("get", "people", "Ada"), GET),
    ],
)
def test_what_a_person_sees(arguments: tuple[str, ...], shown: str) -> None:
    assert on_terminal(*arguments) == (0, shown)


@pytest.mark.usefixtures("shelf")
def test_a_person_sees_how_much_there_is() -> None:
    code, shown = on_terminal("stat")

    table = shown[shown.index("MANAGER") :]
    assert code == 0
    assert table.splitlines()[1] == "orders   items    -                 3     1001   0.0000"
    assert table.splitlines()[-1] == f"    1.0 KiB      4  {'█' * 40}"


@pytest.mark.usefixtures("many")
def test_a_terminal_gets_a_page_and_the_way_to_the_next() -> None:
    code, shown = on_terminal("ls", "notes")

    lines = shown.splitlines()
    assert code == 0
    assert len(lines) == 1 + 100 + 1
    assert lines[-1] == "more follow: --all, or --after 'note 00099'"


@pytest.mark.usefixtures("shelf")
def test_a_document_that_is_no_text_is_kept_from_a_terminal(ssshelf: Run, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\x1b[2J")
    ssshelf("put", "pictures", "one", str(tmp_path / "picture"), "--type", "image/x")

    code, shown = on_terminal("get", "pictures", "one")

    assert (code, "\x1b" in shown) == (2, False)
    assert "the document is no text but 5 bytes, image/x: send them to a file, or give --json" in shown


@pytest.mark.usefixtures("shelf")
def test_a_terminal_obeys_nothing_that_a_store_holds(ssshelf: Run, tmp_path: Path) -> None:
    (tmp_path / "bell").write_bytes("a\x07b\x9b31mc\u202ed".encode())
    ssshelf("put", "notes", "one", str(tmp_path / "bell"), "--type", "text/plain")

    with terminal("get", "notes", "one") as shown:
        code, _ = shown.ended()

    assert (code, shown.seen) == (0, "a\\u0007b\\u009b31mc\\u202ed\r\n")


@pytest.mark.usefixtures("many")
def test_progress_is_shown_on_a_terminal_and_gone_in_the_end() -> None:
    with terminal("verify") as shown:
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
    with terminal("rm", "orders", "a1") as shown:
        shown.wait_for(f"Remove item a1 of orders from sqlite:///{shelf}? [y/N] ")
        shown.type(f"{answer}\n" if answer != "\x04" else answer)
        ended, _ = shown.ended()

    assert ended == code
    assert ssshelf("get", "orders", "a1").code == 1 - code


@pytest.mark.usefixtures("shelf")
def test_ctrl_c_answers_a_question_too(ssshelf: Run) -> None:
    with terminal("sweep") as shown:
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
    with terminal("rm", "--yes", "notes", *pks) as shown:
        shown.wait_for("removing: items")
        for _ in range(dice.randrange(4)):
            shown.read()
        os.kill(shown.process.pid, signal.SIGINT)
        code, text = shown.ended()

    removed, is_sound = asyncio.run(removed_and_rest(many))
    assert (code, is_sound) == (130, True)
    assert text.endswith("interrupted: each item is there whole or gone; run it again to remove the rest\n")
    assert 0 < removed < MANY


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("many")
def test_a_bench_that_is_interrupted_leaves_nothing(ssshelf: Run, seed: int) -> None:
    dice = random.Random(seed)
    before = ssshelf("stat", "--json").json
    with terminal("bench", "--requests", "100000") as shown:
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
