"""The answers of S3: the texts of a few kinds of elements."""

from __future__ import annotations

import operator
from xml.parsers import expat

__all__ = ["XMLAnswer"]

_BUFFER_BYTES = 1024 * 1024
"""Most of one text that comes in one piece; the longest are names, of a few kilobytes."""


class XMLAnswer:
    """An answer in XML, as far as it is wanted.

    Nothing but texts is kept of it: a tree of the 7,000 elements of a listing is built faster, but takes the garbage
    collector longer than its parser.

    Args:
        data: All of the answer.
        names: Of the elements that are wanted, wherever they are.

    Attributes:
        root: The name of the outermost element, which tells what was answered.
        texts: By name, the text of each element of that name, in order; empty where it has none.

    Raises:
        ValueError: This is no XML, or XML that defines entities, which no store has a reason to.
    """

    def __init__(self, data: bytes, *names: str) -> None:
        self.root = ""
        self.texts: dict[str, list[str]] = {name: [] for name in names}
        parser = expat.ParserCreate()
        parser.buffer_text, parser.buffer_size = True, _BUFFER_BYTES
        parser.StartDoctypeDeclHandler = _refuse
        self._listen(parser)
        try:
            parser.Parse(data, True)  # noqa: FBT003  a parameter without a name
        except expat.ExpatError as error:
            msg = f"the answer is no XML: {expat.ErrorString(error.code)}"
            raise ValueError(msg) from error

    def first(self, name: str) -> str:
        """Return the text of the first element of that name; empty if there is none."""
        return next(iter(self.texts[name]), "")

    def _listen(self, parser: expat.XMLParserType) -> None:
        """Have the parser tell of texts and ends alone: the text of an element is what comes last before its end."""
        pieces: list[str] = []
        wanted = self.texts.get

        def end(name: str) -> None:
            texts = wanted(name)
            if texts is not None:
                texts.append(pieces[-1] if pieces and not pieces[-1].isspace() else "")
            pieces.clear()
            self.root = name

        parser.StartElementHandler = operator.is_  # does nothing; but then a text ends where an element starts
        parser.CharacterDataHandler = pieces.append
        parser.EndElementHandler = end


def _refuse(*_: object) -> None:
    msg = "the answer is XML that defines entities"
    raise ValueError(msg)
