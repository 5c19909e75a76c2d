"""The answers of S3: the texts of a few kinds of elements."""

from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree as ET
from xml.parsers import expat

__all__ = ["XMLAnswer"]

_ATTRIBUTES = r"""(?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*"""
_QUOTES = ("&quot;", "&#34;")


class XMLAnswer:
    """An answer in XML, as far as it is wanted.

    A parser judges all of it, and regular expressions read it. In XML without comments, sections of characters and
    instructions every ``<`` begins or ends an element, so they find what a parser would tell of, which takes three
    times as long to tell.

    Args:
        data: All of the answer.
        names: Of the elements that are wanted, wherever they are.

    Attributes:
        root: The name of the outermost element, which tells what was answered.
        texts: By name, the text each element of that name begins with, in order.

    Raises:
        ValueError: This is no XML, or has in it what no store has a reason to send, as entities of its own.
    """

    def __init__(self, data: bytes, *names: str) -> None:
        self.root = _root(data)
        text = data.decode()
        self.texts = {name: _plain(_texts_of(name).findall(text)) for name in names}

    def first(self, name: str) -> str:
        """Return the text of the first element of that name; empty if there is none."""
        return next(iter(self.texts[name]), "")


def _root(data: bytes) -> str:
    """Return the name of the outermost element of what is well-formed and plain."""
    names: list[str] = []

    def start(name: str, _: object) -> None:
        names.append(name)
        parser.StartElementHandler = None

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refuse
    parser.StartCdataSectionHandler = parser.CommentHandler = _refuse
    try:
        parser.Parse(data, True)  # noqa: FBT003  a parameter without a name
    except expat.ExpatError as error:
        msg = f"the answer is no XML: {expat.ErrorString(error.code)}"
        raise ValueError(msg) from error
    return names[0]


def _refuse(*_: object) -> None:
    msg = "the answer is XML of a kind that no store sends"
    raise ValueError(msg)


@cache
def _texts_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"<{name}{_ATTRIBUTES}(?:/>|>([^<]*))")


def _plain(texts: list[str]) -> list[str]:
    """Return texts without escapes; those of etags, which have nothing but quotes, are replaced all at once."""
    joined = "\0".join(texts)  # which is in no XML
    if "&" not in joined:
        return texts
    for quote in _QUOTES:
        joined = joined.replace(quote, '"')
    return [ET.fromstring(f"<_>{text}</_>").text or "" if "&" in text else text for text in joined.split("\0")]  # noqa: S314  judged above
