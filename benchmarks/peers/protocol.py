"""What each contestant of a benchmark is: a program that prepares itself and then works round by round, as it is told.

It reads a line of JSON for each request, and writes one for each answer::

    {"do": "prepare", "task": "page", "settings": {…}}    {"versions": {"obstore": "0.12.1"}}
    {"do": "round"}                                       {"operations": 1, "wall_s": 0.05, "cpu_s": 0.01}

Needs nothing but Python, since each contestant runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import inspect
import json
import os
import platform
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

Round = "Callable[[], Any]"
"""Does the work of a round, and returns how many operations that was, or figures of its own; may be a coroutine."""


def serve(tasks: Mapping[str, Callable[..., Any]], packages: Iterable[str]) -> None:
    """Answer the harness until it hangs up.

    Args:
        tasks: By name, generator functions, synchronous or not, that prepare themselves and yield a ``Round``.
        packages: Whose versions are part of the result.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    running: Any = None
    work: Any = None
    with asyncio.Runner() as loop:
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["do"] == "prepare":
                running = tasks[asked["task"]](**asked["settings"])
                work = loop.run(anext(running)) if inspect.isasyncgen(running) else next(running)
                answer: dict[str, Any] = {"versions": _versions(packages)}
            else:
                answer = _timed(loop, work)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
        if inspect.isasyncgen(running):
            loop.run(running.aclose())
        elif running is not None:
            running.close()


def _timed(loop: asyncio.Runner, work: Callable[[], Any]) -> dict[str, Any]:
    gc.collect()
    cpu, wall = _cpu_s(), time.perf_counter()
    done = loop.run(work()) if inspect.iscoroutinefunction(work) else work()
    answer = {"wall_s": time.perf_counter() - wall, "cpu_s": _cpu_s() - cpu}
    return {**answer, **(done if isinstance(done, dict) else {"operations": done})}


def _cpu_s() -> float:
    """Return how long this process has computed, on all of its threads, and those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {"Python": platform.python_version(), **{name: _version(name) for name in packages}}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # but imported from a folder


async def at_once(count: int, width: int, request: Callable[[int], Awaitable[object]]) -> int:
    """Make ``count`` requests, ``width`` at a time, and return how many that was."""
    waiting = iter(range(count))

    async def work() -> None:
        for number in waiting:
            await request(number)

    await asyncio.gather(*(work() for _ in range(width)))
    return count


def same(found: object, expected: object) -> None:
    """Stop when what was measured did something else than it should."""
    if found != expected:
        msg = f"measured something else: {found!r:.200} instead of {expected!r:.200}"
        raise ValueError(msg)


def thing(number: int) -> dict[str, Any]:
    """Return the item that all contestants store."""
    return {"id": f"item-{number:07}", "size": number, "group": f"group-{number % 97}", "text": "x" * 200}
