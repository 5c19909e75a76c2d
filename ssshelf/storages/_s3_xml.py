"""The answers of S3, read while they arrive."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

__all__ = ["XMLAnswer"]

_ENTITIES: Final = b"<!DOCTYPE"
"""What definitions of entities begin with."""


class XMLAnswer:
    """An answer in XML, whose elements are named as S3's documentation has them, without a namespace.

    Attributes:
        root: The name of the outermost element, which tells what was answered; empty until the end.
    """

    def __init__(self) -> None:
        self.root = ""
        self._parser = ET.XMLParser(encoding="utf-8")  # noqa: S314  entities are refused below
        self._end = b""
        self._namespace = ""
        self._tree: ET.Element

    def feed(self, chunk: bytes) -> None:
        """Read on; nothing is known before the end.

        Raises:
            ValueError: This is no XML, or XML that defines entities, which no store has a reason to.
        """
        if _ENTITIES in self._end + chunk or b"\0" in chunk:  # which would be of an encoding that hides the other
            msg = "the answer is XML that defines entities, or is not in UTF-8"
            raise ValueError(msg)
        self._end = chunk[-len(_ENTITIES) :]
        try:
            self._parser.feed(chunk)
        except ET.ParseError as error:
            raise _no_xml(error) from error

    def end(self) -> None:
        """Take what came for the whole answer; raises what ``feed`` does."""
        try:
            self._tree = self._parser.close()
        except ET.ParseError as error:
            raise _no_xml(error) from error
        namespace, brace, self.root = self._tree.tag.rpartition("}")
        self._namespace = namespace + brace

    def field(self, name: str) -> str:
        """Return the text of an element right under the root; empty if there is none."""
        return self._tree.findtext(self._namespace + name, "")

    def column(self, record: str, name: str) -> list[str]:
        """Return what each element called ``record`` has under a name; empty where there is nothing."""
        path = self._namespace + name
        return [element.findtext(path, "") for element in self._tree.findall(self._namespace + record)]


def _no_xml(error: ET.ParseError) -> ValueError:
    return ValueError(f"the answer is no XML: {error.msg}")
