"""The commands that look into a shelf; what they print for programs is compared whole."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ssshelf import CManager, Collection, DictItems
from ssshelf.keys import Key
from ssshelf.storages.sqlite import SQLiteStorage
from tests.cli.shop import NOON, ODD, shelf_at

if TYPE_CHECKING:
    from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("shelf")

AT = "2024-05-01T12:00:00Z"
ODD_SHOWN = 'json:"-two\\nlines \\u001b[31m"'
BY_TAG = [
    [AT, "a1", "new", "number:1"],
    [AT, "a2", "new", "number:2.5"],
    [AT, ODD_SHOWN, "text:number:5", "number:3"],
    [AT, "a1", "two words", "number:1"],
    [AT, ODD_SHOWN, "é", "number:3"],
]


async def put(path: Path, text: str, data: bytes) -> None:
    async with shelf_at(path) as storage:
        await storage.put(Key.from_text(text), data)


def test_managers_and_their_collections(ssshelf: Run) -> None:
    assert ssshelf("ls").out == "orders\tby-day\tby-tag\npeople\tby-email\n"


def test_managers_for_programs(ssshelf: Run) -> None:
    assert ssshelf("ls", "--json").json_lines == [
        {"manager": "orders", "collections": ["by-day", "by-tag"]},
        {"manager": "people", "collections": ["by-email"]},
    ]


def test_items_without_those_that_were_removed(ssshelf: Run) -> None:
    assert ssshelf("ls", "people").out == f"40\t{AT}\tAda\n"
    assert ssshelf("ls", "orders").rows == [["127", AT, ODD_SHOWN], ["109", AT, "a1"], ["99", AT, "a2"]]


def test_items_for_programs(ssshelf: Run) -> None:
    odd, first, _ = ssshelf("ls", "orders", "--json").json_lines

    assert odd["pk"] == ODD
    assert first["rev"].startswith("1-")
    del first["rev"]
    about = {"pk": "a1", "size": 109, "modified": AT, "n": 1, "type": "application/json"}
    assert first == {**about, "after": "a1"}


@pytest.mark.parametrize(
    ("parts", "rows"),
    [
        ((), BY_TAG),
        (("new",), BY_TAG[:2]),
        (("new", "number:2.5"), BY_TAG[1:2]),
        (("text:number:5",), BY_TAG[2:3]),
        (("two words",), BY_TAG[3:4]),
    ],
)
def test_entries_under_leading_parts(ssshelf: Run, parts: tuple[str, ...], rows: list[list[str]]) -> None:
    ended = ssshelf("ls", "orders", "by-tag", *parts)
    counted = ssshelf("count", "orders", "by-tag", *parts)

    assert (ended.code, ended.rows) == (0, rows)
    assert (counted.code, counted.out) == (0, f"{len(rows)}\n")


def test_what_is_printed_of_a_row_finds_it_again(ssshelf: Run) -> None:
    for _, pk, *parts in BY_TAG:
        assert ssshelf("ls", "orders", "by-tag", *parts).rows == [[AT, pk, *parts]]
        assert ssshelf("get", "orders", pk).code == 0


@pytest.mark.parametrize("place", [("orders",), ("orders", "by-tag"), ("orders", "by-tag", "new")])
def test_pages_of_one_row_are_the_whole_listing(ssshelf: Run, place: tuple[str, ...]) -> None:
    whole = ssshelf("ls", *place, "--json").json_lines

    paged: list[object] = []
    page = ssshelf("ls", *place, "--json", "--limit", "1")
    while page.err:
        cursor = shlex.split(page.err)[-1]
        paged += page.json_lines
        page = ssshelf("ls", *place, "--json", "--limit", "1", "--after", cursor)

    assert page.code == 0
    assert [*paged, *page.json_lines] == whole


def test_a_page_ends_with_how_to_go_on(ssshelf: Run) -> None:
    ended = ssshelf("ls", "orders", "--limit", "2")

    assert (len(ended.rows), ended.err) == (2, "more follow: --all, or --after a1\n")
    assert ssshelf("ls", "orders", "--limit", "3").err == ""
    assert ssshelf("ls", "orders", "--after", "a1").rows == [["99", AT, "a2"]]


def test_the_cursor_of_another_listing_is_refused(ssshelf: Run) -> None:
    row, *_ = ssshelf("ls", "orders", "by-tag", "--json").json_lines

    ended = ssshelf("ls", "orders", "by-day", "--after", row["after"])

    assert (ended.code, ended.out) == (2, "")
    assert "--after is not of this listing" in ended.err


@pytest.mark.parametrize("place", [("nobody",), ("orders", "nothing"), ("orders", "by-tag", "old")])
def test_nothing_is_told_by_the_exit_code(ssshelf: Run, place: tuple[str, ...]) -> None:
    ended = ssshelf("ls", *place)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "ssshelf: nothing is listed there; `ssshelf ls` shows what there is\n"
    assert ssshelf("count", *place).out == "0\n"


async def empty(path: Path) -> None:
    async with SQLiteStorage(path) as storage:
        await storage.scan(Key())


def test_an_empty_shelf(ssshelf: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(empty(tmp_path / "empty.db"))
    monkeypatch.setenv("SSSHELF_URL", f"sqlite:///{tmp_path}/empty.db")

    assert [ssshelf(command).code for command in ("ls", "count", "stat", "verify")] == [1, 0, 1, 0]
    assert ssshelf("ls").err == "ssshelf: there is nothing on this shelf\n"
    assert ssshelf("count", "--json").json == {}
    assert ssshelf("stat", "--json").json["total"] == {"objects": 0, "bytes": 0, "dollars_per_month": 0.0}


def test_a_part_that_is_none_is_refused(ssshelf: Run) -> None:
    ended = ssshelf("ls", "orders", "by-tag", "number:five")

    assert ended.code == 2
    assert ended.err == "ssshelf: number:five is no number: write it like 5, -2.5 or 1e9\n"


def test_counting_reads_items_or_only_names(ssshelf: Run) -> None:
    assert ssshelf("count").out == "3\torders\n1\tpeople\n"
    assert ssshelf("count", "--json").json == {"orders": 3, "people": 1}
    assert ssshelf("count", "people").out == "1\n"
    assert ssshelf("count", "people", "--json").json == {"count": 1}
    assert ssshelf("count", "people", "--fast").out == "2\n"


DOCUMENT = (
    '{"no":"a1","at":{"$datetime":"2024-05-02T12:00:00+00:00"},"price":1,"tags":["new","two words"],"city":"Bern"}'
)


def test_a_document_comes_as_it_is_stored(ssshelf: Run) -> None:
    assert ssshelf("get", "orders", "a1").out == DOCUMENT


def test_all_that_is_known_of_an_item(ssshelf: Run) -> None:
    item = ssshelf("get", "people", "Ada", "--json").json

    assert item.pop("rev").startswith("1-")
    assert item == {
        "manager": "people",
        "pk": "Ada",
        "type": "application/json",
        "size": 40,
        "keys": {"by-email": [["Ada@example.org"]]},
        "unique": {"by-email": [["Ada@example.org"]]},
        "document": {"name": "Ada", "email": "Ada@example.org"},
    }


def test_a_document_that_is_no_json(ssshelf: Run, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\x00")
    ssshelf("put", "pictures", "one", str(tmp_path / "picture"), "--type", "image/x")

    item = ssshelf("get", "pictures", "one", "--json").json

    assert (item["type"], item["base64"], "document" in item) == ("image/x", "/wA=", False)


@pytest.mark.parametrize("pk", ["nobody", "Eve", "number:5"])
def test_an_item_that_is_not_there(ssshelf: Run, pk: str) -> None:
    ended = ssshelf("get", "people", pk)

    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("ssshelf: nothing is stored under items!/people!/")


def test_what_cannot_be_read_is_shown_as_such_and_does_not_hide_the_others(ssshelf: Run, shelf: Path) -> None:
    asyncio.run(put(shelf, "items!/people!/Bob!", b"no envelope"))
    asyncio.run(put(shelf, "items!/people!/Cid!/deeper!", b"no envelope"))
    reason = "(not the stored form of an item)"

    listed = ssshelf("ls", "people")
    told = ssshelf("get", "people", "Bob")

    assert listed.rows == [
        ["40", AT, "Ada"],
        ["?", AT, "Bob", reason],
        ["?", AT, "items!/people!/Cid!/deeper!", reason],
    ]
    assert ssshelf("ls", "people", "--json").json_lines[1]["error"] == reason[1:-1]
    assert (told.code, told.err) == (7, f"ssshelf: items!/people!/Bob!: {reason[1:-1]}\n")


def test_what_something_else_has_written_is_left_out(ssshelf: Run, shelf: Path) -> None:
    foreign = [
        "README.md",
        "logs/2024/05/01.gz",
        "items!/strange name!/x!",
        "collections!/orders!/by-tag!/nonsense",
        "collections!/orders!/by-tag!/new!/%!/!-a1!/1-0!",
        "zzz",
    ]
    for text in foreign:
        asyncio.run(put(shelf, text, b"12345"))

    assert ssshelf("ls").out == "orders\tby-day\tby-tag\npeople\tby-email\n"
    assert ssshelf("ls", "orders", "by-tag").rows == BY_TAG
    other = [total for total in ssshelf("stat", "--json").json["by"] if total["kind"] == "other"]
    assert [(total["manager"], total["objects"], total["bytes"]) for total in other] == [("", 4, 20)]


STAT = """\
orders\titems\t-\t3\t{orders}\t{cost}
orders\tentries\tby-day\t3\t0\t0.0000
orders\tentries\tby-tag\t5\t0\t0.0000
people\titems\t-\t2\t410\t0.0000
people\tentries\tby-email\t1\t0\t0.0000
people\tclaims\tby-email\t1\t52\t0.0000
-\ttotal\t-\t15\t{total}\t{cost}

