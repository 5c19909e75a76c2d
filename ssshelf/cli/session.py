"""What every command has in common: the storage it is about, where it writes, how it runs and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer

from ssshelf.cli.console import Console
from ssshelf.cli.failures import Exit, Failure, Refused, failure_of
from ssshelf.storages import open_storage
from ssshelf.storages.base import Storage
from ssshelf.storages.urls import ENVIRONMENT_VARIABLE

__all__ = ["Command", "Options", "Session", "as_command", "flag", "opened"]

Command: TypeAlias = Callable[..., Coroutine[Any, Any, None]]
"""What a command does, a coroutine function: it takes a ``Session``, then its own arguments and options."""

_DEBUG_VARIABLE = "SSSHELF_DEBUG"
_PANEL = "Options of every command"


def flag(*names: str, help: str, panel: str | None = None) -> Any:  # noqa: A002  what typer calls it
    """Return an option that is there or not; typer would show a type for it."""
    return typer.Option(*names, metavar="", help=help, rich_help_panel=panel)


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        rich_help_panel=_PANEL,
        help=f"The storage: sqlite:///shelf.db, s3://bucket/prefix?region=…; without it, {ENVIRONMENT_VARIABLE}.",
    ),
]
AsJson = Annotated[bool, flag("--json", help="Write JSON to stdout.", panel=_PANEL)]
Debug = Annotated[bool, flag("--debug", help="Show where an error came from.", panel=_PANEL)]


@dataclass(frozen=True, slots=True)
class Options:
    """What may stand before the command as well as behind it."""

    url: str | None = None
    json: bool = False
    debug: bool = False

    def over(self, others: Options) -> Options:
        """Return these, completed by ``others``."""
        return Options(self.url or others.url, self.json or others.json, self.debug or others.debug)


@dataclass(slots=True)
class Session:
    """One command as it runs.

    Attributes:
        options: What was asked for.
        console: Where to write.
        how_to_go_on: What to tell who interrupts it.
    """

    options: Options
    console: Console = field(default_factory=Console)
    how_to_go_on: str = "nothing is half done"

    @property
    def json(self) -> bool:
        """Whether the answer is for a program."""
        return self.options.json

    @property
    def url(self) -> str:
        """The URL of the storage.

        Raises:
            Refused: There is none.
        """
        url = self.options.url or os.environ.get(ENVIRONMENT_VARIABLE)
        if not url:
            example = "for example to sqlite:///shelf.db or s3://bucket/prefix?region=eu-west-1"
            msg = f"which storage? give --url, or set {ENVIRONMENT_VARIABLE}, {example}"
            raise Refused(msg)
        return url

    @contextlib.asynccontextmanager
    async def storage(self, *, create: bool = False) -> AsyncIterator[Storage]:
        """Open the storage for this command.

        Args:
            create: Whether a file that is not there may be made.
        """
        async with opened(self.url, create=create) as storage:
            yield storage


@contextlib.asynccontextmanager
async def opened(url: str, *, create: bool = False) -> AsyncIterator[Storage]:
    """Open the storage that ``url`` names.

    Args:
        url: As for ``open_storage``.
        create: Whether a file that is not there may be made; who only reads makes none.
    """
    async with open_storage(url, create=create) as storage:
        yield storage


def as_command(function: Command) -> Callable[..., None]:
    """Return ``function`` as typer takes it: with the options of every command, and with an end."""
    hints = get_type_hints(function, include_extras=True)
    _, *own = inspect.signature(function).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = {"ctx": typer.Context, "url": Url, "as_json": AsJson, "debug": Debug}
    defaults = {"ctx": inspect.Parameter.empty, "url": None, "as_json": False, "debug": False}
    parameters = [
        *(parameter.replace(annotation=hints[parameter.name], kind=keyword) for parameter in own),
        *(inspect.Parameter(name, keyword, default=defaults[name], annotation=shared[name]) for name in shared),
    ]

    @functools.wraps(function)
    def command(*, ctx: typer.Context, url: str | None, as_json: bool, debug: bool, **arguments: Any) -> None:
        session = Session(Options(url, as_json, debug).over(ctx.obj or Options()))
        code = _ended(session, function(session, **arguments))
        if code:
            raise typer.Exit(code)

    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _ended(session: Session, work: Coroutine[Any, Any, None]) -> Exit:
    """Run a command to its end, and return what to end the process with."""
    try:
        asyncio.run(work)
        sys.stdout.flush()
    except KeyboardInterrupt:
        failure = Failure(f"interrupted: {session.how_to_go_on}", Exit.INTERRUPTED)
    except BrokenPipeError:
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception as error:  # noqa: BLE001  the outermost edge
        failure = failure_of(error)
        if session.options.debug or os.environ.get(_DEBUG_VARIABLE):
            traceback.print_exception(error)
    else:
        return Exit.OK
    session.console.note(f"ssshelf: {failure.line}")
    return failure.code
