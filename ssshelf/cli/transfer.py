"""Commands that move whole shelves: to another storage, into a file, and back."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.moving import Destination, Overwrite, Source, counts_of, end, show_problems
from ssshelf.cli.notation import parse_text
from ssshelf.cli.session import Session, opened
from ssshelf.transfer import Copied, Fate, PartFile, Sink, Stream, Tally, compression_of, export_items, import_items
from ssshelf.transfer import copy as copy_shelves

__all__ = ["copy", "export", "import_"]

_Managers = Annotated[
    list[str] | None,
    typer.Option(
        "--manager", "-m", metavar="MANAGER", parser=parse_text, help="Only this one; may be given several times."
    ),
]
_File = Annotated[str, typer.Argument(metavar="FILE", show_default=False, help="Its name; - is a pipe.")]
_Compress = Annotated[
    str | None, typer.Option("--compress", metavar="none|gz|zst", help="How, if its name does not end in .gz or .zst.")
]


async def copy(
    session: Session,
    source: Source,
    destination: Destination,
    *,
    manager: _Managers = None,
    overwrite: Overwrite = False,
) -> None:
    """Copy items from any storage to any other, with their revisions.

    Programs may read and write meanwhile, here and there. An item of which
    the destination has a later revision stays as it is; one that was changed
    in both places is a conflict, and stays, too. Run it again to go on where
    it was interrupted, or to copy what has changed since. At the end both
    listings are compared, and the destination is verified. Ends with 3 if
    there are conflicts.

    Examples:
      ssshelf copy sqlite:///shelf.db s3://bucket/prefix?region=eu-west-1
      ssshelf copy s3://bucket/prefix sqlite:///backup.db -m bookmarks
    """
    session.how_to_go_on = "nothing is half done; run it again: it goes on where it stopped"
    console = session.console
    copied: list[Copied] = []
    total = Tally()
    async with opened(source) as here, opened(destination, create=True) as there:
        with console.progress("copy") as report:
            async for done in copy_shelves(here, there, managers=manager, overwrite=overwrite, progress=report):
                copied.append(done)
                total.include(done.tally)
    if session.json:
        console.json({"complete": all(one.is_complete for one in copied), "managers": [_json(one) for one in copied]})
    else:
        table = console.table(">copied", ">verified", ">kept", ">conflicts", ">unreadable", ">refused", "manager")
        table.add(_row(session, one) for one in copied)
        show_problems(session, total)
    end(total, {one.manager: one.checked for one in copied})
    if total[Fate.COPIED]:
        msg = "the source changes faster than it is copied: run it again"
        raise Refused(msg, Exit.UNAVAILABLE)


def _row(session: Session, done: Copied) -> list[str]:
    counts = (done.copied, done.verified, *(done.tally[fate] for fate in list(Fate)[2:]))
    return [*map(session.console.count, counts), session.console.word(done.manager)]


def _json(done: Copied) -> dict[str, Any]:
    about = {name: getattr(done, name) for name in ("manager", "copied", "verified", "only_there", "is_complete")}
    rates = {"seconds": round(done.seconds, 3), "items_per_second": round(done.items_per_second, 1)}
    counts = {name: count for name, count in counts_of(done.tally).items() if name not in ("copied", "same")}
    return {**about, **counts, "sound": done.checked.is_sound, **rates}


async def export(session: Session, file: _File, *, manager: _Managers = None, compress: _Compress = None) -> None:
    """Write items into a file, each as a line of JSON.

    All that is stored of an item is in its line, so that an import makes it
    again byte for byte. Programs may write meanwhile. The file has its name
    when it is whole; an export into a file that was interrupted goes on when
    it is run again. Ends with 7 if there are items that cannot be read.

    Examples:
      ssshelf export backup.jsonl.zst
      ssshelf export - -m bookmarks | jq .document
    """
    session.how_to_go_on = "run it again: into a file, it goes on where it stopped; a pipe begins anew"
    sink: Sink = Stream(sys.stdout.buffer, _compression(file, compress))
    if file != "-":
        sink = PartFile(Path(file), _compression(file, compress))
    async with session.storage() as storage:
        with session.console.progress("export") as report:
            done = await export_items(storage, sink, managers=manager, progress=report)
    unreadable = [{"key": str(key), "reason": str(error)} for key, error in done.unreadable]
    if session.json and file != "-":
        session.console.json({"items": done.items, "unreadable": unreadable, "seconds": round(done.seconds, 3)})
    else:
        session.console.note(f"exported {done.items:,} items")
        for one in unreadable:
            session.console.note(f"{one['key']}: {one['reason']}")
    if unreadable:
        msg = "there are items that cannot be read; the others are in the file"
        raise Refused(msg, Exit.CORRUPT)


async def import_(session: Session, file: _File, *, compress: _Compress = None, overwrite: Overwrite = False) -> None:
    """Store the items that are in a file, each a line of JSON.

    Lines of an export come with their revisions, by the rules of `copy`: run
    it again, and nothing changes. A line of your own needs a manager, a pk
    and a document; "keys" are where it is to be listed. One that was
    interrupted goes on when it is run again with the same file, or with the
    same lines in a pipe. Ends with 3 if there are conflicts, with 7 at a bad
    line; what came before it is stored.

    Examples:
      ssshelf import backup.jsonl.zst
      echo '{"manager":"a","pk":"1","document":{}}' | ssshelf import -
    """
    session.how_to_go_on = "nothing is half done; run it again with the same file: it goes on where it stopped"
    console = session.console
    with _readable(file) as lines:
        async with session.storage(create=True) as storage:
            with console.progress("import") as report:
                done = await import_items(
                    lines, storage, compression=_compression(file, compress), overwrite=overwrite, progress=report
                )
    if session.json:
        sound = all(verified.is_sound for verified in done.checked.values())
        about = {"managers": done.managers, "complete": done.is_complete, "sound": sound}
        console.json({**about, **counts_of(done.tally), "seconds": round(done.seconds, 3)})
    else:
        console.table(*(f">{fate.value}" for fate in Fate)).add([[console.count(done.tally[fate]) for fate in Fate]])
        show_problems(session, done.tally)
    end(done.tally, done.checked)


def _compression(file: str, asked: str | None) -> str:
    """Return how a file is compressed.

    Raises:
        Refused: There is no such way.
    """
    if asked not in (None, "none", "gz", "zst"):
        msg = f"--compress takes none, gz or zst, not {asked}"
        raise Refused(msg)
    return asked or compression_of(file)


@contextlib.contextmanager
def _readable(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as opened_file:
        yield opened_file
