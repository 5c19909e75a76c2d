"""The program, run by the command of its Procfile and ended by a signal, as Heroku does it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ssshelf.testing.servers import free_ports, wait_for

HOME = Path(__file__).parent.parent
APP = "shortener.app:create_app"


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def end(self) -> bool:
        """Have it end as Heroku does, and return whether it did so in order."""
        self.process.terminate()
        # Once all is saved, uvicorn ends by the signal that it got.
        return self.process.wait(60) == -signal.SIGTERM and "Traceback" not in self.log.read_text()


@contextlib.contextmanager
def served(
    url: str, log: Path, home: Path = HOME, python: Path = Path(sys.executable), app: str = APP
) -> Iterator[Server]:
    """Run the program that is in ``home`` on the storage at ``url``, with all that is beside ``python``.

    Another ``app`` may take its place, which is served in the same way.
    """
    command = (home / "Procfile").read_text(encoding="utf-8").removeprefix("web: ").replace(APP, app)
    (port,) = free_ports(1)
    path = f"{python.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PORT": str(port), "SSSHELF_URL": url}
    with log.open("w+b") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"], cwd=home, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            wait_for(process, port, output)
            yield Server(process, f"http://127.0.0.1:{port}", log)
        finally:
            process.kill()
            process.wait()
