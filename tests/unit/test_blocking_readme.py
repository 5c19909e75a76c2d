"""The examples of the README, without ``async`` and ``await``: nothing is missing in the blocking classes."""

from __future__ import annotations

import contextlib
import io
import re
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ssshelf import blocking

README = (Path(__file__).parent.parent.parent / "README.rst").read_text(encoding="utf-8")
CODE = r"\.\. code-block:: python\n\n(?P<code>(?:    .*\n|\n)+?)"
RUN = r">>> asyncio\.run\((?P<name>\w+)\(\)\)\n(?P<shown>(?:.+\n)+)"
EXAMPLES = {example["name"]: example for example in re.finditer(CODE + RUN, README) if example["name"] != "moving"}

# In blocking programs, what is started runs at once.
ASYNCIO = SimpleNamespace(run=lambda value: value, gather=lambda *values: list(values))


def without_await(code: str) -> str:
    """Return an async example as a blocking one: another import, and no await."""

    def others(found: re.Match[str]) -> str:
        return ", ".join(name for name in found[0].split(", ") if name not in blocking.__all__)

    code = re.sub(r"(?<=from ssshelf import ).*", others, textwrap.dedent(code))
    code = re.sub(r"\b(async|await) ", "", code)
    return f"from ssshelf.blocking import {', '.join(blocking.__all__)}\n{code}"


def test_the_examples_show_the_same_without_await(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}  # an example goes on where the one before it ended
    shown: dict[str, str] = {}

    for name, example in EXAMPLES.items():
        exec(compile(without_await(example["code"]), name, "exec", dont_inherit=True), names)  # noqa: S102  our own
        names["asyncio"] = ASYNCIO
        with contextlib.redirect_stdout(io.StringIO()) as output:
            names[name]()
        shown[name] = output.getvalue()

    assert {"main", "conditions", "listing", "unique", "maintenance"} <= set(shown)
    assert shown == {name: example["shown"] for name, example in EXAMPLES.items()}
