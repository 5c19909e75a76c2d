"""Every example is a program that runs and says something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted(set(Path(__file__).parent.glob("*.py")) - {Path(__file__)})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SSSHELF_URL"}

    program = subprocess.run(
        [sys.executable, path], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert program.returncode == 0, program.stderr
    assert program.stdout
