"""What Heroku is given: complete in itself, installed from its requirements.txt, started by its Procfile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from .program import HOME, served

pytestmark = [pytest.mark.pypi, pytest.mark.timeout(600)]


def run(*command: str | Path, directory: Path) -> str:
    names = {
        f"GIT_{role}_{what}": f"{role}@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        command, cwd=directory, env={**os.environ, **names, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


async def test_what_heroku_is_given_runs(tmp_path: Path) -> None:
    tree, clone, python = tmp_path / "tree", tmp_path / "clone", tmp_path / "venv" / "bin" / "python"
    run(HOME / "heroku.sh", tree, directory=tmp_path)
    run("git", "clone", "--quiet", tree, clone, directory=tmp_path)  # what git push sends
    run(sys.executable, "-m", "venv", tmp_path / "venv", directory=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt", directory=clone)

    with served(f"sqlite:///{tmp_path / 'links.db'}", tmp_path / "log", clone, python) as server:
        async with httpx.AsyncClient(timeout=60) as client:
            made = await client.post(f"{server.url}/new/", json={"url": "https://example.org/", "slug": "it"})
            pages = [await client.get(f"{server.url}{path}") for path in ("/it/", "/", "/docs", "/static/style.css")]
        ended = server.end()

    where = run(python, "-c", "import ssshelf; print(ssshelf.__file__)", directory=clone)
    assert made.status_code == 201
    assert [page.status_code for page in pages] == [302, 200, 200, 200]
    assert ended
    assert where.startswith(str(tmp_path / "venv"))


def test_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        run(HOME / "heroku.sh", tmp_path / "tree", directory=tmp_path)

    assert run("git", "log", "--oneline", directory=tmp_path / "tree").count("\n") == 1
    assert run("git", "status", "--short", directory=tmp_path / "tree") == ""
