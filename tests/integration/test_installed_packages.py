"""The demo, on what is installed here: it answers what plain Python makes of the same metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from examples import installed_packages as demo
from examples.installed_packages import MOVED, Answer, Package, Packages
from tests.storages import SHELVES, open_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ssshelf.storages.base import Storage

Listing = list[tuple[str, object]]

INSTALLED = demo.installed()
SOME = {name: INSTALLED[name] for name in sorted({MOVED, *sorted(INSTALLED)[:20]})}


@pytest.fixture(params=SHELVES)
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    async with open_named(request.param, request) as storage:
        yield storage


def answers(packages: dict[str, Package]) -> list[Answer]:
    """Answer the questions without a shelf."""
    names = sorted(packages)
    mit = [name for name in names if "MIT" in packages[name]["licences"]]
    largest = sorted((-packages[name]["files"], name) for name in names)[:10]
    return [
        [("page 1", names[:12]), ("page 2", names[12:24])],
        [
            ("testing", [name for name in names if "testing" in packages[name]["keywords"]]),
            ("async…", [name for name in names if any(word[:5] == "async" for word in packages[name]["keywords"])]),
        ],
        [("in all", [str(len(mit))]), *((f"page {i // 30 + 1}", mit[i : i + 30]) for i in range(0, len(mit), 30))],
        [(f"{-files:,}", [f"{name}: {packages[name]['summary']}"]) for files, name in largest],
        [("p…", [name for name in names if name.startswith("p")])],
    ]


def listings(packages: dict[str, Package]) -> list[Listing]:
    """List the whole collections without a shelf."""
    by_name = [packages[name] for name in sorted(packages)]
    keywords = sorted({word for package in by_name for word in package["keywords"]})
    licences = sorted({licence for package in by_name for licence in package["licences"]})
    return [
        [(p["name"], p["version"]) for p in by_name],
        [(p["name"], p["keywords"]) for word in keywords for p in by_name if word in p["keywords"]],
        [(p["name"], p["licences"]) for licence in licences for p in by_name if licence in p["licences"]],
        [(p["name"], p["files"]) for p in sorted(by_name, key=lambda package: -package["files"])],
    ]


async def listed(shelf: Packages) -> list[Listing]:
    """List the whole collections."""
    return [
        [(p["name"], p["version"]) async for p in shelf.by_name.prefix()],
        [(p["name"], p["keywords"]) async for p in shelf.by_keyword.prefix()],
        [(p["name"], p["licences"]) async for p in shelf.by_licence.prefix()],
        [(p["name"], p["files"]) async for p in shelf.by_files.prefix()],
    ]


async def test_the_answers_are_those_of_plain_python(storage: Storage) -> None:
    shelf = Packages(storage)

    were_and_are = await demo.shelve(shelf, INSTALLED)

    assert were_and_are == (0, len(INSTALLED))
    assert [await question(shelf) for _, _, question in demo.QUESTIONS] == answers(INSTALLED)
    assert await listed(shelf) == listings(INSTALLED)


async def test_a_second_run_doubles_nothing_and_drops_what_is_gone(storage: Storage) -> None:
    shelf = Packages(storage)
    await demo.shelve(shelf, {**SOME, "uninstalled": {**INSTALLED[MOVED], "name": "uninstalled"}})

    were_and_are = await demo.shelve(shelf, SOME)

    assert were_and_are == (len(SOME) + 1, len(SOME))
    assert await listed(shelf) == listings(SOME)


async def test_the_update_is_seen_in_three_collections_until_it_is_taken_back(storage: Storage) -> None:
    shelf = Packages(storage)
    moved = {**SOME[MOVED]}
    demo.move(moved)
    await demo.shelve(shelf, SOME)
    before = await listed(shelf)

    revision = await shelf.update_item(MOVED, demo.move)
    after = await listed(shelf)
    places = await demo.places(shelf)
    await shelf.replace_item(SOME[MOVED], expect=revision)

    assert after == listings({**SOME, MOVED: moved})
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True, True]
    assert [found[0] for _, found in places] == [MOVED] * 3
    assert await listed(shelf) == before


async def test_three_runs_print_the_same_answers_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = f"sqlite:///{tmp_path}/packages.db"

    await demo.main([file, file, "memory://"], SOME)

    printed = capsys.readouterr().out
    assert [line[:41].split() for line in printed.splitlines() if line.startswith("There were")] == [
        f"There were {were} packages, there are {len(SOME)}".split() for were in (0, len(SOME), 0)
    ]
    assert printed.count("  by_files.get_items(limit=10)\n") == 1
    assert printed.count("Which have the most files? (same)") == 2


@pytest.mark.parametrize(
    ("text", "classifiers", "expected"),
    [
        ("", [], []),
        ("AWS, S3 ,async io,aws", [], ["async io", "aws", "s3"]),
        ("code Coverage testing", [], ["code", "coverage", "testing"]),
        (
            "",
            ["Topic :: Software Development :: Testing", "Framework :: AsyncIO", "Typing :: Typed"],
            ["asyncio", "software development", "testing"],
        ),
        ("x" * 2000, [], []),
    ],
)
def test_keywords_in_the_wild(text: str, classifiers: list[str], expected: list[str]) -> None:
    assert demo.keywords(text, classifiers) == expected


@pytest.mark.parametrize(
    ("expression", "text", "classifiers", "expected"),
    [
        ("MIT", "BSD", [], ["MIT"]),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", "", [], ["Apache-2.0", "MIT", "MPL-2.0"]),
        ("Apache-2.0 WITH LLVM-exception", "", [], ["Apache-2.0"]),
        ("", "BSD 2-Clause License", ["License :: OSI Approved :: BSD License"], ["BSD-2-Clause"]),
        ("", "The MIT License (MIT)\n\nCopyright 2012 …", [], ["MIT"]),
        ("", "", ["License :: OSI Approved :: Python Software Foundation License"], ["PSF-2.0"]),
        ("", "Dual License", ["License :: OSI Approved :: Apache Software License"], ["Apache-2.0"]),
        ("", "An example implementation", ["Topic :: Utilities"], ["unknown"]),
    ],
)
def test_licences_in_the_wild(expression: str, text: str, classifiers: list[str], expected: list[str]) -> None:
    assert demo.licences(expression, text, classifiers) == expected
