"""Key parts as a command line has them: texts as they are, everything else as ``type:value``.

What is printed can be pasted: ``parse(show(part))`` is the same part of a key.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from ssshelf.keys import Desc, Leaf, Part, Plain, encode

__all__ = ["parse", "parse_text", "printable", "show", "show_text"]

_CONSTANTS = {"null": None, "false": False, "true": True}


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = f"{text!r} has no time zone: end it in Z for UTC, or in an offset such as +02:00"
        raise ValueError(msg)
    return moment


def _number(text: str) -> decimal.Decimal:
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        msg = "write it like 5, -2.5 or 1e9"
        raise ValueError(msg) from None


def _constant(value: Part, text: str) -> Part:
    if text:
        msg = "nothing may follow the colon"
        raise ValueError(msg)
    return value


def _quoted(text: str) -> str:
    value = json.loads(text)
    if not isinstance(value, str):
        msg = "a JSON string stands in double quotes"
        raise ValueError(msg)  # noqa: TRY004  what was typed is wrong
    return value


_TEXTS: dict[str, Callable[[str], str]] = {"text": str, "json": _quoted}
_PARSERS: dict[str, Callable[[str], Part]] = {
    **_TEXTS,
    **{name: partial(_constant, value) for name, value in _CONSTANTS.items()},
    "number": _number,
    "date": dt.date.fromisoformat,
    "time": _moment,
    "bytes": bytes.fromhex,
    "uuid": uuid.UUID,
    "desc": lambda text: Desc(cast("Plain", parse(text))),  # encode objects to what is not
    "leaf": lambda text: Leaf(parse_text(text)),
}


def parse(text: str) -> Part:
    """Return the part of a key that ``text`` stands for.

    Raises:
        ValueError: It begins with the name of a type, and what follows is no value of it, or has no place in a key.

    >>> parse("python"), parse("date:2024-05-01"), parse("text:date:2024-05-01")
    ('python', datetime.date(2024, 5, 1), 'date:2024-05-01')
    """
    part: Part = _parsed(text, _PARSERS)
    try:
        encode((part,))
    except (ValueError, TypeError) as error:
        msg = f"{printable(text)}: {error}"
        raise ValueError(msg) from None
    return part


def parse_text(text: str) -> str:
    r"""Return the text, such as a name or a primary key, that ``text`` stands for: itself, or ``text:…``, ``json:"…"``.

    >>> parse_text("number:5"), parse_text(r'json:"two\nlines"')
    ('number:5', 'two\nlines')
    """
    value: str = _parsed(text, _TEXTS)
    return value


def _parsed(text: str, parsers: dict[str, Callable[[str], Any]]) -> Any:
    name, colon, value = text.partition(":")
    if not colon or name not in parsers:
        return text
    try:
        return parsers[name](value)
    except ValueError as error:
        msg = f"{printable(text)} is no {name}: {error}"
        raise ValueError(msg) from None


def show(part: Part) -> str:
    """Return what ``parse`` reads as ``part``; it has printable characters only.

    >>> show(("number:5")), show(5), show(Desc("python"))
    ('text:number:5', 'number:5', 'desc:python')
    """
    if isinstance(part, str):
        return _shown(part, _PARSERS)
    if isinstance(part, Desc):
        return f"desc:{show(part.value)}"
    if isinstance(part, Leaf):
        return f"leaf:{show_text(part.value)}"
    return _typed(part)


def show_text(text: str) -> str:
    """Return what ``parse_text`` reads as ``text``; it has printable characters only."""
    return _shown(text, _TEXTS)


def _shown(text: str, parsers: dict[str, Any]) -> str:
    if not text.isprintable():
        return f"json:{json.dumps(text)}"
    # An empty word is lost where words are cut at spaces; one that begins with - is taken for an option.
    if not text or text[0] == "-" or text.partition(":")[0] in parsers:
        return f"text:{text}"
    return text


def _typed(part: Any) -> str:
    if part is None or isinstance(part, bool):
        return next(f"{name}:" for name, value in _CONSTANTS.items() if value is part)
    if isinstance(part, dt.datetime):
        return f"time:{part.astimezone(dt.UTC).isoformat().removesuffix('+00:00')}Z"
    if isinstance(part, dt.date):
        return f"date:{part.isoformat()}"
    if isinstance(part, bytes):
        return f"bytes:{part.hex()}"
    return f"uuid:{part}" if isinstance(part, uuid.UUID) else f"number:{part}"


def printable(text: str) -> str:
    r"""Return ``text`` with escapes, such as ``\u001b``, for all that a terminal might obey; lines stay lines.

    >>> printable("\x1b[31mred")
    '\\u001b[31mred'
    """
    if text.isprintable():
        return text
    return re.sub(r"[^\n]", lambda match: match[0] if match[0].isprintable() else json.dumps(match[0])[1:-1], text)
