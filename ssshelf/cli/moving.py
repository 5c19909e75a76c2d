"""What the commands that move shelves have in common: how they tell what became of the items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.session import Session
from ssshelf.maintenance import Verified
from ssshelf.transfer import Fate, Tally

__all__ = ["Destination", "Overwrite", "Source", "counts_of", "end", "show_problems"]

Source = Annotated[
    str, typer.Argument(metavar="SRC", show_default=False, help="The URL of the storage to read; it is not changed.")
]
Destination = Annotated[
    str, typer.Argument(metavar="DST", show_default=False, help="The URL of the storage to write; a file may be new.")
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace items of the destination that are in conflict, or unreadable; nobody else may write them then.",
    ),
]


def counts_of(tally: Tally) -> dict[str, Any]:
    """Return what became of items, for JSON."""
    problems = [{"key": str(key), "reason": str(error)} for key, error in tally.problems]
    return {fate.value: tally[fate] for fate in Fate} | {"problems": problems}


def show_problems(session: Session, tally: Tally) -> None:
    """Write the first items that were not moved, and why."""
    session.console.table("not moved", "reason").add((str(key), str(error)) for key, error in tally.problems)


def end(tally: Tally, checked: Mapping[str, Verified]) -> None:
    """End a command that has moved items.

    Raises:
        Refused: Not all of them arrived.
    """
    broken = [name for name, verified in checked.items() if not verified.is_sound]
    if tally[Fate.CONFLICT]:
        msg = f"{tally[Fate.CONFLICT]:,} items are something else there, and stayed"
        raise Refused(msg, Exit.CONFLICT)
    if not tally.is_complete:
        msg = "not all items could be moved; the others were"
        raise Refused(msg, Exit.CORRUPT if tally[Fate.UNREADABLE] else Exit.NO)
    if broken:
        msg = f"the destination does not agree with itself: `ssshelf verify {' '.join(broken)}` tells more"
        raise Refused(msg, Exit.NO)
