"""Keys: tuples of typed parts, and their text "k1", whose byte order is the order of the tuples.

A part is encoded so that text order equals part order, then ended by ``!/``.  ``!`` sorts below every character
an encoded part can hold, so a prefix of whole parts is a text prefix that no other key starts with.
"""

from __future__ import annotations

import datetime as dt
import decimal
import functools
import math
import re
import uuid
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["MAX_KEY_BYTES", "Desc", "Key", "Leaf", "Part", "Plain", "decode", "encode", "segmented"]

Plain: TypeAlias = str | int | float | decimal.Decimal | bool | dt.datetime | dt.date | bytes | uuid.UUID | None
"""A value that can be a part of a key, in ascending order."""

Part: TypeAlias = "Plain | Desc | Leaf"
"""A part of a key: a plain value, or one wrapped in ``Desc`` or ``Leaf``."""

MAX_KEY_BYTES: Final = 1024
"""The longest object name S3 takes, in bytes; the limit of every storage, so that data can move between them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
"""

_END = "!/"
# Object stores that keep names in a file system allow 255 bytes between two slashes.
_SEGMENT = 200
_EXPONENT_LIMIT = 500
_INT_LIMIT = 10**_EXPONENT_LIMIT
_EPOCH = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
_LAST_MICROSECOND = 10**18 - 1


class _Wrapped:
    """A value that sorts another way than it would by itself."""

    __slots__ = ("value",)

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wrapped) and (type(self), self.value) == (type(other), other.value)

    def __hash__(self) -> int:
        return hash((type(self), self.value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.value!r})"


class Desc(_Wrapped):
    """A part that sorts in descending order.

    Args:
        value: The plain value to sort the other way round.

    >>> encode((Desc(2),)) < encode((Desc(1),))
    True
    """

    __slots__ = ()

    def __init__(self, value: Plain) -> None:
        self.value = value


class Leaf(_Wrapped):
    """A text that sorts before every other part: the end of a key that other keys may go on from.

    What is listed at a key comes before what is listed below it, and is not under any longer prefix.

    Args:
        value: The text.

    >>> encode(("a", Leaf("z"))) < encode(("a", None))
    True
    """

    __slots__ = ()

    def __init__(self, value: str) -> None:
        self.value = value


def _escapes() -> list[str]:
    """Return what stands for each byte of a text: itself where that keeps the order, else an escape that does."""
    table = [f"({byte:02X}" for byte in range(256)]
    for low, high, form in ((0x3A, 0x40, "={:02X}"), (0x7B, 0xFF, "~{:02X}")):
        for byte in range(low, high + 1):
            table[byte] = form.format(byte)
    for byte in range(0x5B, 0x5F):
        table[byte] = f"_{byte - 0x5A}"
    for char in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-":
        table[ord(char)] = char
    table[ord(".")], table[ord("/")] = "..", "._"
    table[ord("_")], table[ord("`")] = "__", "_a"
    return table


_ESCAPE = _escapes()
_UNESCAPE = {escape: byte for byte, escape in enumerate(_ESCAPE)}
_UNESCAPED = re.compile("[0-9A-Za-z-]+")
_PLAIN = re.compile(f"[0-9A-Za-z-]{{1,{_SEGMENT}}}")
_ESCAPE_WIDTH = {"(": 3, "=": 3, "~": 3, ".": 2, "_": 2}
_TRANSLATE = str.maketrans({chr(byte): escape for byte, escape in enumerate(_ESCAPE[:128])})
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


@functools.lru_cache(maxsize=8192)
def _escape(text: str) -> str:
    if text.isascii():
        return text.translate(_TRANSLATE)
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        msg = f"a key part holds a lone surrogate at index {error.start}: it is no text and cannot be stored"
        raise ValueError(msg) from None
    return "".join(map(_ESCAPE.__getitem__, data))


def _encode_str(text: str) -> str:
    if text.isascii() and text.replace("-", "0").isalnum():
        return text
    return _escape(text) if text else "("


def _encode_decimal(sign: int, digits: str, exponent: int) -> str:
    digits = digits.lstrip("0")
    point = exponent + len(digits)
    digits = digits.rstrip("0")
    if not digits:
        return "!3n"
    if not -_EXPONENT_LIMIT <= point < _EXPONENT_LIMIT:
        msg = "a number in a key must lie between 1e-500 and 1e499, or be zero"
        raise ValueError(msg)
    body = f"{point + _EXPONENT_LIMIT:03d}{digits}"
    return f"!3m{body.translate(_COMPLEMENT)}~" if sign else f"!3p{body}"


