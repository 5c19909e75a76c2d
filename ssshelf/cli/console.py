"""Where a command writes: answers to stdout, for people or as JSON; messages, questions and progress to stderr."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from ssshelf.cli.failures import Exit, Refused
from ssshelf.cli.notation import printable, show_text
from ssshelf.maintenance import Progress, Report

__all__ = ["Console", "Table"]

_JSON = orjson.OPT_UTC_Z
_UNIT = 1024
_PLAIN = re.compile(r"[\w@%+:,./-][\w@%+=:,./-]*")
"""What no shell changes; other than for shlex, letters of all languages are."""


class Console:
    """The three streams of the process.

    On a terminal there are tables with headings, for people; elsewhere lines whose cells are cut by tabs, for
    programs. What comes from a store is never obeyed by a terminal.

    Attributes:
        is_terminal: Whether a person reads the answers.
    """

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()

    def say(self, text: str) -> None:
        """Write a line, or several, to stdout."""
        sys.stdout.write(f"{printable(text)}\n")

    def json(self, value: Any) -> None:
        """Write one JSON document to stdout: readable on a terminal, else in one line."""
        self.say(orjson.dumps(value, option=_JSON | (orjson.OPT_INDENT_2 if self.is_terminal else 0)).decode())

    def json_lines(self, values: Iterable[Any]) -> None:
        """Write JSON documents to stdout, each in its line."""
        sys.stdout.write("".join(f"{printable(orjson.dumps(value, option=_JSON).decode())}\n" for value in values))

    def data(self, data: bytes) -> None:
        """Write bytes to stdout as they are."""
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def note(self, text: str) -> None:
        """Write a message to stderr."""
        sys.stderr.write(f"{printable(text)}\n")

    def table(self, *columns: str) -> Table:
        """Return a table to be written row by row; a column whose name begins with ``>`` stands to the right."""
        return Table(self, columns)

    def word(self, text: str) -> str:
        """Return what stands for a name or a primary key; on a terminal it can be pasted into a shell."""
        return self.quoted(show_text(text))

    def quoted(self, word: str) -> str:
        """Return ``word`` as a shell takes it, if a person is to copy it."""
        return shlex.quote(word) if self.is_terminal and not _PLAIN.fullmatch(word) else word

    def size(self, count_bytes: int | None) -> str:
        """Return a size: bytes for programs, rounded for people."""
        if count_bytes is None:
            return "?"
        if not self.is_terminal or count_bytes < _UNIT:
            return str(count_bytes)
        value, units = float(count_bytes), iter("KMGTPE")
        unit = ""
        while round(value, 1) >= _UNIT:
            value, unit = value / _UNIT, next(units)
        return f"{value:.1f} {unit}iB" if unit else f"{value:.0f}"

    def count(self, number: int) -> str:
        """Return a number; for people in groups of three digits."""
        return f"{number:,}" if self.is_terminal else str(number)

    @staticmethod
    def time(moment: dt.datetime | None) -> str:
        """Return an instant in UTC, to the second."""
        return "?" if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask, and come back if the answer is yes.

        Args:
            question: What is going to be done.
            yes: Whether that was said already.

        Raises:
            Refused: The answer is no, or there is nobody to ask.
        """
        if yes:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            msg = f"{question}: nobody is there to ask; give --yes"
            raise Refused(msg)
        with _interruptible():
            sys.stderr.write(f"{printable(question)}? [y/N] ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
        if answer.strip().lower() not in ("y", "yes"):
            msg = "nothing was done"
            raise Refused(msg, Exit.NO)

    def read(self, file: str) -> bytes:
        """Return the bytes of a file; ``-`` is stdin."""
        if file != "-":
            return Path(file).read_bytes()
        with _interruptible():
            return sys.stdin.buffer.read()

    @contextlib.contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Report]:
        """Yield what to tell how far a job is; a person sees it on stderr while it lasts.

        Args:
            what: The name of the job.
            total: How many there are to do, if that is known.
        """
        if not sys.stderr.isatty():
            yield lambda _: None
            return
        with _bar(what, total) as report:
            yield report


class Table:
    """Rows in columns that are as wide as what has been in them so far, so that endless ones can be written.

    Args:
        console: Where to.
        columns: Their names; ``>`` before one stands for right. The last takes all cells that are left.
    """

    def __init__(self, console: Console, columns: Sequence[str]) -> None:
        self._console = console
        self._names = [name.lstrip(">").upper() for name in columns]
        self._right = [name.startswith(">") for name in columns]
        self._widths = [0] * len(columns)
        self._is_begun = False

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows, the first ones under the names of the columns."""
        if not self._console.is_terminal:
            sys.stdout.write("".join("\t".join(map(_cell, row)) + "\n" for row in rows))
            return
        last = len(self._names) - 1
        texts = [[*map(_cell, row[:last]), " ".join(map(_cell, row[last:]))] for row in rows]
        if texts and not self._is_begun:
            texts.insert(0, self._names)
            self._is_begun = True
        for row in texts:
            self._widths = [max(width, _width(cell)) for width, cell in zip(self._widths, row, strict=True)]
        sys.stdout.write("".join(f"{self._line(row)}\n" for row in texts))

    def _line(self, row: Sequence[str]) -> str:
        cells = []
        for cell, width, right in zip(row, self._widths, self._right, strict=True):
            space = " " * (width - _width(cell))
            cells.append(space + cell if right else cell + space)
        return "  ".join(cells).rstrip()


def _cell(text: str) -> str:
    return printable(text).replace("\n", " ")


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  not for who needs none of it

    return cell_len(text)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a wait for the keyboard; the event loop would wait for the answer first."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # it came just before
            raise asyncio.CancelledError
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console as RichConsole  # noqa: PLC0415  it takes a tenth of a second
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
    ends = [TextColumn("{task.fields[rate]}"), TimeElapsedColumn()]
    bar = Bar(
        *columns,
        *([TextColumn("{task.completed:,}")] if total is None else [BarColumn(), MofNCompleteColumn()]),
        *ends,
        console=RichConsole(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = bar.add_task(printable(what), total=total, rate="")
    phase = ""

    def report(progress: Progress) -> None:
        nonlocal phase
        if progress.phase != phase:
            phase = progress.phase
            bar.reset(task, total=total)
        speed = bar.tasks[0].speed
        bar.update(
            task,
            completed=progress.done,
            description=printable(f"{what}: {phase}"),
            rate=f"{speed:,.0f}/s" if speed else "",
        )

    with bar:
        yield report
