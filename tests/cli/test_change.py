"""The commands that change items: under the conditions of the commit protocol, and nowhere half."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ssshelf import AlreadyExistsError, ConflictError, MemoryStorage
from ssshelf.cli.change import Write, put_document
from ssshelf.documents import Document, Documents
from ssshelf.storages.wrapper import WrapperStorage
from tests.cli.shop import Orders, shelf_at

if TYPE_CHECKING:
    from pathlib import Path

    from ssshelf import Key
    from ssshelf.storages.base import Entry, Storage
    from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("shelf")

ADA = '{"name":"Ada","email":"lovelace@example.org"}'
BOB = '{"name":"Bob","email":"bob@example.org"}'
NEW = "ssshelf: it is new and listed nowhere, since only its program knows where: give module:Class for that\n"
KEPT = "ssshelf: it stays listed where it was; `ssshelf reindex module:Class --force` lists it anew\n"


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Typed:
    return Typed(monkeypatch)


class Typed:
    """What a command reads."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def has(self, text: str) -> None:
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_document_is_replaced_and_stays_listed(ssshelf: Run, stdin: Typed) -> None:
    stdin.has(ADA)
    ended = ssshelf("put", "people", "Ada")
    item = ssshelf("get", "people", "Ada", "--json").json

    assert (ended.code, ended.out, ended.err) == (0, f"{item['rev']}\n", KEPT)
    assert item["rev"].startswith("2-")
    assert item["document"]["email"] == "lovelace@example.org"
    assert item["keys"] == {"by-email": [["Ada@example.org"]]}
    assert ssshelf("verify", "people").code == 0


def test_a_new_document_is_listed_nowhere(ssshelf: Run, stdin: Typed) -> None:
    stdin.has(BOB)
    ended = ssshelf("put", "people", "Bob", "--json")
    item = ssshelf("get", "people", "Bob", "--json").json

    assert (ended.code, ended.json, ended.err) == (0, {"pk": "Bob", "rev": item["rev"]}, NEW)
    assert (item["type"], item["keys"]) == ("application/json", {})


def test_with_its_class_an_item_is_listed_as_its_program_would(ssshelf: Run, stdin: Typed) -> None:
    for document, pk in ((ADA, "Ada"), (BOB, "Bob")):
        stdin.has(document)
        assert ssshelf("put", "shop:People", pk).err == ""

    assert [row[1:] for row in ssshelf("ls", "people", "by-email").rows] == [
        ["Bob", "bob@example.org"],
        ["Ada", "lovelace@example.org"],
    ]
    assert ssshelf("verify", "shop:People").code == 0


def test_a_unique_value_is_not_taken_twice(ssshelf: Run, stdin: Typed) -> None:
    stdin.has('{"name":"Bob","email":"Ada@example.org"}')

    ended = ssshelf("put", "shop:People", "Bob")

    assert (ended.code, ended.out) == (3, "")
    assert "is held by the item 'Ada'; nothing was written" in ended.err


@pytest.mark.parametrize("manager", ["people", "shop:People"])
def test_conditions(ssshelf: Run, stdin: Typed, manager: str) -> None:
    stdin.has(ADA)
    assert ssshelf("put", manager, "Ada", "--insert").code == 3
    stdin.has(ADA)
    assert ssshelf("put", manager, "Ada", "--expect", "1-0000000000000000").code == 3
    stdin.has(BOB)
    assert ssshelf("put", manager, "Bob", "--expect", "1-0000000000000000").code == 3
    stdin.has(BOB)
    rev = ssshelf("put", manager, "Bob", "--insert").out.strip()
    stdin.has(BOB)
    assert ssshelf("put", manager, "Bob", "--expect", rev).code == 0
    stdin.has(BOB)
    assert ssshelf("put", manager, "Bob", "--expect", rev).code == 3


