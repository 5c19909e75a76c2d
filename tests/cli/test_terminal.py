"""What a person sees on a terminal; compared whole."""

from __future__ import annotations

import os
import pty
import threading
from typing import TYPE_CHECKING, Protocol

import pytest

from ssshelf.cli.app import run
from tests.terminal import seen_on, window

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


class Show(Protocol):
    def __call__(self, *arguments: str, columns: int = 80) -> tuple[int, str]: ...


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Return what runs a command line in this process, on a terminal, and returns its exit code and what is shown."""

    def show_one(*arguments: str, columns: int = 80) -> tuple[int, str]:
        leader, follower = pty.openpty()
        window(follower, columns)
        shown: list[str] = []
        reader = threading.Thread(target=lambda: shown.append(seen_on(leader)))
        reader.start()
        with os.fdopen(follower, "w") as stream, monkeypatch.context() as patch:
            patch.setattr("sys.stdout", stream)
            patch.setattr("sys.stderr", stream)
            code = run(arguments)
        reader.join()
        os.close(leader)
        return code, "".join(shown)

    return show_one


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
@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (("ls",), LS),
        (("ls", "orders"), LS_ORDERS),
        (("ls", "orders", "by-tag"), LS_BY_TAG),
        (("get", "people", "Ada"), GET),
    ],
)
def test_answers(show: Show, columns: int, arguments: tuple[str, ...], shown: str) -> None:
    assert show(*arguments, columns=columns) == (0, shown)


STAT = """\
MANAGER  KIND     COLLECTION  OBJECTS    BYTES  $/MONTH
orders   items    -                 3     1001   0.0000
orders   entries  by-day            3        0   0.0000
orders   entries  by-tag            5        0   0.0000
people   items    -                 2      410   0.0000
people   entries  by-email          1        0   0.0000
people   claims   by-email          1       52   0.0000
-        total    -                15  1.4 KiB   0.0000

ITEMS BELOW  ITEMS
        256      1  ██████████
    1.0 KiB      4  ████████████████████████████████████████
"""


@pytest.mark.usefixtures("shelf")
def test_how_much_there_is(show: Show) -> None:
    assert show("stat") == (0, STAT)


@pytest.mark.usefixtures("shelf")
def test_a_page_and_the_way_to_the_next(show: Show) -> None:
    code, shown = show("ls", "orders", "--limit", "1")

    assert (code, shown.splitlines()[-1]) == (
        0,
        """more follow: --all, or --after 'json:"-two\\nlines \\u001b[31m"'""",
    )


@pytest.mark.usefixtures("shelf")
def test_a_bench_is_drawn_as_bars(show: Show) -> None:
    code, shown = show("bench", "--requests", "3")

    lines = shown.splitlines()
    longest = max(line.count("█") + line.count("▓") + line.count("░") for line in lines[1:-1])
    assert code == 0
    assert lines[0].split() == ["REQUEST", "P50", "MS", "P90", "MS", "P99", "MS", "MAX", "MS", "PER", "SECOND"]
    assert longest == 30
    assert lines[-1] == "bars: █ to p50, ▓ to p90, ░ to p99"


@pytest.mark.usefixtures("shelf")
def test_a_document_that_is_no_text_is_kept_from_a_terminal(ssshelf: Run, show: Show, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\x1b[2J")
    ssshelf("put", "pictures", "one", str(tmp_path / "picture"), "--type", "image/x")

    assert show("get", "pictures", "one") == (
        2,
        "ssshelf: the document is no text but 5 bytes, image/x: send them to a file, or give --json\n",
    )


@pytest.mark.usefixtures("shelf")
def test_a_terminal_obeys_nothing_that_a_store_holds(ssshelf: Run, show: Show, tmp_path: Path) -> None:
    (tmp_path / "bell").write_bytes("a\x07b\x9b31mc\u202ed".encode())
    ssshelf("put", "notes", "one", str(tmp_path / "bell"), "--type", "text/plain")

    assert show("get", "notes", "one") == (0, "a\\u0007b\\u009b31mc\\u202ed\n")


@pytest.mark.usefixtures("shelf")
def test_progress_is_gone_in_the_end(show: Show) -> None:
    summary = "orders: clean; items 3, entries 8, unique values 0, removed items 0\n"

    assert show("verify", "orders") == (0, summary)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("command", ["", "ls", "get", "put", "rm", "stat", "sweep", "bench"])
def test_help_fits_and_has_examples(show: Show, command: str) -> None:
    code, shown = show(*filter(None, [command]), "--help")

    assert code == 0
    assert max(map(len, shown.splitlines())) <= 80
    assert f"  ssshelf {command}" in shown[shown.index("Examples:") :]
