"""The time of a store that dates no rows itself."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

__all__ = ["StoreClock"]


class StoreClock:
    """Tells the store's time: that in its last answer, and what has passed since.

    So rows are dated alike by all writers, however wrong their own clocks are. It is late by less than two seconds and
    the time that an answer takes.

    Args:
        uptime_s: Seconds that go on while the machine sleeps.
    """

    def __init__(self, uptime_s: Callable[[], float]) -> None:
        self._uptime_s = uptime_s
        self._said = ""
        self._moment: dt.datetime | None = None
        self._heard_s = 0.0

    def hear(self, answer: dict[str, Any]) -> None:
        """Learn what time it is from an answer of the store."""
        said = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date", "")
        if said and said != self._said:  # of those in one second the first is the closest
            with contextlib.suppress(ValueError):
                moment = parsedate_to_datetime(said).replace(tzinfo=dt.UTC)  # HTTP has no other
                self._moment, self._heard_s, self._said = moment, self._uptime_s(), said

    def now(self) -> dt.datetime | None:
        """Return the time; ``None`` when the store never told."""
        if self._moment is None:
            return None
        return self._moment + dt.timedelta(seconds=self._uptime_s() - self._heard_s)
