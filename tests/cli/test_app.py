"""What all commands have in common: where the storage is named, how it is read, how a failure ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from ssshelf import __version__
from ssshelf.cli.failures import Exit
from ssshelf.cli.session import Session, as_command

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_the_version(ssshelf: Run) -> None:
    ended = ssshelf("--version")

    assert (ended.code, ended.out) == (0, f"ssshelf {__version__}\n")


def test_without_a_command_there_is_help(ssshelf: Run) -> None:
    ended = ssshelf()

    assert ended.code == 2
    assert "Usage: ssshelf" in ended.out + ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("probe", "--url", "memory://"),
        ("--url", "memory://", "probe"),
        ("--url", "x://", "probe", "--url", "memory://"),
    ],
)
def test_a_storage_is_named_before_or_behind_the_command(ssshelf: Run, arguments: tuple[str, ...]) -> None:
    ended = ssshelf(*arguments)

    assert (ended.code, ended.err) == (0, "")


def test_a_storage_is_named_by_the_environment(ssshelf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSSHELF_URL", "memory://")

    assert ssshelf("probe").code == 0


def test_without_a_storage_the_message_says_how_to_name_one(ssshelf: Run) -> None:
    ended = ssshelf("probe")

    assert ended.code == 2
    assert ended.err == (
        "ssshelf: which storage? give --url, or set SSSHELF_URL, for example to sqlite:///shelf.db or "
        "s3://bucket/prefix?region=eu-west-1\n"
    )


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("shelf.db", 2, "a storage URL looks like sqlite:///shelf.db, s3://bucket/prefix or memory://"),
        ("ftp://x/y", 2, "no storage for ftp:// URLs; there are memory, sqlite, s3 and dynamodb"),
        ("s3://key:secret@bucket/", 2, "a storage URL holds no credentials"),
        ("sqlite:///missing.db", 6, "missing.db: no such file: create it, or correct the URL"),
        ("sqlite:///folder/missing.db", 6, "folder/missing.db: no such file: create it, or correct the URL"),
        ("sqlite:///other.txt", 7, "other.txt: file is not a database"),
    ],
)
def test_a_wrong_url_is_one_line(
    ssshelf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.txt").write_text("no database " * 1000)

    ended = ssshelf("probe", "--url", url)

    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("ssshelf: ")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert "secret" not in ended.err
    assert os.listdir(tmp_path) == ["other.txt"]  # noqa: PTH208


def test_debug_shows_where_it_went_wrong(ssshelf: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with_option = ssshelf("probe", "--url", "ftp://x", "--debug")
    monkeypatch.setenv("SSSHELF_DEBUG", "1")
    with_variable = ssshelf("probe", "--url", "ftp://x")

    assert "Traceback" in with_option.err
    assert "Traceback" in with_variable.err


@pytest.mark.parametrize("arguments", [("nonsense",), ("probe", "--nonsense"), ("probe", "nonsense")])
def test_a_wrong_command_line_shows_the_usage(ssshelf: Run, arguments: tuple[str, ...]) -> None:
    ended = ssshelf(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: ssshelf ")
    assert "ssshelf: " in ended.err.splitlines()[-1]


def test_without_its_extra_the_command_says_what_to_install() -> None:
    hide = (
        "import sys; sys.modules['typer'] = None; sys.argv = ['ssshelf', 'ls']; import ssshelf.cli; ssshelf.cli.main()"
    )

    ended = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "ssshelf: the command line needs an extra: pip install 'ssshelf[cli]'\n"


async def fail(_: Session) -> None:
    msg = "two and two are five"
    raise ArithmeticError(msg)


def test_what_nobody_has_thought_of_is_called_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()
    app.command()(as_command(fail))

    code = app([], standalone_mode=False)

    assert code == Exit.BUG
    assert capsys.readouterr().err == (
        "ssshelf: this is a bug of ssshelf: ArithmeticError: two and two are five; --debug shows where\n"
    )


def test_the_exit_codes_of_the_documentation_are_those_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.rst").read_text(encoding="utf-8")
    table = page[page.index("code  means") :]

    assert re.findall(r"^(\d+) +(.*)$", table, re.MULTILINE) == [(str(int(code)), code.meaning) for code in Exit]
