"""What happened in a schedule: counted always, and told line by line when somebody wants to read it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ssshelf.storages.base import Entry, Scan
from tests.simulation.faults import Fate

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.history import Call
    from tests.simulation.loop import Process

__all__ = ["Counts", "Journal", "Violation"]


class Violation(AssertionError):  # noqa: N818  it is not an error of the simulation
    """A promise that was broken.

    Attributes:
        promise: Its name.
    """

    def __init__(self, promise: str, text: str) -> None:
        super().__init__(f"{promise}: {text}")
        self.promise = promise


class Counts:
    """How much happened, by kind."""

    def __init__(self) -> None:
        self.schedules = 0
        self.crashes = 0
        self.sleeps = 0
        self.fences = 0
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()

    def add(self, other: Counts) -> None:
        """Add what others have counted."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {name: dict(sorted(n.items())) if isinstance(n, Counter) else n for name, n in vars(self).items()}


class Journal:
    """Counts, tells, and keeps the first promise that was broken.

    Args:
        clock: The virtual time.
        tell: Gets each line of the trace.
    """

    def __init__(self, clock: Callable[[], float], tell: Callable[[str], object] | None) -> None:
        self.counts = Counts()
        self.violation: Violation | None = None
        self.clock = clock
        self._tell = tell

    def note(self, who: str, text: str) -> None:
        """Tell what somebody does."""
        if self._tell:
            self._tell(f"{self.clock():10.3f}  {who:<14} {text}")

    def broken(self, promise: str, text: str) -> None:
        """Keep a broken promise; what follows from it is not of interest."""
        if self.violation is None:
            self.violation = Violation(promise, text)
            self.note("*** BROKEN", f"{promise}: {text}")

    def sent(self, call: Call | None, kind: str, name: str, fate: Fate) -> None:
        """Count a request."""
        self.counts.requests[kind] += 1
        if fate is not Fate.ANSWERED:
            self.counts.faults[fate.value] += 1
        if self._tell:
            self.note(_who(call), f"  sends {kind} {name}{'' if fate is Fate.ANSWERED else f'   <<{fate.value}>>'}")

    def applied(self, call: Call | None, kind: str, name: str, result: Any) -> None:
        """Tell what a request did."""
        if self._tell:
            self.note("      bucket", f"  {kind} {name} of {_who(call)}: {_short(result)}")

    def crashed(self, process: Process) -> None:
        """Count a process that crashed."""
        self.counts.crashes += 1
        self.note(process.name, "CRASHES")

    def slept(self, process: Process) -> None:
        """Count a process that sleeps."""
        self.counts.sleeps += 1
        self.note(process.name, f"SLEEPS until {process.wakes:.3f}")

    def began(self, call: Call) -> None:
        """Tell that an operation begins."""
        if self._tell:
            self.note(_who(call), str(call))

    def ended(self, call: Call, outcome: str, detail: object) -> None:
        """Count an operation by its outcome."""
        self.counts.operations[f"{call.kind}: {outcome}"] += 1
        if self._tell:
            self.note(_who(call), f"{call.kind} -> {outcome} {detail}")


def _who(call: Call | None) -> str:
    return "-" if call is None else f"{call.who}#{call.number}"


def _short(result: Any) -> str:
    if isinstance(result, Exception):
        return type(result).__name__
    if isinstance(result, Entry):
        return result.data[:60].decode(errors="replace")
    if isinstance(result, Scan):
        return f"{len(result.rows)} rows" + "".join(f"\n{'':32}{row.key.text}" for row in result.rows)
    return str(result or "done")
