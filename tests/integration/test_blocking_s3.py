"""Blocking managers on S3: connections belong to the event loop, and are closed quietly however a program ends."""

from __future__ import annotations

import pytest

from tests.programs import run
from tests.storages import BUCKET, unknown_s3_storage

PROGRAM = """
from ssshelf import DictItems
from ssshelf.blocking import CManager, Collection

class Bookmarks(CManager):
    item_manager = DictItems(pk="slug")
    every = Collection(lambda item: item["slug"])

def fill(shelf):
    print(shelf.add_items({"slug": f"b{n:02}"} for n in range(20)), next(shelf.every.prefix()))

"""


@pytest.mark.parametrize(
    "ending",
    [
        "with Bookmarks(url) as shelf: fill(shelf)",
        "fill(Bookmarks(url))",
        "shelf = Bookmarks(url); fill(shelf); rows = shelf.every.prefix(); next(rows)",
    ],
    ids=["closed", "forgotten", "left open"],
)
async def test_a_program_ends_quietly(ending: str, moto_url: str) -> None:
    async with unknown_s3_storage(moto_url) as storage:
        url = f"s3://{BUCKET}/{storage.prefix}?region=us-east-1&endpoint_url={moto_url}&addressing_style=path"

    assert run(f"{PROGRAM}url = {url!r}\n{ending}", dev=False) == "20 {'slug': 'b00'}\n"
