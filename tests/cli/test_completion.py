"""What a shell offers at Tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ssshelf.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ["ls", "get", "count", "stat", "put", "rm", "verify", "sweep", "reindex", "probe", "bench"]


def offered(words: str, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what bash is told to offer for the last of ``words``, which may be empty."""
    for name, value in (
        ("_SSSHELF_COMPLETE", "complete_bash"),
        ("COMP_WORDS", words),
        ("COMP_CWORD", str(words.count(" "))),
    ):
        patch.setenv(name, value)
    with pytest.raises(SystemExit):
        run([])
    return capsys.readouterr().out.split()


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ssshelf ", COMMANDS),
        ("ssshelf s", ["stat", "sweep"]),
        ("ssshelf ls ", ["orders", "people"]),
        ("ssshelf ls o", ["orders"]),
        ("ssshelf ls orders ", ["by-day", "by-tag"]),
        ("ssshelf ls orders by-tag n", []),
        ("ssshelf verify orders p", ["people"]),
        ("ssshelf rm p", ["people"]),
        ("ssshelf stat --pri", ["--price-gb-month"]),
    ],
)
def test_names_are_completed(
    words: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(expected) <= set(found := offered(words, monkeypatch, capsys))
    assert len(found) == len(expected) or expected == COMMANDS


@pytest.mark.parametrize("words", ["ssshelf --url {} ls ", "ssshelf ls --url {} "])
def test_names_of_the_storage_that_is_named(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.delenv("SSSHELF_URL")

    assert offered(words.format(f"sqlite:///{shelf}"), monkeypatch, capsys) == ["orders", "people"]


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite:///missing.db", "s3://b/?endpoint_url=http://127.0.0.1:1"])
def test_a_store_that_does_not_tell_is_no_error(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SSSHELF_URL", url)

    assert offered("ssshelf ls ", monkeypatch, capsys) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_completion_for(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["--show-completion", shell])

    assert "_SSSHELF_COMPLETE" in capsys.readouterr().out
