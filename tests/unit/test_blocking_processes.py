"""Blocking managers at the borders of a process: forks, interrupts, its end, notebooks."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.programs import run

BEGIN = """
import asyncio, os, signal, sys, threading, warnings
from ssshelf import DictItems, MemoryStorage
from ssshelf.blocking import CManager, Collection
from ssshelf.storages.wrapper import WrapperStorage

class Bookmarks(CManager):
    item_manager = DictItems(pk="slug")
    every = Collection(lambda item: item["slug"])
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shelf.db"


def script(program: str) -> str:
    return run(BEGIN + textwrap.dedent(program))


def test_a_manager_that_is_left_open_is_closed_quietly_when_the_process_ends(url: str) -> None:
    out = script(f"""
        shelf = Bookmarks("{url}")
        shelf.add_items({{"slug": f"b{{n}}"}} for n in range(300))
        rows = shelf.every.prefix()
        print(next(rows))
    """)
    assert out == "{'slug': 'b0'}\n"


def test_many_managers_that_are_forgotten_are_closed_quietly(url: str) -> None:
    out = script(f"""
        for n in range(5):
            print(Bookmarks("{url}").add_item({{"slug": "a"}})[:2])
    """)
    assert out.split() == ["1-", "2-", "3-", "4-", "5-"]


def test_what_was_opened_before_a_fork_is_refused_in_the_child_and_goes_on_in_the_parent(url: str) -> None:
    out = script(f"""
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        with Bookmarks("{url}") as shelf:
            shelf.add_item({{"slug": "a"}})
            child = os.fork()
            if child == 0:
                for call in (lambda: shelf.get_item("a"), shelf.every.get_items, lambda: next(shelf.every.prefix())):
                    try:
                        call()
                    except ValueError as error:
                        print(error, flush=True)
                with Bookmarks("{url}") as mine:
                    print(mine.get_item("a"), flush=True)
                sys.exit()
            assert os.waitpid(child, 0)[1] == 0
            print(shelf.get_item("a"))
    """)
    assert out.splitlines() == [
        *["this was opened before a fork: open it again in each process"] * 3,
        "{'slug': 'a'}",
        "{'slug': 'a'}",
    ]


def test_an_interrupted_write_leaves_everything_consistent() -> None:
    out = script("""
        class Interrupting(WrapperStorage):
            left = 0

            async def put(self, key, data, *, condition=None):
                etag = await super().put(key, data, condition=condition)
                self.left -= 1
                if not self.left:
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                    await asyncio.Event().wait()
                return etag

        inner = MemoryStorage(transactions=False)
        storage = Interrupting(inner)
        with Bookmarks(storage) as shelf:
            for left in (1, 2):
                storage.left = left
                try:
                    shelf.add_item({"slug": "a"})
                except KeyboardInterrupt:
                    print("interrupted", shelf.find_item("a"), len(list(shelf.every.prefix())), shelf.verify().is_sound)
            shelf.add_item({"slug": "a"})
            print(shelf.get_item("a"), shelf.every.count() >= 1, shelf.verify().is_sound)
    """)
    assert out.splitlines() == [
        "interrupted None 0 True",
        "interrupted {'slug': 'a'} 1 True",
        "{'slug': 'a'} True True",
    ]


def test_a_cell_of_a_notebook_may_block(url: str) -> None:
    out = script(f"""
        async def cell():  # as a notebook runs it
            with Bookmarks("{url}") as shelf:
                shelf.add_item({{"slug": "a"}})
                print(list(shelf.every.prefix()))

        asyncio.run(cell())
    """)
    assert out == "[{'slug': 'a'}]\n"


def test_importing_the_blocking_classes_is_light() -> None:
    out = script("""
        print(sorted({"aiobotocore", "msgspec", "rich"} & sys.modules.keys()), threading.active_count())
    """)
    assert out == "[] 1\n"


def test_an_iterator_keeps_open_the_manager_that_nobody_else_holds(url: str) -> None:
    out = script(f"""
        with Bookmarks("{url}") as shelf:
            shelf.add_items({{"slug": f"b{{n}}"}} for n in range(700))
            del shelf
        print(len(list(Bookmarks("{url}").every.prefix())), len(list(Bookmarks("{url}").findings())))
    """)
    assert out == "700 0\n"
