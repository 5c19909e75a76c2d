"""Programs of a few lines, each run by a Python of its own that warns of everything."""

from __future__ import annotations

import subprocess
import sys
import textwrap

__all__ = ["run"]


def run(program: str) -> str:
    """Return what a program prints; it has to end well, and to warn of nothing."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # of a machine under load
    assert (done.returncode, told) == (0, []), done.stderr
    return done.stdout
