"""The answers of S3, read while they arrive."""

from __future__ import annotations

from xml.parsers import expat

__all__ = ["XMLAnswer"]


class XMLAnswer:
    """Values by the names of their elements, and those of one kind of element as records of their own.

    Args:
        record: The name of the elements that are records.

    Attributes:
        root: The name of the outermost element, which tells what was answered.
        fields: The values that belong to no record.
        records: The values of each record.
    """

    def __init__(self, record: str = "") -> None:
        self.root = ""
        self.fields: dict[str, str] = {}
        self.records: list[dict[str, str]] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = _refuse
        self._listen(record)

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Read on; nothing is known before the ``last``.

        Raises:
            ValueError: This is no XML, or XML that defines entities, which no store has a reason to.
        """
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            msg = f"the answer is no XML: {expat.ErrorString(error.code)}"
            raise ValueError(msg) from error

    def _listen(self, record: str) -> None:
        """Have the parser tell what it reads; closures, since a listing of 1,000 names calls them 17,000 times."""
        values = self.fields
        texts: list[str] = []

        def start(name: str, _: object) -> None:
            nonlocal values
            texts.clear()
            if name == record:
                values = {}
                self.records.append(values)
            elif not self.root:
                self.root = name

        def end(name: str) -> None:
            nonlocal values
            if name == record:
                values = self.fields
            else:
                values[name] = "".join(texts)

        self._parser.StartElementHandler = start
        self._parser.CharacterDataHandler = texts.append
        self._parser.EndElementHandler = end


def _refuse(*_: object) -> None:
    msg = "the answer is XML that defines entities"
    raise ValueError(msg)
