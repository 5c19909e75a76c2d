"""The shipped code with one rule removed each: if the simulation did not notice, it would prove nothing.

A variant changes the source of one function, so that it shows which rule goes; one whose text is no longer in the code
fails, and has to be brought up to date with it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import itertools
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.simulation.journal import Violation
from tests.simulation.schedule import run_seed, style_of

__all__ = ["VARIANTS", "Caught", "Variant", "catch"]


@dataclass(frozen=True)
class Variant:
    """The shipped code without one rule.

    Attributes:
        name: What it does instead.
        target: Module, class if any, and function.
        changes: What is in the source of the function, once, and what the variant has instead.
        styles: Of the schedules in which that can matter; empty means all.
    """

    name: str
    target: str
    changes: tuple[tuple[str, str], ...]
    styles: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Weaken the shipped code.

        Raises:
            LookupError: The code is no longer as the variant knows it.
        """
        owner, name = self._owner()
        with mock.patch.object(owner, name, _weakened(self, vars(owner)[name])):
            yield

    def _owner(self) -> tuple[Any, str]:
        module, _, rest = self.target.partition(":")
        *classes, name = rest.split(".")
        owner: Any = importlib.import_module(module)
        for part in classes:
            owner = getattr(owner, part)
        return owner, name


@functools.cache
def _weakened(variant: Variant, function: Any) -> Any:
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in variant.changes:
        if source.count(old) != 1:
            msg = f"variant {variant.name!r}: {variant.target} has this {source.count(old)} times, not once: {old}"
            raise LookupError(msg)
        source = source.replace(old, new)
    module = sys.modules[function.__module__]
    made: dict[str, Any] = {}
    exec(compile(source, f"<{variant.name}>", "exec"), vars(module), made)  # noqa: S102  our own source
    return made[function.__name__]


@dataclass(frozen=True)
class Caught:
    """How a variant was caught.

    Attributes:
        schedules: How many were run; the last one broke the promise.
        promise: That was broken.
    """

    schedules: int
    promise: str


def catch(variant: Variant, most: int) -> Caught | None:
    """Run schedules until one breaks a promise; ``None`` when so many did not.

    Schedules of other styles than the variant's are neither run nor counted.

    Raises:
        Violation: The shipped code breaks a promise in that schedule, too.
    """
    fitting = (seed for seed in itertools.count() if not variant.styles or style_of(seed) in variant.styles)
    for ran, seed in enumerate(itertools.islice(fitting, most), 1):
        with variant.applied():
            promise = _broken(seed)
        if promise.startswith("I"):  # I1 to I8; not for example an error of another kind
            run_seed(seed)
            return Caught(ran, promise)
    return None


def _broken(seed: int) -> str:
    try:
        run_seed(seed)
    except Violation as violation:
        return violation.promise
    return ""


_COMMIT = "ssshelf.commit:Committer"
_CLAIMS = "ssshelf.claims:Claims"
_SWEEP = "ssshelf.maintenance.sweep"
_PREPARE = "await map_bounded(lambda prepare: prepare(), self._preparations(transaction, fresh), self._concurrency)"
_POINT = "outcome = await self._commit_point(transaction, rest, started)"
_UNIQUE = ("race", "upkeep", "mixed", "churn")
_REMOVALS = ("churn", "upkeep")

