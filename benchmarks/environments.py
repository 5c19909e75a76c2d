"""An environment for each peer, made when it is first needed and kept in the cache: ``~/.cache/ssshelf/peers``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ssshelf"
REQUIREMENTS = {
    "aiobotocore": ["aiobotocore==3.10.0"],
    "aiodynamo": ["aiodynamo==26.4", "aiohttp"],
    "dynamodb_mapping": ["dynamodb-mapping==0.1.2"],
    "diskcache": ["diskcache==5.6.3"],
    "obstore": ["obstore==0.12.1"],
    "pynamodb": ["pynamodb==6.1.0"],
    "s3fs": ["s3fs==2026.9.0"],
    "sqlitedict": ["sqlitedict==2.1.0"],
    "ssshelf[s3]": ["aiobotocore==3.10.0", "orjson", "sortedcontainers"],
}
"""``ssshelf[s3]`` is what ``pip install 'ssshelf[s3]'`` installs; ssshelf itself is that of this folder. What starts is
measured there, since aiobotocore imports more where there is more."""


def python_of(name: str) -> str:
    """Return the Python that has the peer ``name``; ``ssshelf`` and ``python`` are here already.

    Raises:
        RuntimeError: pip could not install it; the message has what it printed.
    """
    if name in {"ssshelf", "python"}:
        return sys.executable
    if name == "ssshelf-0.1.3":
        _run([ROOT / "tests" / "servers" / "legacy.sh", "install"])
        return str(CACHE / "legacy-0.1.3" / "bin" / "python")
    wanted = REQUIREMENTS[name]
    home = CACHE / "peers" / f"{'+'.join(wanted)}-{sys.version_info[0]}.{sys.version_info[1]}"
    installed = home / "installed"
    if not installed.exists():
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", home])
        _run([home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
        installed.touch()
    return str(home / "bin" / "python")


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{' '.join(map(str, command))}:\n{done.stderr}"
        raise RuntimeError(msg)
