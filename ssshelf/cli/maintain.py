"""Commands that keep a shelf in order."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from ssshelf.cli.arguments import Managers, Yes
from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.notation import show_text
from ssshelf.cli.programs import load, manager_on
from ssshelf.cli.session import Session, flag
from ssshelf.documents import collection_names, manager_names
from ssshelf.maintenance import FindingKind, Verified
from ssshelf.managers import CManager
from ssshelf.storages.base import Storage

__all__ = ["probe", "reindex", "sweep", "verify"]


async def probe(session: Session) -> None:
    """Ask the store what it honours, of what ssshelf needs.

    It takes some 30 requests, under names that are removed again. On other
    stores than AWS the answers are remembered in the bucket, and used from
    then on. Ends with 1 if no items can be kept in this store.

    Examples:
      ssshelf probe --url s3://bucket/prefix
      ssshelf probe --json | jq .if_match_refuses
    """
    async with session.storage() as storage:
        with session.console.progress("asking"):
            answers = await storage.probe()
        fits = storage.capabilities.conditional_put and storage.capabilities.ordered_scan
    if session.json:
        session.console.json({**dataclasses.asdict(answers), "fit": fits, "problems": answers.problems})
    else:
        named = {True: "yes", False: "no", None: "not asked"}
        session.console.table("asked", "answer").add(
            (name, named[answer]) for name, answer in dataclasses.asdict(answers).items()
        )
    if not fits:
        msg = f"this store cannot keep items: {'; '.join(answers.problems)}"
        raise Refused(msg, Exit.NO)
    if not session.json:
        for problem in answers.problems:
            session.console.note(f"ssshelf: {problem}")


async def verify(session: Session, managers: Managers = None) -> None:
    """Check that items, listings and unique values agree, and write nothing.

    Every item is read. What is found is written to stdout, what was looked at
    to stderr. Garbage that a crash has left, which no reader sees and a sweep
    removes, is told, but is nothing wrong; ends with 1 if anything else was
    found. A class, module:Class, also tells which items its collections would
    list otherwise now.

    Examples:
      ssshelf verify
      ssshelf verify bookmarks --json | jq '.managers[].counts'
      ssshelf verify shop.models:Orders
    """
    console = session.console
    reports: dict[str, Verified] = {}
    session.how_to_go_on = "nothing was written; run it again"
    async with session.storage() as storage:
        for word in await _words(storage, managers):
            with console.progress(f"verifying {word}") as report:
                verified = reports[word] = await manager_on(storage, word).verify(progress=report)
            if not session.json:
                rows = [(one.kind.value, str(one.key), *filter(None, [one.reason])) for one in verified.findings]
                console.table("found", "key", "reason").add(rows)
                console.note(f"{word}: {_summary(verified)}")
    sound = all(verified.is_sound for verified in reports.values())
    if session.json:
        console.json({"sound": sound, "managers": [_verified_json(*one) for one in reports.items()]})
    if not sound:
        msg = "not all is in order: unreadable items have to be written anew, `ssshelf reindex --force` mends the rest"
        raise Refused(msg, Exit.NO)


def _summary(verified: Verified) -> str:
    garbage = sum(count for kind, count in verified.counts.items() if kind.is_garbage)
    wrong = sum(verified.counts.values()) - garbage
    state = "clean" if verified.is_clean else f"{wrong:,} wrong, {garbage:,} garbage"
    looked_at = f"items {verified.items:,}, entries {verified.entries:,}, unique values {verified.claims:,}"
    return f"{state}; {looked_at}, removed items {verified.tombstones:,}"


def _verified_json(word: str, verified: Verified) -> dict[str, Any]:
    counts = {kind.value: verified.counts.get(kind, 0) for kind in FindingKind}
    findings = [
        {"kind": one.kind.value, "key": str(one.key), "reason": one.reason, "modified": one.modified}
        for one in verified.findings
    ]
    about = {name: getattr(verified, name) for name in ("items", "tombstones", "entries", "claims")}
    return {"manager": word, "sound": verified.is_sound, **about, "counts": counts, "findings": findings}


async def sweep(
    session: Session,
    managers: Managers = None,
    *,
    grace: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="How old garbage has to be; the least that is safe unless told."),
    ] = None,
    yes: Yes = False,
) -> None:
    """Remove what crashes and removed items have left behind.

    Programs may read and write meanwhile. A sweep that was interrupted goes
    on where it stopped.

    Examples:
      ssshelf sweep
      ssshelf sweep bookmarks --yes
      ssshelf sweep --grace 86400 --yes --json
    """
    session.how_to_go_on = "nothing is half done; run it again: it goes on where it stopped"
    columns = ("items", "entries", "tombstones", "claims", "too_young")
    async with session.storage() as storage:
        words = await _words(storage, managers)
        session.console.confirm(f"Sweep {', '.join(words) or 'nothing'} of {session.url}", yes=yes)
        table = session.console.table(*(f">{column.replace('_', ' ')}" for column in columns), "manager")
        swept: dict[str, dict[str, Any]] = {}
        for word in words:
            with session.console.progress(f"sweeping {word}") as report:
                done = await manager_on(storage, word).sweep(grace_s=grace, progress=report)
            swept[word] = dataclasses.asdict(done)
            if not session.json:
                table.add([(*(session.console.count(swept[word][column]) for column in columns), word)])
    if session.json:
        session.console.json({"managers": [{"manager": word, **counts} for word, counts in swept.items()]})


async def _words(storage: Storage, managers: list[str] | None) -> list[str]:
    """Return the managers that are meant, as the command line has them."""
    return managers or [show_text(name) for name in await manager_names(storage)]


async def reindex(
    session: Session,
    program: Annotated[
        str, typer.Argument(metavar="MODULE:CLASS", show_default=False, help="The manager, looked for here first.")
    ],
    *,
    force: Annotated[bool, flag("--force", help="Also if it was done; make all entries anew.")] = False,
    yes: Yes = False,
) -> None:
    """List existing items by the collections that a program declares now.

    Run it when a collection was added to a shelf in use, or changed. Programs
    may read and write meanwhile, but none that does not know the collections.
    One that was interrupted goes on where it stopped. Asks before it drops
    the listings of collections that the class does not declare. Ends with 1
    if items are left that cannot be listed.

    Examples:
      ssshelf reindex shop.models:Orders
      ssshelf reindex shop.models:Orders --force --yes
    """
    session.how_to_go_on = "nothing is half done; run it again: it goes on where it stopped"
    console = session.console
    async with session.storage() as storage:
        manager = load(program, storage)
        unknown = await _undeclared(storage, manager)
        if unknown:
            names = ", ".join(map(console.word, unknown))
            console.confirm(f"Drop the listings {names}, which {program} does not declare", yes=yes)
        with console.progress(f"reindexing {manager.item_manager.name}") as report:
            done = await manager.reindex(force=force, progress=report)
    errors = [(str(key), str(error)) for key, error in done.errors]
    counts = {"items": done.items, "changed": done.changed, "failed": done.failed}
    if session.json:
        console.json({**counts, "errors": [{"key": key, "reason": reason} for key, reason in errors]})
    else:
        console.table("not listed", "reason").add(errors)
        nothing = "" if done.items else "; --force does it in any case"
        console.note(f"items looked at {done.items:,}, listed anew {done.changed:,}, failed {done.failed:,}{nothing}")
    if not done.is_complete:
        msg = "items are left that cannot be listed, so readers are not let in: mend them, and run it again"
        raise Refused(msg, Exit.NO)


async def _undeclared(storage: Storage, manager: CManager[Any]) -> list[str]:
    declared = {collection.name for collection in manager.declared.values()}
    return [name for name in await collection_names(storage, manager.item_manager.name) if name not in declared]
