"""The URL of a storage, as a configuration or an environment variable names it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

__all__ = ["ENVIRONMENT_VARIABLE", "StorageURL", "environment_url"]

ENVIRONMENT_VARIABLE = "SSSHELF_URL"
"""Names the storage of a program that is configured by its environment."""


@dataclass(frozen=True, slots=True)
class StorageURL:
    """The pieces of a storage's URL, decoded."""

    scheme: str
    host: str
    path: str
    options: dict[str, str]

    @classmethod
    def parse(cls, url: str) -> StorageURL:
        """Return the pieces of ``url``.

        Raises:
            ValueError: It is no URL, or holds a password; the message does not repeat it.
        """
        try:
            pieces = urlsplit(url)
        except ValueError:
            pieces = urlsplit("")
        if not pieces.scheme or "://" not in url:
            msg = "a storage URL looks like sqlite:///shelf.db, s3://bucket/prefix or memory://"
            raise ValueError(msg)
        if pieces.fragment:
            msg = f"{pieces.scheme}: a storage URL has no part behind a #; write %23 for one in a name"
            raise ValueError(msg)
        if pieces.username is not None or pieces.password is not None or "@" in pieces.netloc:
            msg = f"{pieces.scheme}: a storage URL holds no credentials; they come from the store's usual settings"
            raise ValueError(msg)
        pairs = parse_qsl(pieces.query, keep_blank_values=True)
        options = dict(pairs)
        if len(options) < len(pairs):
            msg = f"{pieces.scheme}: an option stands in the storage URL twice"
            raise ValueError(msg)
        return cls(pieces.scheme, pieces.netloc, unquote(pieces.path), options)

    def check_options(self, known: Iterable[str]) -> None:
        """Refuse an option that would be ignored."""
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            takes = ", ".join(sorted(known)) or "no options"
            msg = f"unknown option in a {self.scheme}:// URL: {', '.join(unknown)}; it takes {takes}"
            raise ValueError(msg)


def environment_url() -> str:
    """Return the URL in ``SSSHELF_URL``.

    Raises:
        ValueError: It is not set.
    """
    url = os.environ.get(ENVIRONMENT_VARIABLE)
    if not url:
        msg = f"name a storage, or set {ENVIRONMENT_VARIABLE}, for example to s3://bucket/prefix or sqlite:///shelf.db"
        raise ValueError(msg)
    return url
