"""Commands that keep a shelf in order."""

from __future__ import annotations

import dataclasses

from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.session import Session

__all__ = ["probe"]


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
        msg = f"this store cannot keep items: {answers.advice}"
        raise Refused(msg, Exit.NO)
    if answers.advice and not session.json:
        session.console.note(f"ssshelf: {answers.advice}")
