"""Commands that change items, through the commit protocol."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import orjson
import typer

from ssshelf._concurrency import map_bounded
from ssshelf.cli.arguments import ManagerOrClass, PrimaryKey, StoredName, Yes
from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.notation import parse_text
from ssshelf.cli.programs import is_program, load
from ssshelf.cli.session import Session, flag
from ssshelf.documents import Document, Documents
from ssshelf.drafts import Revision
from ssshelf.errors import AlreadyExistsError, ConflictError, NotFoundError
from ssshelf.layout import Layout
from ssshelf.maintenance import Progress
from ssshelf.managers import CManager
from ssshelf.storages.base import CONCURRENCY

__all__ = ["Write", "put", "put_document", "rm"]

_JSON = "application/json"
_NEW = "it is new and listed nowhere, since only its program knows where: give module:Class for that"
_KEPT = "it stays listed where it was; `ssshelf reindex module:Class --force` lists it anew"


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """What is to be put, and on which condition.

    Attributes:
        pk: The primary key.
        body: The document.
        content_type: Its media type; ``None`` for that of the document before, or of JSON.
        insert: Only where there is none.
        expect: Only over this revision.
    """

    pk: str
    body: bytes
    content_type: str | None
    insert: bool
    expect: str | None


async def put(  # noqa: PLR0913  options are arguments here
    session: Session,
    manager: ManagerOrClass,
    pk: PrimaryKey,
    file: Annotated[
        str, typer.Argument(metavar="FILE", show_default=False, help="The document; without it, stdin.")
    ] = "-",
    *,
    insert: Annotated[bool, flag("--insert", help="Only if there is none yet.")] = False,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="REV", help="Only over this revision, as `get --json` and `put` show it."),
    ] = None,
    content_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=f"Its media type; {_JSON} for a new one unless told.")
    ] = None,
) -> None:
    """Create or replace an item by a document, and write its revision to stdout.

    What the document means only its program knows. So an item that is there
    stays listed where it was, and a new one is listed nowhere, unless MANAGER
    is given as module:Class: then that class reads the document, and lists
    the item, as the program would.

    Ends with 3 if --insert finds an item, or --expect another revision.

    Examples:
      ssshelf put bookmarks pep-3156 pep-3156.json
      ssshelf put shop.models:Bookmarks pep-3156 --insert < pep-3156.json
      ssshelf get team ada | sed s/free/paid/ | ssshelf put team ada
    """
    if insert and expect is not None:
        msg = "--insert and --expect exclude each other"
        raise Refused(msg)
    write = Write(pk, session.console.read(file), content_type, insert, expect)
    async with session.storage(create=True) as storage:
        if is_program(manager):
            rev, hint = await _put_item(load(manager, storage), write), ""
        else:
            rev, hint = await put_document(Documents(storage, parse_text(manager)), write)
    if session.json:
        session.console.json({"pk": pk, "rev": str(rev)})
    else:
        session.console.say(str(rev))
    if hint:
        session.console.note(f"ssshelf: {hint}")


async def _put_item(manager: CManager[Any], write: Write) -> Revision:
    """Write an item as its program would."""
    if write.content_type is not None:
        msg = "--type is for documents without their class; that knows the type"
        raise Refused(msg)
    try:
        item = manager.item_manager.deserialize_item(write.body)
        found = manager.item_manager.pk_text(item)
        manager._catalog.draft(item)
    except Exception as error:
        notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
        msg = f"the document is no item of {type(manager).__name__}: {type(error).__name__}: {error}{notes}"
        raise Refused(msg) from error
    if found != write.pk:
        msg = f"the document has the primary key {found!r}, not {write.pk!r}"
        raise Refused(msg)
    if write.insert:
        return await manager.insert_item(item)
    if write.expect is not None:
        return await manager.replace_item(item, expect=write.expect)
    return await manager.add_item(item)


async def put_document(documents: Documents, write: Write) -> tuple[Revision, str]:
    """Write a document as it is, over what somebody else has just put, too, unless there is a condition.

    Returns:
        The revision, and what there is to know about where it is listed.

    Raises:
        ConflictError: The condition does not hold; nothing was written.
    """
    while True:
        document, rev = await _found(documents, write)
        if document is None:
            body = _checked(write.body, write.content_type or _JSON)
            new = Document(write.pk, body, write.content_type or _JSON)
            try:
                return await documents.insert_item(new), _NEW
            except AlreadyExistsError:  # since we looked
                if write.insert:
                    raise
                continue
        content_type = write.content_type or document.content_type
        changed = dataclasses.replace(document, body=_checked(write.body, content_type), content_type=content_type)
        hint = (
            "it stays listed where it was; `ssshelf reindex module:Class --force` lists it anew"
            if document.indexes
            else ""
        )
        try:
            return await documents.replace_item(changed, expect=rev), hint
        except ConflictError:
            if write.expect is not None:
                raise


async def _found(documents: Documents, write: Write) -> tuple[Document | None, Revision]:
    """Return the document to replace; none, if a new one is to be created."""
    if write.insert:
        return None, Revision("")
    key = Layout(documents.item_manager.name).item(write.pk)
    try:
        document, rev = await documents.get_revision(write.pk)
    except NotFoundError:
        if write.expect is not None:
            raise ConflictError(key, write.expect, None) from None
        return None, Revision("")
    if write.expect not in (None, rev):
        raise ConflictError(key, write.expect, str(rev))
    return document, rev


def _checked(body: bytes, content_type: str) -> bytes:
    """Refuse a document that its program could not read."""
    if content_type == _JSON:
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError as error:
            msg = f"the document is no JSON ({error}): mend it, or give its --type"
            raise Refused(msg) from None
    return body


async def rm(
    session: Session,
    manager: StoredName,
    pks: Annotated[
        list[str],
        typer.Argument(metavar="PK", parser=parse_text, show_default=False, help="Primary keys, as `ls` shows them."),
    ],
    *,
    yes: Yes = False,
) -> None:
    r"""Remove items from a shelf and all its listings.

    Each is removed whole or not at all; their unique values are free again.
    Ends with 1 if one of them was not there.

    Examples:
      ssshelf rm bookmarks pep-3156
      ssshelf ls notes by-tag old | cut -f 2 | xargs -d '\n' ssshelf rm -y notes
    """
    what = f"item {session.console.word(pks[0])}" if len(pks) == 1 else f"{len(pks)} items"
    session.how_to_go_on = "each item is there whole or gone; run it again to remove the rest"
    async with session.storage() as storage:
        session.console.confirm(f"Remove {what} of {manager} from {session.url}", yes=yes)
        removed = await _remove(session, Documents(storage, manager), pks)
    missing = [pk for pk in pks if not removed[pk]]
    if session.json:
        session.console.json({"removed": [pk for pk in removed if removed[pk]], "missing": missing})
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        msg = f"there was no {session.console.word(missing[0])}{others}"
        raise Refused(msg, Exit.NO)


async def _remove(session: Session, documents: Documents, pks: list[str]) -> dict[str, bool]:
    removed: dict[str, bool] = {}
    with session.console.progress("removing", len(set(pks))) as report:

        async def remove(pk: str) -> None:
            removed[pk] = await documents.remove_item(pk)
            report(Progress("items", len(removed)))

        await map_bounded(remove, list(dict.fromkeys(pks)), CONCURRENCY)
    return removed