def _encode_int(number: int) -> str:
    if abs(number) >= _INT_LIMIT:  # also keeps str() below Python's limit on digits
        return _encode_decimal(0, "1", _EXPONENT_LIMIT)
    return _encode_decimal(number < 0, str(abs(int(number))), 0)


def _encode_float(number: float) -> str:
    return _encode_number(decimal.Decimal(repr(float(number))))


def _encode_number(number: decimal.Decimal) -> str:
    if number.is_nan():
        msg = "NaN has no place in an order, so it cannot be part of a key"
        raise ValueError(msg)
    if number.is_infinite():
        return "!3q" if number > 0 else "!3l"
    sign, digits, exponent = number.as_tuple()
    return _encode_decimal(sign, "".join(map(str, digits)), int(exponent))


def _utc(moment: dt.datetime) -> dt.datetime:
    if moment.utcoffset() is None:
        msg = "a naive datetime names no instant: give it a time zone, for example datetime.now(timezone.utc)"
        raise ValueError(msg)
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:
        msg = "a datetime in a key must lie between the years 1 and 9999 in UTC"
        raise ValueError(msg) from None


def _encode_datetime(moment: dt.datetime) -> str:
    u = _utc(moment)
    return f"!5{u.year:04d}{u.month:02d}{u.day:02d}T{u.hour:02d}{u.minute:02d}{u.second:02d}.{u.microsecond:06d}Z"


def _encode_desc(part: Desc) -> str:
    value = part.value
    if isinstance(value, dt.datetime):
        return f"!y{_LAST_MICROSECOND - (_utc(value) - _EPOCH) // dt.timedelta(microseconds=1):018d}"
    return "!z" + bytes(255 - byte for byte in (_encode_part(value) + "!").encode()).hex()


_ENCODERS: dict[type, Callable[[Any], str]] = {
    str: _encode_str,
    Desc: _encode_desc,
    Leaf: lambda leaf: "!-" + _encode_str(leaf.value),
    type(None): lambda _: "!0",
    bool: lambda flag: "!2" if flag else "!1",
    int: _encode_int,
    float: _encode_float,
    decimal.Decimal: _encode_number,
    dt.datetime: _encode_datetime,
    dt.date: lambda day: f"!4{day.year:04d}{day.month:02d}{day.day:02d}",
    bytes: lambda data: "!7" + data.hex(),
    uuid.UUID: lambda value: "!8" + value.hex,
}


def _encode_part(part: Part) -> str:
    encoder = _ENCODERS.get(type(part))
    if encoder is None:  # a subclass, such as a str or int enumeration
        encoder = next((_ENCODERS[base] for base in type(part).__mro__ if base in _ENCODERS), None)
    if encoder is None:
        msg = (
            f"{type(part).__name__} cannot be part of a key: use str, int, float, Decimal, bool, None, "
            "datetime, date, bytes, UUID or Desc"
        )
        raise TypeError(msg)
    return encoder(part)


def encode(parts: tuple[Part, ...]) -> str:
    """Return the k1 text of ``parts``: each part encoded and ended by ``!/``.

    ``encode(a) < encode(b)`` exactly when ``a < b``, with ``Leaf < None < bool < number < date < datetime < bytes <
    UUID < str`` between types; ``encode(a)`` is a text prefix of ``encode(b)`` exactly when ``a`` is a prefix of ``b``.
    Numbers are ordered by value, whatever their type; a float counts as its shortest decimal form.

    Raises:
        TypeError: A part is of a type that has no place in the order.
        ValueError: A part is NaN, a naive datetime, a number out of range, or text with a lone surrogate.

    Cost:
        A few microseconds; no more than one for short plain texts.

    >>> encode(("python", 42))
    'python!/!3p50242!/'
    """
    text = ""
    for part in parts:
        text += segmented(_encode_part(part)) + _END
    return text


def segmented(encoded: str) -> str:
    """Return an encoded part cut into segments that any store takes."""
    if len(encoded) <= _SEGMENT:
        return encoded
    return "/".join(encoded[i : i + _SEGMENT] for i in range(0, len(encoded), _SEGMENT))


