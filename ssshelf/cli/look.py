"""Commands that look into a shelf and change nothing."""

from __future__ import annotations

import base64
import shlex
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

import orjson

from ssshelf.cli.arguments import After, Limit, Path, PrimaryKey, StoredName
from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.listing import ListedEntry, ListedItem, count_entries, entries, items, scans
from ssshelf.cli.notation import parse, parse_text, show, show_text
from ssshelf.cli.session import Session, flag
from ssshelf.documents import Document, Documents, collection_names, manager_names
from ssshelf.keys import Part, decode
from ssshelf.layout import Layout
from ssshelf.maintenance import Progress
from ssshelf.pages import Page
from ssshelf.serializers import DictSerializer
from ssshelf.storages.base import MAX_SCAN_ROWS, Storage

__all__ = ["count", "get", "ls"]

T = TypeVar("T")
_ROWS_ON_A_TERMINAL = 100
_COLLECTION = 1
"""Where its name stands in a path; behind it are the parts of a key."""


async def ls(
    session: Session,
    path: Path = None,
    *,
    limit: Limit = None,
    after: After = None,
    everything: Annotated[bool, flag("--all", "-a", help="All rows, also on a terminal.")] = False,
) -> None:
    """List managers and their collections, items, or the entries of a collection.

    Without arguments: the managers. With a MANAGER: its items; the size of
    the document, when it was written, the primary key. With a COLLECTION:
    its entries; when it was written, the primary key that it points to, and
    the parts of its key. PARTs select the keys that begin with them.

    Names and parts are texts, or number:5, date:2024-05-01,
    time:2024-05-01T12:00Z, uuid:…, bytes:00ff, null:, true:, false:,
    desc:PART, text:TEXT for a text that looks like one of these, and
    json:"…" for one that cannot be printed.

    A terminal gets 100 rows unless it is told otherwise, everything else
    gets all. JSON comes as one object in each line; what its "after" says
    goes on behind it. Ends with 1 if there is nothing.

    Examples:
      ssshelf ls
      ssshelf ls bookmarks --limit 20
      ssshelf ls bookmarks by-tag python
      ssshelf ls shop by-price EUR number:12.5
      ssshelf ls bookmarks | cut -f 3
    """
    if limit is None and session.console.is_terminal and not everything:
        limit = _ROWS_ON_A_TERMINAL
    if not path:
        await _ls_managers(session)
    elif len(path) == _COLLECTION:
        await _ls_items(session, parse_text(path[0]), None if after is None else parse_text(after), limit)
    else:
        await _ls_entries(session, path, after, limit)


async def _ls_managers(session: Session) -> None:
    async with session.storage() as storage:
        found = [(name, await collection_names(storage, name)) for name in await manager_names(storage)]
    if session.json:
        session.console.json_lines({"manager": name, "collections": names} for name, names in found)
    else:
        session.console.table("manager", "collections").add(
            [session.console.word(word) for word in (name, *names)] for name, names in found
        )
    if not found:
        msg = "there is nothing on this shelf"
        raise Refused(msg, Exit.NO)


async def _ls_items(session: Session, manager: str, after: str | None, limit: int | None) -> None:
    console = session.console

    def cells(item: ListedItem) -> list[str]:
        name = console.word(item.pk) if item.pk is not None else str(item.key)
        reason = [f"({item.reason})"] if item.header is None else []
        return [console.size(item.size_bytes), console.time(item.modified), name, *reason]

    async with session.storage() as storage:
        pages = items(storage, manager, after, min(limit or MAX_SCAN_ROWS, MAX_SCAN_ROWS))
        columns = (">size", "modified", "primary key")
        await _write(session, columns, pages, limit, cells, _item_json)


def _item_json(item: ListedItem) -> dict[str, Any]:
    about: dict[str, Any] = {"pk": item.pk, "size": item.size_bytes, "modified": item.modified}
    if item.header is None:
        about |= {"key": str(item.key), "error": item.reason}
    else:
        about |= {"rev": item.header.rev, "n": item.header.n, "type": item.header.content_type}
    return {**about, "after": None if item.pk is None else show_text(item.pk)}


async def _ls_entries(session: Session, path: list[str], after: str | None, limit: int | None) -> None:
    console = session.console

    def cells(entry: ListedEntry) -> list[str]:
        return [console.time(entry.modified), console.word(entry.pk), *(console.quoted(show(p)) for p in entry.parts)]

    def as_json(entry: ListedEntry) -> dict[str, Any]:
        parts = [show(part) for part in entry.parts]
        about = {"key": parts, "pk": entry.pk, "modified": entry.modified, "after": entry.cursor}
        return about | ({"covers": orjson.Fragment(DictSerializer().dump(entry.covers))} if entry.covers else {})

    async with session.storage() as storage:
        manager, collection, *parts = path
        place = (parse_text(manager), parse_text(collection))
        prefix = tuple(parse(part) for part in parts)
        pages = entries(storage, place, prefix, after, min(limit or MAX_SCAN_ROWS, MAX_SCAN_ROWS))
        await _write(session, ("written", "primary key", "key"), pages, limit, cells, as_json)


