"""Shelves the packages that are installed beside this program, and asks five questions about them.

    python examples/installed_packages.py [URL ...]

Without arguments it runs on what SSSHELF_URL names, or else three times: on an SQLite file in the current folder, on
the same file again, and in memory. Each answer comes with the requests it took.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import textwrap
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeAlias

from ssshelf import CManager, Collection, Desc, DictItems, Page, ShelfError, open_storage
from ssshelf.storages.counting import CountingStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

Package: TypeAlias = dict[str, Any]
Answer: TypeAlias = list[tuple[str, list[str]]]
"""Lines of a label and the names of packages."""

FILE = "sqlite:///installed-packages.db"
WIDTH = min(100, shutil.get_terminal_size().columns)
LONGEST_KEYWORD = 60
COST, INDENT = 42, 13  # columns
PLACES = "by_keyword, by_licence, by_files: get_items(…)"
MOVED = "orjson"  # wherever ssshelf is, it is installed, too


class Packages(CManager[Package]):
    item_manager = DictItems(pk="name")
    by_name = Collection[Package](lambda package: package["name"])
    by_keyword = Collection[Package](lambda package: package["keywords"])
    by_licence = Collection[Package](lambda package: package["licences"])
    by_files = Collection[Package](lambda package: Desc(package["files"]))


# What is installed

LICENCES = {  # how a licence is written where there is no SPDX expression, the more specific first
    r"mit-0|no attribution": "MIT-0",
    r"\bmit\b|expat": "MIT",
    r"apache": "Apache-2.0",
    r"bsd.*\b2\b|\b2\b.*bsd|simplified": "BSD-2-Clause",
    r"bsd.*\b3\b|\b3\b.*bsd|\bnew bsd|modified bsd": "BSD-3-Clause",
    r"bsd": "BSD",
    r"mozilla|\bmpl": "MPL-2.0",
    r"python software|\bpsf": "PSF-2.0",
    r"affero|agpl": "AGPL",
    r"lesser|lgpl": "LGPL",
    r"gnu|gpl": "GPL",
    r"\bisc\b": "ISC",
    r"unlicense|public domain": "Unlicense",
    r"zlib": "Zlib",
}


def installed() -> dict[str, Package]:
    """Return what there is to know about every installed package, by its normalized name."""
    packages: dict[str, Package] = {}
    for distribution in metadata.distributions():
        package = _package(distribution)
        if package["name"]:
            packages.setdefault(package["name"], package)  # of two with one name, Python imports the first
    return packages


def _package(distribution: metadata.Distribution) -> Package:
    def field(name: str) -> list[str]:
        return distribution.metadata.get_all(name) or []

    links = [link.partition(",") for link in field("Project-URL")]
    return {
        "name": re.sub(r"[-_.]+", "-", "".join(field("Name"))).lower(),
        "version": "".join(field("Version")),
        "summary": " ".join(" ".join(field("Summary")).split()),
        "keywords": keywords("".join(field("Keywords")), field("Classifier")),
        "licences": licences("".join(field("License-Expression")), "".join(field("License")), field("Classifier")),
        "links": {label.strip(): url.strip() for label, _, url in links},
        "files": len(distribution.files or ()),
    }


def keywords(text: str, classifiers: Iterable[str]) -> list[str]:
    """Return the keywords of a package, and the topics and frameworks it is filed under."""
    words = text.split("," if "," in text else None)
    for classifier in classifiers:
        kind, *topics = classifier.split(" :: ")
        if kind in ("Topic", "Framework"):
            words += topics
    return sorted({word for word in map(str.strip, map(str.lower, words)) if 0 < len(word) <= LONGEST_KEYWORD})


def licences(expression: str, text: str, classifiers: Iterable[str]) -> list[str]:
    """Return the SPDX names of all licences that a package is under, or may be used under."""
    if expression:
        without_exceptions = re.sub(r"\bWITH\s+\S+", "", expression)
        return sorted(set(re.findall(r"[\w.+-]+", without_exceptions)) - {"AND", "OR"})
    said = [text[:100], *(classifier for classifier in classifiers if classifier.startswith("License ::"))]
    found = {name for line in said if (name := _licence(line.lower()))}
    if any(name.startswith("BSD-") for name in found):
        found.discard("BSD")
    return sorted(found) or ["unknown"]


def _licence(line: str) -> str | None:
    return next((name for pattern, name in LICENCES.items() if re.search(pattern, line)), None)


# The questions


async def first_pages(shelf: Packages) -> Answer:
    return numbered(await pages(partial(shelf.by_name.get_items, limit=12), most=2))


async def testing_or_async(shelf: Packages) -> Answer:
    testing = await shelf.by_keyword.get_items(prefix="testing")
    beginning_with_async = await shelf.by_keyword.get_items(start="async", stop="asynd")
    return [("testing", names(testing)), ("async…", sorted(set(names(beginning_with_async))))]


async def under_mit(shelf: Packages) -> Answer:
    count = await shelf.by_licence.count("MIT")
    listed = await pages(partial(shelf.by_licence.get_items, limit=30, prefix="MIT"))
    return [("in all", [str(count)]), *numbered(listed)]


async def most_files(shelf: Packages) -> Answer:
    page = await shelf.by_files.get_items(limit=10)
    return [(f"{package['files']:,}", [f"{package['name']}: {package['summary']}"]) for package in page]


async def from_p_to_q(shelf: Packages) -> Answer:
    return [("p…", names(await shelf.by_name.get_items(start="p", stop="q")))]


QUESTIONS: list[tuple[str, str, Callable[[Packages], Awaitable[Answer]]]] = [
    ("Which packages are there?", "by_name.get_items(limit=12, after=page.after)", first_pages),
    ("What is for testing, or async?", 'by_keyword.get_items(prefix="testing")', testing_or_async),
    ("Which are under MIT?", 'by_licence.get_items(prefix="MIT", limit=30, after=page.after)', under_mit),
    ("Which have the most files?", "by_files.get_items(limit=10)", most_files),
    ("Whose names begin with p?", 'by_name.get_items(start="p", stop="q")', from_p_to_q),
]


async def pages(read: Callable[..., Awaitable[Page[Package]]], most: int = sys.maxsize) -> list[Page[Package]]:
    """Read page after page."""
    found = [await read()]
    while found[-1].after is not None and len(found) < most:
        found.append(await read(after=found[-1].after))
    return found


def numbered(found: Iterable[Page[Package]]) -> Answer:
    return [(f"page {number}", names(page)) for number, page in enumerate(found, 1)]


def names(packages: Iterable[Package]) -> list[str]:
    return [package["name"] for package in packages]


# The changes


async def shelve(shelf: Packages, packages: dict[str, Package]) -> tuple[int, int]:
    """Have the shelf hold exactly ``packages``; return how many there were, and how many there are."""
    there = names([package async for package in shelf.by_name.prefix()])
    await shelf.remove_items(name for name in there if name not in packages)
    await shelf.add_items(packages.values())
    return len(there), await shelf.by_name.count()


def move(package: Package) -> None:
    package.update(keywords=["moved"], licences=["0BSD"], files=package["files"] + 1_000_000)


async def places(shelf: Packages) -> Answer:
    """Return who is listed where ``move`` moves a package to."""
    return [
        ("moved", names(await shelf.by_keyword.get_items(prefix="moved"))),
        ("0BSD", names(await shelf.by_licence.get_items(prefix="0BSD"))),
        ("files", names(await shelf.by_files.get_items(limit=5))),
    ]


# The output


async def tour(storage: CountingStorage, packages: dict[str, Package]) -> AsyncIterator[tuple[str, str, Answer]]:
    """Do everything once; yield for each step what it was for, how it was done, and the answer."""
    shelf = Packages(storage)
    were, are = await shelve(shelf, packages)
    yield f"There were {were} packages, there are {are}", "add_items(packages)", []
    for what, how, question in QUESTIONS:
        yield what, how, await question(shelf)
    yield "Before an update", PLACES, await places(shelf)
    revision = await shelf.update_item(MOVED, move)
    yield "The update", f'update_item("{MOVED}", move)', []
    yield "After it", PLACES, await places(shelf)
    await shelf.replace_item(packages[MOVED], expect=revision)
    yield "Back, if nobody has changed it since", "replace_item(package, expect=revision)", []
    yield "In the end", PLACES, await places(shelf)


async def main(urls: Iterable[str], packages: dict[str, Package]) -> None:
    shown: list[tuple[str, Answer]] = []
    for url in urls:
        async with CountingStorage(open_storage(url)) as storage:
            print(f"\n{url}\n{'-' * len(url)}")
            async for what, how, answer in tour(storage, packages):
                again = (how, answer) in shown
                title = f"{what} (same)" if again and answer else what
                print(f"{title:{WIDTH - COST}}{storage!s:>{COST}}")
                if not again:
                    show(how, answer)
                    shown.append((how, answer))
                storage.reset()


def show(how: str, answer: Answer) -> None:
    print(f"  {how}")
    for label, found in answer:
        text = ", ".join(found) or "nobody"
        if len(found) == 1:
            text = textwrap.shorten(text, WIDTH - INDENT, placeholder="…")
        begin = f"{label:>{INDENT - 2}}  "
        print(textwrap.fill(text, WIDTH, initial_indent=begin, subsequent_indent=" " * INDENT, break_on_hyphens=False))


if __name__ == "__main__":
    default = [os.environ["SSSHELF_URL"]] if os.environ.get("SSSHELF_URL") else [FILE, FILE, "memory://"]
    try:
        asyncio.run(main(sys.argv[1:] or default, installed()))
    except (ShelfError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
