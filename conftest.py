"""The examples of the README, of the docs and of docstrings are tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sybil import Sybil
from sybil.parsers.rest import DocTestParser, SkipParser

from tests.examples import ConsoleParser, PythonParser

if TYPE_CHECKING:
    from collections.abc import Iterator


pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run the examples of one document in an empty directory, as a reader would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("workspace"))
        patch.setenv("SSSHELF_URL", "")  # so that it is as it was in the end, whatever an example exports
        patch.delenv("SSSHELF_URL")
        yield


pytest_collect_file = Sybil(
    parsers=[DocTestParser(), PythonParser(), ConsoleParser(), SkipParser()],
    patterns=["*.rst", "ssshelf/*.py", "ssshelf/cli/*.py"],
    excludes=["examples/*/*"],  # they have tests of their own
    fixtures=["workspace"],
).pytest()