async def _write(
    session: Session,
    columns: tuple[str, ...],
    pages: AsyncIterator[Page[T]],
    limit: int | None,
    cells: Callable[[T], list[str]],
    as_json: Callable[[T], dict[str, Any]],
) -> None:
    """Write the rows of ``pages`` as they come, and say how to go on where a limit ends them."""
    table = session.console.table(*columns)
    found = 0
    async for page in pages:
        rows = page.items if limit is None else page.items[: limit - found]
        if session.json:
            session.console.json_lines(map(as_json, rows))
        else:
            table.add(map(cells, rows))
        found += len(rows)
        if found == limit and (page.after is not None or len(rows) < len(page)):
            session.console.note(f"more follow: --all, or --after {shlex.quote(as_json(rows[-1])['after'])}")
            break
    if not found:
        msg = "nothing is listed there; `ssshelf ls` shows what there is"
        raise Refused(msg, Exit.NO)


async def get(session: Session, manager: StoredName, pk: PrimaryKey) -> None:
    """Write the document of an item to stdout.

    The bytes are those that its program stored; a terminal gets JSON indented
    and refuses what is no text. With --json there is all that is known of the
    item: revision, type, size, the keys under which it is listed.

    Examples:
      ssshelf get bookmarks pep-3156
      ssshelf get bookmarks pep-3156 > pep-3156.json
      ssshelf get bookmarks pep-3156 --json | jq .keys
    """
    async with session.storage() as storage:
        document, rev = await Documents(storage, manager).get_revision(pk)
    if session.json:
        about = {"manager": manager, "pk": pk, "rev": str(rev), "type": document.content_type}
        keys = {"keys": _by_collection(document.indexes), "unique": _by_collection(document.unique)}
        session.console.json({**about, "size": len(document.body), **keys, **_body_json(document)})
    elif session.console.is_terminal:
        session.console.say(_readable(document))
    else:
        session.console.data(document.body)


def _by_collection(indexes: frozenset[str]) -> dict[str, list[list[str]]]:
    """Return keys in the notation of the command line, by the name of their collection."""
    found: dict[str, list[list[str]]] = {}
    for index in sorted(indexes):
        name, *parts = decode(f"{index}/")
        found.setdefault(str(name), []).append([show(part) for part in parts])
    return found


def _body_json(document: Document) -> dict[str, Any]:
    if document.content_type == "application/json":
        try:
            orjson.loads(document.body)
        except orjson.JSONDecodeError:
            pass
        else:
            return {"document": orjson.Fragment(document.body)}
    return {"base64": base64.b64encode(document.body).decode()}


def _readable(document: Document) -> str:
    try:
        return orjson.dumps(orjson.loads(document.body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        pass
    try:
        return document.body.decode()
    except UnicodeDecodeError:
        size, kind = len(document.body), document.content_type or "of an unknown type"
        msg = f"the document is no text but {size} bytes, {kind}: send them to a file, or give --json"
        raise Refused(msg) from None


async def count(
    session: Session,
    path: Path = None,
    *,
    fast: Annotated[
        bool, flag("--fast", help="Count names only; items that were removed count until a sweep.")
    ] = False,
) -> None:
    """Count the items of a manager, or the entries of a collection.

    Without arguments: the items of each manager. Items are read to be
    counted, since a removed one leaves a trace until it is swept; --fast
    reads none, with one request for each 1,000.

    Examples:
      ssshelf count
      ssshelf count bookmarks --fast
      ssshelf count bookmarks by-tag python
    """
    async with session.storage() as storage:
        if not path:
            counts = {
                name: await _count_items(session, storage, name, fast=fast) for name in await manager_names(storage)
            }
            if session.json:
                session.console.json(counts)
            else:
                session.console.table(">items", "manager").add(
                    (str(n), session.console.word(name)) for name, n in counts.items()
                )
            return
        manager, *rest = map(parse_text, path[:2])
        if rest:
            found = await _count_entries(session, storage, (manager, rest[0]), tuple(parse(part) for part in path[2:]))
        else:
            found = await _count_items(session, storage, manager, fast=fast)
    if session.json:
        session.console.json({"count": found})
    else:
        session.console.say(str(found))


async def _count_items(session: Session, storage: Storage, manager: str, *, fast: bool) -> int:
    found = 0
    with session.console.progress(f"counting {manager}") as report:
        if fast:
            async for scan in scans(storage, Layout(manager).items):
                found += len(scan.rows)
                report(Progress("names", found))
        else:
            async for page in items(storage, manager):
                found += len(page)
                report(Progress("items", found))
    return found


async def _count_entries(session: Session, storage: Storage, place: tuple[str, str], prefix: tuple[Part, ...]) -> int:
    found = 0
    with session.console.progress(f"counting {place[1]}") as report:
        async for more in count_entries(storage, place, prefix):
            found += more
            report(Progress("entries", found))
    return found
