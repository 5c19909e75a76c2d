"""Where a link may lead: what is accepted as its URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import HttpUrl, TypeAdapter, ValidationError

MOST_CHARACTERS = 2048

_PLAIN = re.compile(r"https?://[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")
_parse = TypeAdapter(HttpUrl).validate_python  # reads a URL as browsers do


def checked_target(text: str) -> str:
    """Return the URL to redirect to: ``text`` itself, or as a browser would send it if that needs any escapes.

    Raises:
        ValueError: It is none that a link may lead to.
    """
    try:
        url = _parse(text)
    except ValidationError:
        msg = "this is not the address of a web page: it has to begin with http:// or https://, and name a host"
        raise ValueError(msg) from None
    if url.username is not None or url.password is not None:  # who reads bank.example@evil.example?
        msg = "an address with a user name or password in it is not accepted"
        raise ValueError(msg)
    target = text if _PLAIN.fullmatch(text) else str(url)
    if len(target) > MOST_CHARACTERS:
        msg = f"an address has at most {MOST_CHARACTERS} characters"
        raise ValueError(msg)
    return target


def host_of(url: str) -> str:
    """Return the host of a URL as collections have it: in lower case, international ones as xn--….

    Raises:
        ValueError: There is none.
    """
    host = _parse(url).host
    if host is None:  # pragma: no cover  pydantic demands one
        msg = "the URL names no host"
        raise ValueError(msg)
    return host


def is_at(url: str, base_url: str) -> bool:
    """Return whether ``url`` leads to the site that ``base_url`` is of, whatever the scheme."""
    return _site(url) == _site(base_url)


def _site(url: str) -> tuple[str, int | None]:
    parsed = urlsplit(str(_parse(url)))
    return (parsed.hostname or "").rstrip("."), parsed.port