256\t1
1024\t4
"""


def test_statistics(ssshelf: Run) -> None:
    assert ssshelf("stat").out == STAT.format(orders=1001, total=1463, cost="0.0000")


def test_statistics_of_one_manager_at_a_price(ssshelf: Run) -> None:
    ended = ssshelf("stat", "people", "--json", "--price-gb-month", str(2**30))

    assert ended.json["total"] == {"objects": 4, "bytes": 462, "dollars_per_month": 462.0}
    assert {total["manager"] for total in ended.json["by"]} == {"people"}
    assert ended.json["item_sizes"] == [{"below": 256, "items": 1}, {"below": 1024, "items": 1}]


def test_entries_tell_what_they_cover(ssshelf: Run, tmp_path: Path) -> None:
    class Shop(CManager[dict[str, Any]]):
        item_manager = DictItems(pk="no", name="shop")
        by_name = Collection[dict[str, Any]](lambda item: item["name"], covers=("price", "at"))

    async def fill_shop() -> None:
        async with shelf_at(tmp_path / "covering.db") as storage:
            await Shop(storage).add_item({"no": "a", "name": "pen", "price": 2.5, "at": NOON})

    asyncio.run(fill_shop())
    (entry,) = ssshelf("ls", "shop", "by-name", "--json", "--url", f"sqlite:///{tmp_path}/covering.db").json_lines

    assert entry["covers"] == {"at": {"$datetime": "2024-05-01T12:00:00+00:00"}, "price": 2.5}


@pytest.fixture
def with_shards(shelf: Path) -> dict[str, str]:
    """Return the shards of some items whose collection has some."""

    class Events(CManager[dict[str, Any]]):
        item_manager = DictItems(pk="no", name="events")
        by_kind = Collection[dict[str, Any]](lambda event: (event["kind"], event["no"]), shards=4)

    async def fill_events() -> dict[str, str]:
        async with shelf_at(shelf) as storage:
            await Events(storage).add_items({"no": f"{no}", "kind": "odd" if no % 2 else "even"} for no in range(12))
            entries = (await storage.scan(Key("collections", "events"))).rows
            return {str(row.key.parts[5]): row.key.parts[3].value for row in entries}  # type: ignore[union-attr]

    return asyncio.run(fill_events())


def test_a_collection_with_shards_is_listed_shard_after_shard(ssshelf: Run, with_shards: dict[str, str]) -> None:
    rows = sorted([f"leaf:{shard}", "odd" if int(no) % 2 else "even", no] for no, shard in with_shards.items())
    odd = [row for row in rows if row[1] == "odd"]

    assert len(set(with_shards.values())) == 4
    assert [row[2:] for row in ssshelf("ls", "events", "by-kind").rows] == rows
    assert [row[2:] for row in ssshelf("ls", "events", "by-kind", "odd").rows] == odd
    assert ssshelf("ls", "events", "by-kind", *rows[0]).rows == [[AT, rows[0][2], *rows[0]]]
    assert ssshelf("count", "events", "by-kind", "odd").out == "6\n"
    assert ssshelf("ls", "events", "by-kind", "none").code == 1


@pytest.mark.parametrize("limit", ["1", "2", "5", "6"])
def test_pages_go_on_from_shard_to_shard(ssshelf: Run, with_shards: dict[str, str], limit: str) -> None:
    place = ("events", "by-kind", "odd", "--json")
    assert with_shards
    whole = ssshelf("ls", *place).json_lines

    page = ssshelf("ls", *place, "--limit", limit)
    paged = page.json_lines
    while page.err:
        page = ssshelf("ls", *place, "--limit", limit, "--after", shlex.split(page.err)[-1])
        assert page.code == 0
        paged += page.json_lines

    assert paged == whole


def test_the_cursor_of_another_listing_is_refused_with_shards_too(ssshelf: Run, with_shards: dict[str, str]) -> None:
    assert with_shards
    row, *_ = ssshelf("ls", "events", "by-kind", "even", "--json").json_lines

    assert ssshelf("ls", "events", "by-kind", "odd", "--after", row["after"]).code == 2
