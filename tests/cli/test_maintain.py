"""The commands that keep a shelf in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_probe_tells_each_answer(ssshelf: Run) -> None:
    ended = ssshelf("probe", "--url", "memory://")

    assert ended.code == 0
    assert ["if_absent_refuses", "yes"] in ended.rows
    assert ["old_signature_refused", "not asked"] in ended.rows


def test_probe_for_programs(ssshelf: Run) -> None:
    ended = ssshelf("probe", "--url", "memory://", "--json")

    assert ended.code == 0
    assert (ended.json["fit"], ended.json["problems"], ended.json["etag_quoted"]) == (True, [], None)