@pytest.mark.parametrize(
    ("arguments", "document", "said"),
    [
        (("people", "Bob", "--insert", "--expect", "1-0"), BOB, "--insert and --expect exclude each other"),
        (("people", "Bob"), "{", "the document is no JSON (unexpected end of data"),
        (("people", ""), BOB, "a primary key may not be empty"),
        (("people", "x" * 2000), BOB, "the key is stored under a name of 2"),
        (("shop:People", "Ada"), BOB, "the document has the primary key 'Bob', not 'Ada'"),
        (("shop:People", "Bob"), "{", "the document is no item of People: JSONDecodeError: "),
        (("shop:People", "Bob", "--type", "x/y"), BOB, "--type is for documents without their class"),
        (
            ("shop:People", "Bob"),
            '{"name":"Bob"}',
            "the document is no item of People: KeyError: 'email' (in the key of collection 'by_email'",
        ),
        (("people", "Bob", "missing.json"), BOB, "missing.json: No such file or directory"),
    ],
)
def test_what_cannot_be_put_is_refused(
    ssshelf: Run, stdin: Typed, arguments: tuple[str, ...], document: str, said: str
) -> None:
    stdin.has(document)
    before = ssshelf("stat").out

    ended = ssshelf("put", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert ssshelf("stat").out == before


def test_documents_of_other_types(ssshelf: Run, stdin: Typed) -> None:
    stdin.has("no json")
    assert ssshelf("put", "notes", "one", "--type", "text/plain").code == 0
    stdin.has("still none")
    assert ssshelf("put", "notes", "one").code == 0

    assert ssshelf("get", "notes", "one").out == "still none"
    assert ssshelf("get", "notes", "one", "--json").json["type"] == "text/plain"


def test_a_shelf_is_made_when_something_is_put(ssshelf: Run, stdin: Typed, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    stdin.has(BOB)

    assert ssshelf("put", "people", "Bob", "--url", url).code == 0
    assert ssshelf("ls", "--url", url).out == "people\n"


def test_items_are_removed_with_their_listings(ssshelf: Run) -> None:
    ended = ssshelf("rm", "orders", "a1", 'json:"-two\\nlines \\u001b[31m"', "--yes")

    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert [row[2] for row in ssshelf("ls", "orders").rows] == ["a2"]
    assert [row[1] for row in ssshelf("ls", "orders", "by-tag").rows] == ["a2"]
    assert ssshelf("verify").code == 0


def test_what_was_not_there_is_told(ssshelf: Run) -> None:
    ended = ssshelf("rm", "orders", "a1", "b1", "b2", "a1", "--yes", "--json")

    assert (ended.code, ended.json) == (1, {"removed": ["a1"], "missing": ["b1", "b2"]})
    assert ended.err == "ssshelf: there was no b1 and 1 more\n"


def test_without_a_terminal_nothing_is_removed_unasked(ssshelf: Run, shelf: Path) -> None:
    ended = ssshelf("rm", "orders", "a1")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"ssshelf: Remove item a1 of orders from sqlite:///{shelf}: nobody is there to ask; give --yes\n"
    )
    assert ssshelf("get", "orders", "a1").code == 0


def test_a_primary_key_that_looks_like_an_option(ssshelf: Run, stdin: Typed) -> None:
    stdin.has("{}")
    assert ssshelf("put", "notes", "--", "--yes").code == 0

    assert ssshelf("ls", "notes").rows[0][2] == "text:--yes"
    assert ssshelf("get", "notes", "--", "--yes").out == "{}"
    assert ssshelf("get", "notes", "text:--yes").out == "{}"
    assert ssshelf("rm", "notes", "--yes", "--", "--yes").code == 0


async def orders_of(path: Path) -> list[str]:
    async with shelf_at(path) as storage:
        return [order["no"] async for order in Orders(storage).by_day.prefix()]


def test_the_program_sees_what_the_command_line_did(ssshelf: Run, shelf: Path) -> None:
    ssshelf("rm", "orders", "a1", "--yes")

    assert asyncio.run(orders_of(shelf)) == ["-two\nlines \x1b[31m", "a2"]


def test_rows_can_be_cut_and_given_to_another_command(shelf: Path) -> None:
    command = f"{sys.executable} -m ssshelf"
    line = f"{command} ls orders by-tag | cut -f 2 | sort -u | xargs -d '\\n' {command} rm -y orders"

    ended = subprocess.run(["/bin/sh", "-c", line], check=False)

    assert ended.returncode == 0
    assert asyncio.run(orders_of(shelf)) == []


class Overtaken(WrapperStorage):
    """A storage on which somebody else is faster once: right behind the first read of an item."""

    def __init__(self, inner: Storage, other: Document) -> None:
        super().__init__(inner)
        self._other: Document | None = other

    async def get(self, key: Key) -> Entry:
        try:
            return await super().get(key)
        finally:
            if (other := self._other) is not None:
                self._other = None
                await Documents(self.inner, "people").add_item(other)


@pytest.mark.parametrize("before", [[], [Document("Ada", b"1")]])
async def test_a_document_is_put_over_what_somebody_else_has_just_put(before: list[Document]) -> None:
    store = MemoryStorage()
    await Documents(store, "people").add_items(before)
    documents = Documents(Overtaken(store, Document("Ada", b"2", indexes=frozenset({"every!/Ada!"}))), "people")

    rev, hint = await put_document(documents, Write("Ada", b"3", None, insert=False, expect=None))

    found = await documents.get_item("Ada")
    assert (found.body, found.indexes) == (b"3", frozenset({"every!/Ada!"}))
    assert rev == f"{len(before) + 2}-{rev.partition('-')[2]}"
    assert hint.startswith("it stays listed where it was")


@pytest.mark.parametrize(("insert", "expected"), [(True, AlreadyExistsError), (False, ConflictError)])
async def test_a_condition_is_not_given_up_when_somebody_else_is_faster(
    insert: bool,  # noqa: FBT001  pytest gives it
    expected: type[Exception],
) -> None:
    store = MemoryStorage()
    first = None if insert else str(await Documents(store, "people").add_item(Document("Ada", b"1")))
    documents = Documents(Overtaken(store, Document("Ada", b"2")), "people")
    if insert:
        await Documents(store, "people").add_item(Document("Ada", b"2"))

    with pytest.raises(expected):
        await put_document(documents, Write("Ada", b"3", None, insert=insert, expect=first))
