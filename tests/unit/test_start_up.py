"""What is imported when: a process that starts for one request pays for what it uses. Modules are counted, not time."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from typing import Any

import pytest

import ssshelf
import ssshelf.maintenance

USED_BY_ALL = "from ssshelf import CManager, Collection, DictItems, open_storage; open_storage('memory://')"
NEVER_UNASKED = {
    "aiobotocore",
    "aiohttp",
    "attr",
    "backports.zstd",
    "botocore",
    "cryptography",
    "email",
    "msgspec",
    "pydantic",
    "sqlite3",
    "ssshelf.blocking",
    "ssshelf.dynamodb_mapping",
    "ssshelf.s3dict",
    "ssshelf.storages.probe",
    "ssshelf.storages.s3",
    "ssshelf.storages.sqlite",
    "ssshelf.testing",
    "ssshelf.transfer",
}
NEEDS_AN_EXTRA = {"AsyncDynamoDBMapping", "DynamoDBMapping", "DynamoDBStorage", "S3Storage"}
WITHOUT_EXTRAS = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"aioboto3", "aiobotocore", "aiohttp", "botocore", "msgspec", "backports"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def imported(code: str) -> set[str]:
    """Return the modules that a new process has imported after ``code``."""
    code += "; import sys; print(*sys.modules, sep='\\n')"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    modules = imported("import ssshelf")

    assert {name for name in modules if name.startswith("ssshelf")} == {"ssshelf", "ssshelf._late"}
    assert not {"asyncio", "dataclasses", "inspect", "logging", "orjson"} & modules


def test_a_manager_imports_no_more_than_it_uses() -> None:
    modules = imported(USED_BY_ALL)

    assert "ssshelf.managers" in modules
    assert not (NEVER_UNASKED | {f"ssshelf.maintenance.{job}" for job in ("reindex", "sweep", "verify")}) & modules


@pytest.mark.parametrize(
    ("name", "other"), [("SQLiteStorage", "ssshelf.storages.memory"), ("MemoryStorage", "sqlite3")]
)
def test_a_storage_imports_no_other_one(name: str, other: str) -> None:
    modules = imported(f"from ssshelf import {name}")

    assert not {other, "aiobotocore", "ssshelf.managers", "ssshelf.serializers"} & modules


def test_importing_everything_needs_no_extra() -> None:
    code = WITHOUT_EXTRAS + "from ssshelf import *; print(sorted(name for name in dir() if not name.startswith('_')))"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ast.literal_eval(result.stdout) == sorted([*ssshelf.__all__, "Missing", "sys"])


@pytest.mark.parametrize("package", [ssshelf, ssshelf.maintenance])
def test_type_checkers_see_what_is_imported_late(package: Any) -> None:
    seen = next(node for node in ast.parse(inspect.getsource(package)).body if isinstance(node, ast.If))
    names = {
        alias.name: str(node.module).removeprefix(f"{package.__name__}.")
        for node in seen.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert names == package._HOMES
    assert {getattr(package, name) for name in names}
    assert set(names) - set(package.__all__) == (NEEDS_AN_EXTRA if package is ssshelf else set())


def test_modules_are_there_without_being_imported_by_name() -> None:
    modules = imported("import ssshelf; ssshelf.errors.NotFoundError is ssshelf.NotFoundError or ssshelf.broken")

    assert "ssshelf.errors" in modules
    assert "ssshelf.managers" not in modules
    assert {"CManager", "SQLiteStorage", "open"} <= set(dir(ssshelf))


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'ssshelf' has no attribute 'Bucket'"):
        ssshelf.Bucket  # type: ignore[attr-defined]  # noqa: B018