VARIANTS = (
    Variant(
        "the item is written before its entries",
        f"{_COMMIT}._carry_out",
        ((f"{_PREPARE}\n        {_POINT}", f"{_POINT}\n        {_PREPARE}"),),
    ),
    Variant(
        "names of entries are used again",
        "ssshelf.commit:next_header",
        (("entries={index: _ending(draft, index, named, rev)", 'entries={index: "1-0"'),),
    ),
    Variant(
        "an item is put without a condition",
        f"{_COMMIT}._send",
        (("condition=item.condition", "condition=None"),),
    ),
    Variant(
        "an insert does not ask for absence",
        "ssshelf.commit:plan",
        (("if base else IfAbsent()", "if base else None"),),
    ),
    Variant(
        "the lineage is not looked at",
        "ssshelf.envelope:Header.descends_from",
        ((" or rev in self.lineage", ""),),
    ),
    Variant(
        "what may have been written is written again, with a new revision",
        f"{_COMMIT}._commit_point",
        (
            (
                "return await self._resolve(transaction, failures, started, refused=False)",
                "return Lost(await self.load(transaction.item.key))",
            ),
        ),
    ),
    Variant(
        "no answer is taken for a refusal",
        "ssshelf.commit:maybe_applied",
        (("return any(failure.maybe_applied for failure in failures)", "return False"),),
    ),
    Variant(
        "who is refused does not look whether it was applied",
        f"{_COMMIT}._commit_point",
        (
            (
                "return await self._resolve(transaction, failures, started, refused=for_good)",
                "return Lost(await self.load(transaction.item.key))",
            ),
        ),
    ),
    Variant(
        "an item that is as before means that the write was lost",
        f"{_COMMIT}._resolve",
        (("if not refused or forgotten", "if forgotten"),),
    ),
    Variant(
        "a revision that is not in a short lineage was never written",
        f"{_COMMIT}._resolve",
        ((" or too_long_ago", ""),),
        ("duel",),
    ),
    Variant(
        "a write of unknown outcome is cleaned up",
        f"{_COMMIT}._carry_out",
        (("except CommitUnknownError:", "except ZeroDivisionError:"),),
    ),
    Variant(
        "a write that is cancelled is cleaned up",
        f"{_COMMIT}._carry_out",
        (("except ShelfError:", "except BaseException:"),),
    ),
    Variant(
        "a tombstone carries entries forward",
        "ssshelf.commit:next_header",
        (
            (
                "for index in sorted(draft.indexes)} if draft else {}",
                "for index in sorted(draft.indexes)} if draft else dict(named)",
            ),
        ),
    ),
    Variant(
        "an update is made once, of what was there at first",
        "ssshelf.managers:CManager._write",
        (("new = await draft(base)\n", "new = await draft(base) if attempt == 0 else new\n"),),
        ("duel", "mixed"),
    ),
    Variant(
        "a listing believes its entries",
        "ssshelf.listings:Listing._rows",
        (
            (
                "[self._shards.position(index, layout.pk_of(item)) for index in stored.header.entries]",
                "[name.position for name in listed.names if layout.item_of(name.pk) == item]",
            ),
        ),
    ),
    Variant(
        "a listing shows only what it listed",
        "ssshelf.listings:Listing._rows",
        (
            (
                "if window.holds(position, listed.behind, listed.last)]",
                "if position in {name.position for name in listed.names}]",
            ),
        ),
    ),
    Variant(
        "a page shows what lies before it",
        "ssshelf.pages:Window.holds",
        ((" and behind < position", ""),),
    ),
    Variant(
        "a claim is taken over without a fence",
        f"{_CLAIMS}._condition",
        (("if patient or not await self._fence(item, owner):", "if patient:"),),
        _UNIQUE,
    ),
    Variant(
        "a claim is put without a condition",
        f"{_CLAIMS}.take",
        (("condition=condition)", "condition=None)"),),
        _UNIQUE,
    ),
    Variant(
        "a claim is given back without a condition",
        f"{_CLAIMS}.release",
        (("return Delete(key, IfMatch(etag))", "return Delete(key)"),),
        _UNIQUE,
    ),
    Variant(
        "a claim is given back whosever it is by now",
        f"{_CLAIMS}.release",
        (("if claim != mine:", "if False:"),),
        _UNIQUE,
    ),
    Variant(
        "a loser gives back what another writer of its item had claimed",
        f"{_CLAIMS}.take",
        (("inherited = inherited or claim.pk == mine.pk", "inherited = False"),),
        _UNIQUE,
    ),
    Variant(
        "a sweep has no grace",
        f"{_SWEEP}:Sweep.run",
        (("(now, grace_s + _CLOCK_TICK_S)", "(now, 0.0)"),),
        _REMOVALS,
    ),
    Variant(
        "a sweep forgets how late a write may arrive",
        f"{_SWEEP}:_grace_s",
        (("least_s = deadline_s + (late_s or 0.0)", "least_s = deadline_s"),),
        ("late",),
    ),
    Variant(
        "a sweep goes by the client's clock, which is fast",
        f"{_SWEEP}:Sweep.run",
        (("(now, grace_s + _CLOCK_TICK_S)", "(now, grace_s + _CLOCK_TICK_S - 3600)"),),
        _REMOVALS,
    ),
    Variant(
        "a sweep removes tombstones without a condition",
        f"{_SWEEP}:Sweep._remove",
        ((", condition=IfMatch(etag)", ""),),
        _REMOVALS,
    ),
    Variant(
        "a writer has no deadline",
        "ssshelf.retries:RetryPolicy._pauses",
        (("if self.clock() + pause > give_up:", "if False:"),),
        ("late",),
    ),
)
