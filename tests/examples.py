"""How the examples of documents are run: commands on a terminal, in the order in which a reader would try them."""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.rest import CodeBlockParser

from tests.terminal import terminal

if TYPE_CHECKING:
    from sybil import Example

__all__ = ["ConsoleParser", "PythonParser"]

_COLUMNS = 120
# What is another each time: instants, revisions, measurements.
_VARYING = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z": "<instant>",
    r"\b\d+-[0-9a-f]{16}\b": "<revision>",
    r" +\d+\.\d\d\b": " <ms>",
    r"<ms> +\d+  ?[█▓░▏]*": "<ms> <per second>",
}


class ConsoleParser(CodeBlockParser):
    """Runs what stands behind ``$ ssshelf`` and compares what a person sees; blocks with other commands are left."""

    language = "console"

    def evaluate(self, example: Example) -> str | None:
        if not re.match(r"\$ (export SSSHELF_URL=|ssshelf )", example.parsed):
            return None
        expected = str(example.parsed).rstrip()
        seen = "\n".join(_run(command) for command in re.findall(r"^\$ (.*)$", expected, re.MULTILINE))
        if _same(expected) == _same(seen):
            return None
        return "\n".join(difflib.ndiff(expected.splitlines(), seen.splitlines()))


class PythonParser(CodeBlockParser):
    """Runs blocks of Python; one that begins with a comment of a file's name is written into that file, too."""

    language = "python"

    def __init__(self) -> None:
        super().__init__()
        self._python = PythonEvaluator()

    def evaluate(self, example: Example) -> None:
        if (name := re.match(r"# (\S+\.py)\n", example.parsed)) is not None:
            Path(name[1]).write_text(example.parsed, encoding="utf-8")
        self._python(example)


def _run(command: str) -> str:
    """Return what a terminal shows that a command is typed into."""
    if exported := re.fullmatch(r"export (\w+)=(\S+)", command):
        os.environ[exported[1]] = exported[2]
        return f"$ {command}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        with terminal(["/bin/sh", "-c", command], _COLUMNS) as shown:
            _, text = shown.ended()
    return "\n".join([f"$ {command}", *text.splitlines()])


def _same(text: str) -> str:
    for varying, name in _VARYING.items():
        text = re.sub(varying, name, text)
    return text
