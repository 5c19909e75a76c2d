"""Contestants as processes, each in its environment; what they are asked is in ``peers/protocol.py``."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environments import ROOT, python_of

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

PEERS = Path(__file__).parent / "peers"
OURS = {"ssshelf", "ssshelf[s3]"}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


class Worker:
    """A contestant that runs.

    Args:
        environment: The name of its environment.
        script: Its file in ``peers``, and what it is called with.
        limit_s: How long an answer may take before it is ended.
    """

    def __init__(self, environment: str, script: str, *, limit_s: float) -> None:
        program, *arguments = script.split()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        self._limit_s = limit_s
        self._process = subprocess.Popen(
            [python_of(environment), PEERS / program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **CREDENTIALS, **({"PYTHONPATH": str(ROOT)} if environment in OURS else {})},
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return its answer.

        Raises:
            RuntimeError: It ended instead, or was ended; the message has the end of what it printed.
        """
        assert self._process.stdin
        assert self._process.stdout
        deadline = threading.Timer(self._limit_s, self._process.kill)
        deadline.start()
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            deadline.cancel()
        if not answer:
            self._process.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()[-2000:]
            msg = f"{self._process.args[1].name} ended with {self._process.returncode}: {said}"  # type: ignore[index, union-attr]
            raise RuntimeError(msg)
        found: dict[str, Any] = json.loads(answer)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
