"""The command line, run in this process as a person or a program would run it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson
import pytest

from ssshelf.cli.app import run
from tests.cli.shop import fill


@dataclass(frozen=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [orjson.loads(line) for line in self.out.splitlines()]


class Run(Protocol):
    def __call__(self, *arguments: str) -> Ended: ...


@pytest.fixture(autouse=True)
def blockbuster() -> None:
    """Let commands write to their streams: nobody else is on their event loop."""


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a file that does not exist yet, and let commands use it."""
    url = f"sqlite:///{tmp_path}/shelf.db"
    monkeypatch.setenv("SSSHELF_URL", url)
    return url


@pytest.fixture
def shelf(url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file with the shelf of ``shop.py``, which commands use, and can import."""
    monkeypatch.chdir(Path(__file__).parent)
    path = Path(url.removeprefix("sqlite:///"))
    asyncio.run(fill(path))
    return path


@pytest.fixture
def ssshelf(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command line in this process."""

    def run_one(*arguments: str) -> Ended:
        capsys.readouterr()
        code = run(arguments)
        return Ended(code, *capsys.readouterr())

    return run_one
