"""Slugs: the short names of links."""

from __future__ import annotations

import re
import string

from simpleflake import simpleflake

MOST_CHARACTERS = 64
PATTERN = rf"^[A-Za-z0-9_-]{{1,{MOST_CHARACTERS}}}$"
RESERVED = frozenset({"admin", "api", "docs", "healthz", "links", "new", "redoc", "static"})
"""What the paths of the site itself begin with, and what they may come to begin with."""

IN_PATHS = rf"(?!(?i:{'|'.join(sorted(RESERVED))})(?:/|$))[A-Za-z0-9_-]{{1,{MOST_CHARACTERS}}}"
"""A slug that is not reserved, as a part of a path."""

_is_slug = re.compile(PATTERN.strip("^$")).fullmatch
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase


def is_slug(text: str) -> bool:
    """Return whether a link can have this name."""
    return _is_slug(text) is not None


def new_slug() -> str:
    """Return a slug that is most likely nobody's: 41 bits of time in milliseconds, then 23 random ones.

    Two made within one millisecond agree once in 8 million times, so insert what it names, and draw again if
    somebody has it.
    """
    number, digits = simpleflake(), ""
    while number:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def checked_slug(slug: str) -> str:
    """Return ``slug``.

    Raises:
        ValueError: No link can be called that.
    """
    if not is_slug(slug):
        msg = f"a short name has up to {MOST_CHARACTERS} characters: a to z, A to Z, digits, - and _"
        raise ValueError(msg)
    if slug.lower() in RESERVED:
        msg = "the site itself uses this name"
        raise ValueError(msg)
    return slug
