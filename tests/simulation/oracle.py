"""Judges what each operation returned by what really happened to the items: promises I2 to I4."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ssshelf import (
    AlreadyExistsError,
    CommitUnknownError,
    ConflictError,
    NotFoundError,
    UnavailableError,
    UniqueViolationError,
)
from ssshelf.maintenance import Reindexed, Verified
from ssshelf.retries import RetryPolicy
from tests.simulation.history import Call, History, Version
from tests.simulation.shelf import LAYOUT, claims

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.journal import Journal
    from tests.simulation.shelf import Thing

__all__ = ["Oracle"]

_BULK = ("add_items", "remove_items", "reindex")


class Oracle:
    """Knows the true history, and every operation.

    Args:
        history: What really happened.
        journal: Is told of broken promises.
        calm: Whether nothing fails, so that operations may not either.
    """

    def __init__(self, history: History, journal: Journal, *, calm: bool) -> None:
        self.history = history
        self.journal = journal
        self._calm = calm
        self._calls: list[Call] = []
        self._unknown: dict[str, Call] = {}

    def begin(self, who: str, kind: str, *pks: str, thing: Thing | None = None, expect: str | None = None) -> Call:
        """Return a new operation."""
        call = Call(len(self._calls), who, kind, pks, thing, expect, self.history.step, self.journal.clock())
        self._calls.append(call)
        self.journal.began(call)
        return call

    def end(self, call: Call, outcome: object) -> None:
        """Record what an operation returned or raised; a failure is judged here, a result where it is known."""
        call.ended = self.history.step
        failed = isinstance(outcome, Exception)
        self.journal.ended(call, type(outcome).__name__ if failed else "ok", outcome)
        if isinstance(outcome, Exception):
            self._failed(call, outcome)
            if isinstance(outcome, CommitUnknownError):
                self._unknown[outcome.rev] = call

    def close(self) -> None:
        """Check, once nothing is under way any more, that nothing was applied that should not have been."""
        for call in self._calls:
            if call.ended is not None:
                self._check_count(call)

    # Results

    def wrote(self, call: Call, rev: str | None, *, over_live: bool | None) -> Version | None:
        """Check that a write was applied once, within the call, over an item or over none; return the version."""
        call.verdict, call.rev = "one", rev
        self._check_count(call)
        if len(call.wrote) != 1:
            return None
        (version,) = call.wrote
        assert call.ended is not None
        if not call.began < version.step <= call.ended:
            self._broken("I4 linearizable", call, f"was applied at {version.step}, not within the call")
        before = self.history.before(version, call.pks[0])
        if over_live is not None and (before.thing is not None) is not over_live:
            self._broken("I4 linearizable", call, f"was applied over {before}")
        if call.thing is not None and version.thing != call.thing:
            self._broken("I3 exactly once", call, f"wrote {version.thing}")
        if call.expect is not None and before.rev != call.expect:
            self._broken("I2 one winner", call, f"replaced {before.rev}")
        return version

    def updated(self, call: Call, rev: str) -> None:
        """Check that an update was made of what it replaced."""
        version = self.wrote(call, rev, over_live=True)
        if version is None or version.thing is None:
            return
        before = self.history.before(version, call.pks[0])
        if before.thing is None or version.thing["seen"] != before.thing["nonce"]:
            self._broken("I4 linearizable", call, f"replaced {before.thing}, which it never saw")

    def wrote_all(self, call: Call, things: Sequence[Thing]) -> None:
        """Check that each of many things was written once, those of one primary key in their order."""
        wanted, found = defaultdict(list), defaultdict(list)
        for thing in things:
            wanted[thing["pk"]].append(thing["nonce"])
        for version in call.wrote:
            if version.thing is not None:
                found[version.thing["pk"]].append(version.thing["nonce"])
        if wanted != found:
            self._broken("I3 exactly once", call, f"wrote {found} instead of {wanted}")

    def read(self, call: Call, pk: str, thing: Thing | None, rev: str | None = None) -> None:
        """Check that an item had this state at some instant of the call."""
        call.verdict = "nothing"
        states = [state for state in self._states(call, pk) if state.thing == thing and rev in (None, state.rev)]
        if not states:
            self._broken("I4 linearizable", call, f"read {thing} {rev or ''}, which {pk} was not during the call")

    def removed(self, call: Call, *, found: bool) -> None:
        """Check that an item was removed, or that there was none."""
        if found:
            self.wrote(call, None, over_live=True)
        else:
            self.read(call, call.pks[0], None)

    def removed_all(self, call: Call, count: int) -> None:
        """Check that so many items were removed."""
        if len(call.wrote) != count:
            self._broken("I3 exactly once", call, f"removed {len(call.wrote)} and said {count}")

    def settled(self, call: Call, rev: str, *, applied: bool) -> None:
        """Check what was said of a write whose outcome was not known; that it was not applied is for good."""
        call.verdict = "nothing"
        writer = self._unknown[rev]
        if writer.kind not in _BULK:
            writer.verdict = "one" if applied else "nothing"
            self._check_count(writer)

    def verified(self, call: Call, found: Verified) -> None:
        """Check that a verification found nothing but garbage, as there is nothing else."""
        call.verdict = "nothing"
        if not found.is_sound:
            self._broken("verify", call, f"found {[str(finding) for finding in found.findings]}")

    def reindexed(self, call: Call, report: Reindexed) -> None:
        """Check that a reindex changed no item, and that none resisted."""
        self.wrote_all(call, [])
        if report.errors:
            self._broken("reindex", call, f"failed: {report.errors}")

    # Failures

    def _failed(self, call: Call, error: Exception) -> None:
        if isinstance(error, TimeoutError):
            call.verdict = "maybe"
        elif isinstance(error, CommitUnknownError):
            call.verdict, call.rev = "maybe", error.rev
        elif isinstance(error, NotFoundError | ConflictError | UnavailableError):
            call.verdict = "nothing"
        else:
            self._broken("errors", call, f"raised {error!r}")
        if call.kind in _BULK:
            call.verdict, call.rev = "some", None
        elif isinstance(error, NotFoundError | ConflictError) and not self._justified(call, error):
            self._broken("I4 linearizable", call, f"raised {error!r} without a reason")
        if isinstance(error, CommitUnknownError | UnavailableError) and not self._excused(call):
            self._broken("liveness", call, f"raised {error!r} although nothing failed")
        self._check_count(call)

    def _excused(self, call: Call) -> bool:
        """Return whether a call may fail: something else did, it took too long, or met a tombstone."""
        if (
            not self._calm
            or call.kind == "was_committed"
            or self.journal.clock() - call.began_s > RetryPolicy().deadline_s
        ):
            return True
        pks = self.history.pks if call.kind in _BULK else call.pks
        return any(state.header and state.thing is None for pk in pks for state in self._states(call, pk))

    def _justified(self, call: Call, error: Exception) -> bool:
        """Return whether the items were as an error says, at some instant of the call."""
        states = [state for pk in call.pks for state in self._states(call, pk)]
        if isinstance(error, UniqueViolationError):
            index = LAYOUT.index_of(error.key)
            held = self._states(call, error.owner)
            return error.owner not in call.pks and any(index in claims(s.thing) for s in held if s.thing)
        if isinstance(error, AlreadyExistsError):
            return any(state.thing is not None for state in states)
        if isinstance(error, NotFoundError):
            return any(state.thing is None for state in states)
        if isinstance(error, ConflictError) and error.key.text.startswith(LAYOUT.claims.below):
            return True  # another claim was in the way, and may be gone
        if call.expect is not None:
            return any(state.rev != call.expect for state in states)
        guessed = call.kind in ("insert_item", "add_item") and any(state.header for state in states)
        return guessed or len(states) > 1

    def _check_count(self, call: Call) -> None:
        wrote = [version.rev for version in call.wrote]
        most, least = {"nothing": (0, 0), "maybe": (1, 0), "one": (1, 1), "some": (len(wrote), 0)}[call.verdict]
        if not least <= len(wrote) <= most or (call.rev and set(wrote) - {call.rev}):
            promise = "I3 exactly once" if call.verdict == "one" else "I2 one winner"
            self._broken(promise, call, f"({call.verdict} {call.rev or ''}) was applied as {wrote}")
        nonces = [version.thing["nonce"] for version in call.wrote if version.thing]
        if len(set(nonces)) < len(nonces):
            self._broken("I3 exactly once", call, "was applied twice")

    def _states(self, call: Call, pk: str) -> list[Version]:
        assert call.ended is not None
        return self.history.during(pk, call.began, call.ended)

    def _broken(self, promise: str, call: Call, text: str) -> None:
        self.journal.broken(promise, f"#{call.number} {call} of {call.who} {text}")
