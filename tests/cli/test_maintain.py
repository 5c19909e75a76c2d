"""The commands that keep a shelf in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ssshelf.keys import Key
from tests.cli.shop import shelf_at

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("shelf")

LISTED = "collections!/orders!/by-tag!/new!/!3p5011!/!-a1!/"


async def change(path: Path, put: dict[str, bytes], delete_under: Key | None = None) -> None:
    """Do behind everybody's back what a disk, or another program, could."""
    async with shelf_at(path) as storage:
        for text, data in put.items():
            await storage.put(Key.from_text(text), data)
        if delete_under is not None:
            await storage.delete_many([row.key for row in (await storage.scan(delete_under)).rows])


def test_a_clean_shelf_is_told_of_on_stderr_only(ssshelf: Run) -> None:
    ended = ssshelf("verify")

    assert (ended.code, ended.out) == (0, "")
    assert ended.err == (
        "orders: clean; items 3, entries 8, unique values 0, removed items 0\n"
        "people: clean; items 1, entries 1, unique values 1, removed items 1\n"
    )


def test_garbage_is_told_and_is_nothing_wrong(ssshelf: Run, shelf: Path) -> None:
    asyncio.run(change(shelf, {f"{LISTED}9-0000000000000000!": b""}))

    ended = ssshelf("verify", "orders")

    assert (ended.code, ended.rows) == (0, [["stale entry", f"{LISTED}9-0000000000000000!"]])
    assert ended.err.startswith("orders: 0 wrong, 1 garbage; ")


def test_what_is_wrong_is_told_by_the_exit_code(ssshelf: Run, shelf: Path) -> None:
    asyncio.run(change(shelf, {"items!/people!/Bob!": b"nonsense"}, Key("collections", "orders", "by-day")))

    ended = ssshelf("verify")
    as_json = ssshelf("verify", "people", "--json")

    assert ended.code == 1
    assert [row[0] for row in ended.rows] == ["missing entry"] * 3 + ["unreadable"]
    assert ended.err.splitlines()[-1].startswith("ssshelf: not all is in order: ")
    assert as_json.code == 1
    assert as_json.json["sound"] is False
    assert as_json.json["managers"][0]["counts"]["unreadable"] == 1
    assert as_json.json["managers"][0]["findings"] == [
        {
            "kind": "unreadable",
            "key": "items!/people!/Bob!",
            "reason": "not the stored form of an item",
            "modified": "2024-05-01T12:00:00Z",
        }
    ]


def test_a_class_knows_what_its_collections_lack(ssshelf: Run) -> None:
    before = ssshelf("verify", "shop:OrdersByCity")
    done = ssshelf("reindex", "shop:OrdersByCity", "--json")
    after = ssshelf("verify", "shop:OrdersByCity")

    assert (before.code, [row[0] for row in before.rows]) == (1, ["outdated"] * 3)
    assert (done.code, done.json) == (0, {"items": 3, "changed": 3, "failed": 0, "errors": []})
    assert after.code == 0
    assert ssshelf("count", "orders", "by-city", "Bern").out == "3\n"


def test_a_reindex_that_is_done_is_not_done_again_unless_forced(ssshelf: Run) -> None:
    ssshelf("reindex", "shop:OrdersByCity")

    again = ssshelf("reindex", "shop:OrdersByCity")
    forced = ssshelf("reindex", "shop:OrdersByCity", "--force")

    assert again.err == "items looked at 0, listed anew 0, failed 0; --force does it in any case\n"
    assert forced.err == "items looked at 3, listed anew 3, failed 0\n"


def test_listings_that_a_class_does_not_declare_are_not_dropped_unasked(ssshelf: Run) -> None:
    ssshelf("reindex", "shop:OrdersByCity")

    refused = ssshelf("reindex", "shop:Orders", "--force")
    done = ssshelf("reindex", "shop:Orders", "--force", "--yes")

    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("ssshelf: Drop the listings by-city, which shop:Orders does not declare: nobody is")
    assert done.code == 0
    assert ssshelf("ls").rows[0] == ["orders", "by-day", "by-tag"]


def test_items_that_cannot_be_listed_are_named(ssshelf: Run, shelf: Path) -> None:
    asyncio.run(change(shelf, {"items!/orders!/b1!": b"nonsense"}))

    ended = ssshelf("reindex", "shop:OrdersByCity")

    assert (ended.code, ended.rows) == (
        1,
        [["items!/orders!/b1!", "items!/orders!/b1!: not the stored form of an item"]],
    )


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("orders", "'orders' is no class: write module:Class, such as shop.models:Orders"),
        ("nonsense:Orders", "nonsense:Orders cannot be used: ModuleNotFoundError: No module named 'nonsense'"),
        ("shop:Nothing", "shop:Nothing cannot be used: AttributeError: module 'shop' has no attribute 'Nothing'"),
        ("shop:fill", "shop:fill is no subclass of ssshelf.CManager"),
        ("shop:Broken", "shop:Broken cannot be used: KeyError: 'no such setting'"),
    ],
)
def test_a_class_that_is_none_is_one_line(ssshelf: Run, program: str, said: str) -> None:
    ended = ssshelf("reindex", program)

    assert (ended.code, ended.out, ended.err) == (2, "", f"ssshelf: {said}\n")


def test_a_sweep_removes_garbage(ssshelf: Run, shelf: Path) -> None:
    asyncio.run(change(shelf, {f"{LISTED}9-0000000000000000!": b""}))

    ended = ssshelf("sweep", "--yes")

    assert (ended.code, ended.rows) == (0, [["3", "1", "0", "0", "0", "orders"], ["2", "0", "1", "0", "0", "people"]])
    assert ssshelf("verify").err.count("clean") == 2


def test_a_sweep_for_programs(ssshelf: Run) -> None:
    ended = ssshelf("sweep", "people", "--yes", "--json", "--grace", "86400")

    assert ended.json == {
        "managers": [{"manager": "people", "items": 2, "entries": 0, "tombstones": 1, "claims": 0, "too_young": 0}]
    }


def test_a_sweep_asks(ssshelf: Run, shelf: Path) -> None:
    ended = ssshelf("sweep")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"ssshelf: Sweep orders, people of sqlite:///{shelf}: nobody is there to ask; give --yes\n"


def test_a_grace_that_is_too_short_is_refused(ssshelf: Run) -> None:
    ended = ssshelf("sweep", "--yes", "--grace", "1")

    assert (ended.code, ended.out) == (2, "")
    assert "--grace must be at least 60 here" in ended.err


def test_probe_tells_each_answer(ssshelf: Run) -> None:
    ended = ssshelf("probe", "--url", "memory://")

    assert ended.code == 0
    assert ["if_absent_refuses", "yes"] in ended.rows
    assert ["old_signature_refused", "not asked"] in ended.rows


def test_probe_for_programs(ssshelf: Run) -> None:
    ended = ssshelf("probe", "--url", "memory://", "--json")

    assert ended.code == 0
    assert (ended.json["fit"], ended.json["problems"], ended.json["etag_quoted"]) == (True, [], None)
