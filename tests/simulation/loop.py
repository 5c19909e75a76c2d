"""An event loop with virtual time, dice for an order of events, and processes that sleep and crash."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from ssshelf.testing import VirtualTimeLoop

if TYPE_CHECKING:
    import random
    from collections.abc import Coroutine, Generator

__all__ = ["PROCESS", "Process", "SimulationLoop", "simulate"]

T = TypeVar("T")


class Process:
    """What crashes, and what sleeps when its machine does: all tasks that were started while it was ``PROCESS``.

    Attributes:
        name: For the trace.
        dead: Whether it has crashed: none of its code runs any more.
        wakes: The time before which none of its code runs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.wakes = 0.0

    def runs(self, now: float) -> bool:
        """Whether its code runs at a time."""
        return not self.dead and self.wakes <= now


PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)
"""The process whose code runs; what the bucket and the oracle do belongs to none."""


class _ReadyQueue(deque[asyncio.Handle]):
    """Hands out what is ready in a random order, and nothing of a process that sleeps or is dead."""

    def __init__(self, loop: SimulationLoop, dice: random.Random) -> None:
        super().__init__()
        self._loop = loop
        self._draw = dice.random

    def popleft(self) -> asyncio.Handle:
        if len(self) > 1:
            self.rotate(-int(self._draw() * len(self)))
        handle = super().popleft()
        process: Process | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        return handle if process is None else self._loop.admit(handle, process)


class _Task(asyncio.Task[T]):
    """One whose place in a set, as a TaskGroup has it, is not given by where in memory it happens to be."""

    _number: int

    def __new__(cls, *_: Any, loop: SimulationLoop, **__: Any) -> _Task[T]:
        self = super().__new__(cls)
        self._number = len(loop.tasks)
        return self

    def __hash__(self) -> int:
        return self._number


class SimulationLoop(VirtualTimeLoop):
    """Runs what is ready in the order that ``dice`` draw, and code of a ``Process`` only while that can run.

    asyncio promises no order between tasks, so the shipped code may not rely on one.
    """

    _ready: deque[asyncio.Handle]

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._ready = _ReadyQueue(self, dice)
        self._kept: list[asyncio.Handle] = []
        self._nothing = asyncio.Handle(_nothing, (), self)
        self._nothing.cancel()
        self._over = False
        # Every task is held to the end: one that is collected would run its code in the context of another.
        self.tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._make_task)

    def admit(self, handle: asyncio.Handle, process: Process) -> asyncio.Handle:
        """Return ``handle`` if its process can run now; else put it aside and return one that does nothing."""
        if self._over:
            return handle
        if process.dead:
            self._kept.append(handle)
        elif process.wakes > self.time() + self._clock_resolution:  # a timer that is due so soon has gone off already
            self.call_at(process.wakes, self._ready.append, handle)
        else:
            return handle
        return self._nothing

    def _make_task(
        self,
        _: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T],
        **options: Any,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = _Task(coroutine, loop=self, **options)
        self.tasks.append(task)
        return task

    def end(self) -> None:
        """Let what is left of dead processes run, so that it can be cancelled."""
        self._over = True
        self._ready.extend(self._kept)
        self._kept.clear()


def _nothing() -> None:
    pass


def simulate(main: Coroutine[Any, Any, T], dice: random.Random) -> T:
    """Run ``main`` in a ``SimulationLoop``; whatever it leaves behind is cancelled.

    Nothing is collected meanwhile: when that happens depends on what the process did before.
    """
    gc.disable()
    try:
        return _run(main, dice)
    finally:
        gc.enable()


def _run(main: Coroutine[Any, Any, T], dice: random.Random) -> T:
    with asyncio.Runner(loop_factory=lambda: SimulationLoop(dice)) as runner, contextlib.ExitStack() as stack:
        loop = runner.get_loop()
        assert isinstance(loop, SimulationLoop)
        stack.callback(loop.end)
        return runner.run(main)
