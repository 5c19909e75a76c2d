"""The command line: which commands there are, and what stands before them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from ssshelf import __version__
from ssshelf.cli.bench import bench
from ssshelf.cli.change import put, rm
from ssshelf.cli.failures import Exit
from ssshelf.cli.look import count, get, ls
from ssshelf.cli.maintain import probe, reindex, sweep, verify
from ssshelf.cli.migrate import migrate_legacy
from ssshelf.cli.notation import printable
from ssshelf.cli.session import AsJson, Command, Debug, Options, Url, as_command
from ssshelf.cli.totals import stat
from ssshelf.cli.transfer import copy, export, import_

__all__ = ["app", "run"]

_COMMANDS: dict[str, Sequence[Command]] = {
    "Look": (ls, get, count, stat),
    "Change": (put, rm),
    "Move": (copy, export, import_, migrate_legacy),
    "Maintain": (verify, sweep, reindex, probe, bench),
}

_EXITS = "\n".join(f"  {code:3}  {code.meaning}" for code in Exit)
_HELP = f"""Look into a shelf, change it and keep it in order: a bucket, an SQLite file.

What is stored says enough, so the program that made it is not needed. Each
command has examples in its --help.

Examples:
  export SSSHELF_URL='s3://bucket/prefix?region=eu-west-1'
  ssshelf ls
  ssshelf get bookmarks pep-3156
  ssshelf verify || echo something is wrong

Exit codes:
{_EXITS}
"""

app = typer.Typer(
    name="ssshelf",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments`` and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a store may hold what this terminal has no characters for
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(list(arguments), prog_name="ssshelf", standalone_mode=False)
    except typer.TyperException as error:
        return _refused(error)
    return int(code or 0)


def _refused(error: typer.TyperException) -> int:
    """Tell what is wrong with a command line."""
    if not error.message:  # there was no command line at all, so the help was shown
        return Exit.USAGE
    context = getattr(error, "ctx", None)
    if context is not None:
        sys.stderr.write(f"{context.get_usage()}\n")
    sys.stderr.write(f"ssshelf: {printable(error.format_message())}\n")
    return Exit.USAGE


def _version(asked: bool) -> None:  # noqa: FBT001  typer calls it
    if asked:
        sys.stdout.write(f"ssshelf {__version__}\n")
        raise typer.Exit


@app.callback(help=_HELP)
def _before(
    ctx: typer.Context,
    *,
    url: Url = None,
    as_json: AsJson = False,
    debug: Debug = False,
    version: Annotated[  # noqa: ARG001  it has been answered
        bool, typer.Option("--version", metavar="", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Remember what stands before the command."""
    ctx.obj = Options(url, as_json, debug)


for _panel, _functions in _COMMANDS.items():
    for _function in _functions:
        _name = _function.__name__.strip("_").replace("_", "-")  # import is a keyword
        app.command(_name, rich_help_panel=_panel)(as_command(_function))
