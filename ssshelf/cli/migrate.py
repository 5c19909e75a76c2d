"""The command that brings what ssshelf 0.1 has stored into a shelf of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ssshelf.cli.failures import Refused
from ssshelf.cli.moving import Destination, Source, counts_of, end, show_problems
from ssshelf.cli.programs import is_program, load
from ssshelf.cli.session import Session, opened
from ssshelf.managers import CManager
from ssshelf.storages.base import Storage
from ssshelf.transfer import Fate, LegacyBucket, Migrated, Migration

__all__ = ["migrate_legacy"]


async def migrate_legacy(
    session: Session,
    source: Source,
    destination: Destination,
    *,
    manager: Annotated[
        list[str] | None,
        typer.Option(
            "--manager",
            "-m",
            metavar="NAME|[NAME=]MODULE:CLASS",
            help="Only the items of this item manager of 0.1; as your new class reads them. As often as you like.",
        ),
    ] = None,
    collections: Annotated[
        list[str] | None,
        typer.Option(
            "--collections",
            metavar="NAME=COLLECTION,...",
            help="Which collections list the items of this item manager, where primary keys do not tell.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read everything, and write nothing.")] = False,
) -> None:
    """Bring what ssshelf 0.1 has stored into a shelf of today.

    SRC is not changed, and may be DST, too: names of 0.1 and of today do not
    meet. With your new class, items are read and listed as it says. Without,
    documents are moved as they are, and listed where 0.1 listed them, each
    part of a key as text. Entries that list no item are left behind. Run it
    again to go on where it was interrupted; items that are there already and
    have changed since are conflicts, and stay. Ends with 3 then.

    Examples:
      ssshelf migrate-legacy s3://old s3://new --dry-run
      ssshelf migrate-legacy s3://old s3://new -m bookmark-items=shop.models:Bookmarks
      ssshelf migrate-legacy s3://old s3://new --collections bookmark-items=by-tag,by-date
    """
    session.how_to_go_on = "nothing is half done; run it again: it goes on where it stopped"
    async with opened(source) as here, opened(destination, create=not dry_run) as there:
        names, programs = await _chosen(LegacyBucket(here), there, manager or ())
        migration = Migration(here, there, programs, names, _assigned(collections or ()), dry_run)
        with session.console.progress("migrate") as report:
            done = await migration.run(report)
    if session.json:
        session.console.json(_json(done))
    else:
        _show(session, done)
    end(done.tally, done.checked)
    if done.too_long:
        msg = f"{done.too_long:,} entries have names for which there is no room; the items they list are there"
        raise Refused(msg)


async def _chosen(
    bucket: LegacyBucket, destination: Storage, words: Sequence[str]
) -> tuple[list[str], Mapping[str, CManager[Any]]]:
    """Return the item managers that are meant, and the new managers of those that have one."""
    names: list[str] = []
    programs: dict[str, CManager[Any]] = {}
    for word in words:
        name, _, program = word.rpartition("=")
        if not is_program(program):
            names.append(word)
            continue
        made = load(program, destination)
        name = name or await _old_name(bucket, made)
        names.append(name)
        programs[name] = made
    return names, programs


async def _old_name(bucket: LegacyBucket, program: CManager[Any]) -> str:
    """Return the item manager of 0.1 whose items a class is to have, if it is not told."""
    there = await bucket.managers()
    if len(there) == 1:
        return there[0]
    if program.item_manager.name in there:
        return program.item_manager.name
    msg = f"whose items are meant? write NAME=MODULE:CLASS; there are {', '.join(there) or 'none'}"
    raise Refused(msg)


def _assigned(words: Sequence[str]) -> dict[str, str]:
    assigned: dict[str, str] = {}
    for word in words:
        name, equals, collections = word.partition("=")
        if not equals:
            msg = f"--collections takes NAME=COLLECTION,…, not {word}"
            raise Refused(msg)
        assigned |= dict.fromkeys(collections.split(","), name)
    return assigned


def _json(done: Migrated) -> dict[str, Any]:
    about = {name: getattr(done, name) for name in ("is_complete", "managers", "entries", "dangling", "too_long")}
    return {**about, **counts_of(done.tally), "seconds": round(done.seconds, 3)}


def _show(session: Session, done: Migrated) -> None:
    count = session.console.count
    session.console.table("from", "to").add(done.managers.items())
    session.console.table(*(f">{fate.value}" for fate in Fate)).add([[count(done.tally[fate]) for fate in Fate]])
    show_problems(session, done.tally)
    dry = "" if done.checked or not done.managers else "; nothing was written"
    session.console.note(f"entries of 0.1 {done.entries:,}, of which list no item {done.dangling:,}{dry}")
