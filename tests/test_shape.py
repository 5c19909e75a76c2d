"""The shape of the repository: how long a module may be, and how a changelog fragment is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "ssshelf").rglob("*.py"))
FRAGMENT = r"\+[a-z0-9-]+\.(breaking|added|changed|fixed)\.rst"
MOST_LINES = 400


def test_there_are_modules() -> None:
    assert MODULES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= MOST_LINES


def test_a_changelog_fragment_names_its_kind() -> None:
    names = {path.name for path in (ROOT / "changelog.d").iterdir()} - {".gitkeep"}

    assert [name for name in names if not re.fullmatch(FRAGMENT, name)] == []
