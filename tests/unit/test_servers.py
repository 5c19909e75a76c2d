"""Servers for the time of a test run."""

from __future__ import annotations

import sys

import pytest

from ssshelf.testing.servers import served


def test_a_server_that_ends_at_once_tells_why() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit(f'no port {sys.argv[1]} for me')"]

    with pytest.raises(RuntimeError, match=r"did not start.*\nno port \d+ for me"), served(command):
        pass