def _decode_str(text: str) -> str:
    if _UNESCAPED.fullmatch(text):
        return text
    if text == "(":
        return ""
    data, i = bytearray(), 0
    while i < len(text):
        width = _ESCAPE_WIDTH.get(text[i], 1)
        data.append(_UNESCAPE[text[i : i + width]])
        i += width
    return data.decode()


def _decode_number(text: str) -> int | float | decimal.Decimal:
    if text in ("n", "l", "q"):
        return {"n": 0, "l": -math.inf, "q": math.inf}[text]
    negative = text[0] == "m"
    body = text[1:-1].translate(_COMPLEMENT) if negative else text[1:]
    exponent, digits = int(body[:3]) - _EXPONENT_LIMIT, body[3:]
    zeros = exponent - len(digits)
    if zeros >= 0:
        whole: int = int(digits) * 10**zeros
        return -whole if negative else whole
    value = decimal.Decimal((int(negative), tuple(map(int, digits)), zeros))
    as_float = float(value)
    return as_float if decimal.Decimal(repr(as_float)) == value else value


def _decode_desc(text: str) -> Desc:
    plain = bytes(255 - byte for byte in bytes.fromhex(text)).decode()
    return Desc(_decode_part(plain[:-1]))  # type: ignore[arg-type]


_DECODERS: dict[str, Callable[[str], Part]] = {
    "-": lambda text: Leaf(_decode_str(text)),
    "0": lambda _: None,
    "1": lambda _: False,
    "2": lambda _: True,
    "3": _decode_number,
    "4": lambda text: dt.date(int(text[:4]), int(text[4:6]), int(text[6:])),
    "5": lambda text: dt.datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=dt.UTC),
    "7": bytes.fromhex,
    "8": lambda text: uuid.UUID(hex=text),
    "y": lambda text: Desc(_EPOCH + dt.timedelta(microseconds=_LAST_MICROSECOND - int(text))),
    "z": _decode_desc,
}


def _decode_part(text: str) -> Part:
    return _DECODERS[text[1]](text[2:]) if text.startswith("!") else _decode_str(text)


def _decode_checked(text: str) -> Part:
    part = _decode_part(text.replace("/", ""))
    if segmented(_encode_part(part)) != text:  # there is one text for each part
        raise ValueError
    return part


def decode(text: str) -> tuple[Part, ...]:
    """Return the parts of a k1 text; the inverse of ``encode``.

    Numbers come back in canonical form: ``1.0`` as ``1``, a Decimal that a float can hold as that float.

    Raises:
        ValueError: ``text`` is not k1.

    >>> decode("python!/!3p50242!/")
    ('python', 42)
    """
    if not text:
        return ()
    try:
        *encoded, end = text.split(_END)
        if not end:
            return tuple([piece if _PLAIN.fullmatch(piece) else _decode_checked(piece) for piece in encoded])
    except (ValueError, TypeError, LookupError, ArithmeticError):
        pass
    msg = f"not the text of a key: {text!r}"
    raise ValueError(msg)


class Key:
    """The address of one entry of a storage; also, as a prefix, of all entries under it.

    ``text`` is what a store sees: the k1 text without its last slash, since a name that ends in one looks like a
    folder to the tools of many stores.

    >>> Key("items", "bookmark", "a/b").text
    'items!/bookmark!/a._b!'
    >>> Key("items") / "bookmark" == Key("items", "bookmark")
    True
    """

    __slots__ = ("text",)

    text: str

    def __init__(self, *parts: Part) -> None:
        self.text = encode(parts)[:-1]

    @classmethod
    def from_text(cls, text: str) -> Key:
        """Return the key with this text, without checking that it is k1: ``parts`` does."""
        key = cls.__new__(cls)
        key.text = text
        return key

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts; ``ValueError`` when the text, found in a store, is not k1."""
        return decode(self.below)

    @property
    def below(self) -> str:
        """What the text of every key under this one starts with, and no other."""
        return f"{self.text}/" if self.text else ""

    def __truediv__(self, part: Part) -> Key:
        return Key.from_text(self.below + encode((part,))[:-1])

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Key) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.text < other.text if isinstance(other, Key) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Key({self.text!r})"

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Callable[[str], Key], tuple[str]]:
        return Key.from_text, (self.text,)
