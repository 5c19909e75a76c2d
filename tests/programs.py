"""Programs of a few lines, each run by a Python of its own that warns of everything."""

from __future__ import annotations

import subprocess
import sys
import textwrap

__all__ = ["run"]


def run(program: str, *, dev: bool = True) -> str:
    """Return what a program prints; it has to end well, and to warn of nothing.

    Args:
        program: Its lines.
        dev: Run it in Python's development mode, in which aiohttp refuses moto's answers.
    """
    mode = ["-X", "dev"] if dev else []
    done = subprocess.run(
        [sys.executable, *mode, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # of a machine under load
    assert (done.returncode, told) == (0, []), done.stderr
    return done.stdout
