"""The command ``ssshelf``: how an operator looks into a bucket. Needs ``ssshelf[cli]``."""

from __future__ import annotations

import sys

__all__ = ["main"]

_NEEDED = ("typer", "rich")
_USAGE, _INTERRUPTED = 2, 130


def main() -> None:
    """Run the command line that the process was given, and end the process with its exit code."""
    try:
        from ssshelf.cli.app import run  # noqa: PLC0415  an extra

        sys.exit(run(sys.argv[1:]))
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write("ssshelf: the command line needs an extra: pip install 'ssshelf[cli]'\n")
        sys.exit(_USAGE)
    except KeyboardInterrupt:  # before the command had begun
        sys.exit(_INTERRUPTED)
