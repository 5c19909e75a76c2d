"""The command ``ssshelf``: how an operator looks into a bucket. Needs ``ssshelf[cli]``."""

from __future__ import annotations

import sys

__all__ = ["main"]

_NEEDED = ("typer", "rich")
_USAGE = 2


def main() -> None:
    """Run the command line that the process was given, and end the process with its exit code."""
    try:
        from ssshelf.cli.app import run  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write("ssshelf: the command line needs an extra: pip install 'ssshelf[cli]'\n")
        sys.exit(_USAGE)
    sys.exit(run(sys.argv[1:]))
