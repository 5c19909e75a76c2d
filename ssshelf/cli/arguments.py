"""Arguments that several commands take, and how a shell completes them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

import typer

from ssshelf.cli.notation import parse_text, show_text
from ssshelf.cli.session import Options, Session, flag
from ssshelf.documents import collection_names, manager_names

__all__ = ["After", "Limit", "ManagerOrClass", "Managers", "Path", "PrimaryKey", "StoredName", "StoredNames", "Yes"]

_PATIENCE_S = 2.0
"""How long a person who pressed Tab waits at most for a store."""


def _managers(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names(ctx, [], incomplete)


def _path(ctx: typer.Context, incomplete: str) -> list[str]:
    return _names(ctx, [parse_text(word) for word in ctx.params.get("path") or ()], incomplete)


def _names(ctx: typer.Context, path: list[str], incomplete: str) -> list[str]:
    """Return the names that may follow ``path`` and begin with ``incomplete``; none if the store does not tell."""
    before = ctx.parent.params if ctx.parent is not None else {}
    session = Session(Options(url=ctx.params.get("url") or before.get("url")))

    async def ask() -> list[str]:
        async with asyncio.timeout(_PATIENCE_S), session.storage() as storage:
            return await (collection_names(storage, path[0]) if path else manager_names(storage))

    if len(path) > 1:
        return []
    with contextlib.suppress(Exception):
        return [word for word in map(show_text, asyncio.run(ask())) if word.startswith(incomplete)]
    return []


StoredName = Annotated[
    str,
    typer.Argument(
        metavar="MANAGER",
        parser=parse_text,
        autocompletion=_managers,
        show_default=False,
        help="What `ssshelf ls` calls it.",
    ),
]
StoredNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MANAGER",
        parser=parse_text,
        autocompletion=_managers,
        show_default=False,
        help="What `ssshelf ls` calls them; without any, everything there is.",
    ),
]
ManagerOrClass = Annotated[
    str,
    typer.Argument(
        metavar="MANAGER",
        autocompletion=_managers,
        show_default=False,
        help="What `ssshelf ls` calls it, or the program's own class, as module:Class.",
    ),
]
Managers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MANAGER",
        autocompletion=_managers,
        show_default=False,
        help="Stored managers, or classes as module:Class; without any, all that are stored.",
    ),
]
PrimaryKey = Annotated[
    str, typer.Argument(metavar="PK", parser=parse_text, show_default=False, help="The primary key, as `ls` shows it.")
]
Path = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MANAGER COLLECTION PART",
        autocompletion=_path,
        show_default=False,
        help="A manager; one of its collections; the leading parts of a key in it.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", "-n", min=1, metavar="N", show_default=False, help="Most rows. On a terminal, 100 unless told."
    ),
]
After = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", show_default=False, help="Go on behind this row.")
]
Yes = Annotated[bool, flag("--yes", "-y", help="Do not ask.")]
