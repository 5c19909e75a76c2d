"""Writes the methods of ``ssshelf.blocking``: those of the async classes, with their signatures and docstrings.

``python tools/blocking_methods.py`` writes them; the tests compare.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssshelf import CManager, Collection

__all__ = ["LEFT_OUT", "generated"]

ROOT = Path(__file__).parent.parent
SOURCES: dict[str, type[Any]] = {"_manager_methods.py": CManager, "_collection_methods.py": Collection}

LEFT_OUT = {
    "bind": "managers call it",
    "cover": "managers call it",
    "descending": "Collection itself has it, since what it returns is bound anew",
    "indexes": "managers call it",
    "verify": "what it returns is for async programs; CManager has two methods instead",
}

# Of methods that are more than one call in the event loop.
BODIES = {
    "CManager.add_items": "return sum(self._calls.in_batches(self._source.add_items, {arguments}))",
    "CManager.get_items": (
        "return list(chain.from_iterable(self._calls.in_batches(self._source.get_items, {arguments})))"
    ),
    "CManager.remove_items": "return sum(self._calls.in_batches(self._source.remove_items, {arguments}))",
    "AllItems.iter_all": "return self._calls.pages(self._source._all_pages({arguments}))",
    "Listing.iter_covered": "return self._calls.pages(self._source._covered_pages({arguments}))",
    "Listing.prefix": "return self._calls.pages(self._source._pages({arguments}))",
}

HEADER = '''"""The methods of a blocking {name}; ``tools/blocking_methods.py`` has written them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

from ssshelf import collections, managers
from ssshelf._calls import Calls
from ssshelf.collections import PAGE_LIMIT, Keys, Prefix
from ssshelf.covered import Covered
from ssshelf.drafts import Revision
from ssshelf.items import PrimaryKey
from ssshelf.maintenance import Reindexed, Report, Swept
from ssshelf.pages import KeyPage, Page

__all__ = ["{name}Methods"]

T = TypeVar("T")


class {name}Methods(Generic[T]):
    """What the async {name} can do, for callers that block."""

    _source: {module}.{name}[T]
    _calls: Calls

'''


def generated() -> Iterator[tuple[Path, str]]:
    """Yield the generated modules: where each belongs, and its text."""
    for file, source in SOURCES.items():
        module = source.__module__.rpartition(".")[2]
        text = HEADER.format(name=source.__name__, module=module) + "\n".join(_methods(source))
        text = _ruff(text, "check", "--fix-only", "--select", "F401,I001")
        yield ROOT / "ssshelf" / "blocking" / file, _ruff(text, "format")


def _methods(source: type[Any]) -> Iterator[str]:
    own = [cls for cls in source.__mro__ if cls.__module__.startswith("ssshelf.")]
    for name, value in ((name, value) for cls in own for name, value in vars(cls).items()):
        function = value.fget if isinstance(value, property) else value
        is_left_out = name.startswith("_") or name in LEFT_OUT or getattr(value, "__isabstractmethod__", False)
        if inspect.isfunction(function) and not is_left_out:
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            head = "@property\n" if isinstance(value, property) else ""
            yield textwrap.indent(f"{head}{_head(node)}    {_body(node, function)}\n", "    ")


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef, function: Any) -> str:
    arguments = ", ".join(_passed_on(node.args))
    if function.__qualname__ in BODIES:
        return BODIES[function.__qualname__].format(arguments=arguments)
    if isinstance(node, ast.AsyncFunctionDef):
        return f"return self._calls.call(self._source.{node.name}, {arguments})"
    return f"return self._source.{node.name}" + ("" if node.decorator_list else f"({arguments})")


def _head(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return signature and docstring."""
    returns = ast.unparse(node.returns) if node.returns else "None"
    returns = re.sub(r"AsyncGenerator\[(\w+), None\]", r"Iterator[\1]", returns)
    doc = textwrap.indent(ast.get_docstring(node) or "", "    ").strip()
    quotes = '"""' if "\n" not in doc else '\n    """'
    return f'def {node.name}({ast.unparse(node.args)}) -> {returns}:\n    """{doc}{quotes}\n'


def _passed_on(arguments: ast.arguments) -> Iterator[str]:
    yield from (argument.arg for argument in arguments.args[1:])
    if arguments.vararg:
        yield f"*{arguments.vararg.arg}"
    yield from (f"{argument.arg}={argument.arg}" for argument in arguments.kwonlyargs)


def _ruff(text: str, *command: str) -> str:
    ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "--stdin-filename", "ssshelf/methods.py", "-"]
    return subprocess.run(ruff, input=text, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout


if __name__ == "__main__":
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
