"""Envelopes: the stored form of an item, and every way in which it can be damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssshelf.envelope import FORMAT_VERSION, LINEAGE, Header, pack, unpack
from ssshelf.errors import CorruptionError
from ssshelf.keys import Key

KEY = Key("items", "notes", "a")
HEADER = Header(
    rev="3-9a",
    n=3,
    lineage=("2-8b", "1-7c"),
    live=True,
    entries={"by-tag!/x!": "3-9a", "every!/a!": "1-7c", "by-tag!/y!": "1-7c"},
    content_type="application/json",
)
BODY = b'{"slug":"a"}'
LINE: dict[str, Any] = {
    "ssshelf": 1,
    "rev": "3-9a",
    "n": 3,
    "prev": ["2-8b", "1-7c"],
    "state": "live",
    "type": "application/json",
    "size": len(BODY),
    "entries": {"3-9a": ["by-tag!/x!"], "1-7c": ["by-tag!/y!", "every!/a!"]},
}
GOLDEN = (
    b'{"ssshelf":1,"rev":"3-9a","n":3,"prev":["2-8b","1-7c"],"state":"live","type":"application/json","size":12,'
    b'"entries":{"3-9a":["by-tag!/x!"],"1-7c":["by-tag!/y!","every!/a!"]}}\n{"slug":"a"}'
)
GOLDEN_TOMBSTONE = (
    b'{"ssshelf":1,"rev":"4-6d","n":4,"prev":["3-9a"],"state":"tombstone","type":"","size":0,"entries":{}}\n'
)


def stored(body: bytes = BODY, **changes: Any) -> bytes:
    """Return what is stored for the line of JSON with ``changes``."""
    return json.dumps({**LINE, **changes}).encode() + b"\n" + body


def test_the_stored_form_never_changes() -> None:
    assert pack(HEADER, BODY) == GOLDEN
    assert pack(Header("4-6d", 4, ("3-9a",), live=False), b"") == GOLDEN_TOMBSTONE
    assert (FORMAT_VERSION, LINEAGE) == (1, 16)


def test_claims_are_stored_like_entries() -> None:
    header = HEADER._replace(claims={"by-email!/a!": "1-7c"})

    data = pack(header, BODY)

    assert b',"claims":{"1-7c":["by-email!/a!"]}}\n' in data
    assert unpack(KEY, data) == (header, BODY)


def test_a_stored_form_reads_back() -> None:
    assert unpack(KEY, GOLDEN) == (HEADER, BODY)
    assert unpack(KEY, GOLDEN_TOMBSTONE) == (Header("4-6d", 4, ("3-9a",), live=False), b"")


texts = st.text(st.characters(codec="utf-8"), max_size=20)
headers = st.builds(
    Header,
    rev=texts,
    n=st.integers(0, 2**53),
    lineage=st.lists(texts, max_size=LINEAGE).map(tuple),
    live=st.booleans(),
    entries=st.dictionaries(texts, texts, max_size=5),
    content_type=texts,
)


@settings(max_examples=300, deadline=None)
@given(headers, st.one_of(st.binary(), st.sampled_from([b"\n", b"\n\n{}", b"\r\n", b'{"ssshelf":2}\n'])))
def test_what_was_packed_is_unpacked(header: Header, body: bytes) -> None:
    assert unpack(KEY, pack(header, body)) == (header, body)


def test_a_body_is_kept_byte_by_byte() -> None:
    body = bytes(range(256)) * 10

    assert pack(HEADER, body).endswith(b"\n" + body)


def test_the_order_of_the_entries_makes_no_difference() -> None:
    turned = HEADER._replace(entries=dict(sorted(HEADER.entries.items(), reverse=True)))

    assert pack(turned, BODY) == GOLDEN


DAMAGED: dict[str, bytes] = {
    "nothing": b"",
    "no newline": GOLDEN.replace(b"\n", b" "),
    "only a newline": b"\n",
    "newline first": b"\n" + GOLDEN,
    "no JSON": b"hello\n" + BODY,
    "half the header": GOLDEN[:60] + b"\n" + BODY,
    "no UTF-8": GOLDEN.replace(b"by-tag", b"\xff\xfe\xfd", 1),
    "a list": b"[1]\n" + BODY,
    "a text": b'"ssshelf"\n' + BODY,
    "a number": b"1\n" + BODY,
    "null": b"null\n" + BODY,
    "another document": b'{"slug":"a"}\n' + BODY,
    "zeros": bytes(200),
    "compressed": b"\x1f\x8b\x08" + GOLDEN,
    "body cut short": GOLDEN[:-1],
    "body gone": GOLDEN[: GOLDEN.index(b"\n") + 1],
    "body extended": GOLDEN + b" ",
    "body twice": GOLDEN + BODY,
    "tombstone with a body": GOLDEN_TOMBSTONE + b"x",
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_what_is_damaged_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(CorruptionError) as caught:
        unpack(KEY, data)

    assert caught.value.key == KEY
    assert str(caught.value).startswith("items!/notes!/a!: ")


@pytest.mark.parametrize("name", LINE)
def test_a_missing_field_is_refused(name: str) -> None:
    line = {key: value for key, value in LINE.items() if key != name}

    with pytest.raises(CorruptionError):
        unpack(KEY, json.dumps(line).encode() + b"\n" + BODY)


WRONG: dict[str, list[Any]] = {
    "ssshelf": ["1", True, 1.0, None, [1], {}],
    "rev": [None, 3, True, ["3-9a"], {}],
    "n": [None, "3", 3.5, True, [3], {}],
    "prev": [None, 3, "2-8b", [2], [None], [["2-8b"]], {"2-8b": 1}],
    "state": [None, "odd", "", True, 1, ["live"], {}],
    "type": [None, 5, ["text"], {}],
    "size": [None, str(len(BODY)), float(len(BODY)), -len(BODY), len(BODY) + 1, [len(BODY)], {}],
    "entries": [
        None,
        3,
        "by-tag!/x!",
        [],
        ["by-tag!/x!"],
        {"3-9a": "by-tag!/x!"},
        {"3-9a": 5},
        {"3-9a": None},
        {"3-9a": [5]},
        {"3-9a": [None]},
        {"3-9a": [["by-tag!/x!"]]},
        {"3-9a": {"by-tag!/x!": 1}},
    ],
}


@pytest.mark.parametrize(
    ("name", "value"), [pytest.param(name, value, id=f"{name} {value}") for name in WRONG for value in WRONG[name]]
)
def test_a_field_of_the_wrong_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(CorruptionError) as caught:
        unpack(KEY, stored(**{name: value}))

    assert caught.value.key == KEY


@pytest.mark.parametrize("number", ["1e400", "-1e400", "123456789012345678901234567890", "NaN", "Infinity"])
@pytest.mark.parametrize("name", ["n", "size", "ssshelf"])
def test_a_number_that_is_out_of_range_is_refused(name: str, number: str) -> None:
    line = stored().replace(f'"{name}": {LINE[name]}'.encode(), f'"{name}": {number}'.encode())

    with pytest.raises(CorruptionError):
        unpack(KEY, line)


@pytest.mark.parametrize("version", [0, 2, 7, 10**15])
def test_another_format_is_named_whatever_else_it_holds(version: int) -> None:
    with pytest.raises(
        CorruptionError, match=f"stored in format {version}; this version of ssshelf reads format 1 only"
    ):
        unpack(KEY, json.dumps({"ssshelf": version, "anything": []}).encode() + b"\nany body")


def test_the_sizes_are_told_when_they_differ() -> None:
    with pytest.raises(CorruptionError, match="the document should have 12 bytes and has 11"):
        unpack(KEY, GOLDEN[:-1])


def test_an_error_does_not_show_the_document() -> None:
    data = stored(b"hush", size=5)

    with pytest.raises(CorruptionError) as caught:
        unpack(KEY, data)

    assert "hush" not in str(caught.value) + repr(caught.value)


def test_a_field_that_is_not_known_yet_does_no_harm() -> None:
    assert unpack(KEY, stored(later="addition")) == (HEADER, BODY)


@pytest.mark.parametrize(
    ("rev", "descends"), [("3-9a", True), ("2-8b", True), ("1-7c", True), ("0-00", False), ("", False)]
)
def test_a_header_knows_its_lineage(rev: str, descends: bool) -> None:  # noqa: FBT001
    assert HEADER.descends_from(rev) == descends


def test_a_lineage_keeps_the_last_revisions_and_the_first() -> None:
    header = Header("1-a", 1)
    for n in range(2, 30):
        header = Header(f"{n}-a", n, header.remembered())

    assert len(header.lineage) == LINEAGE
    assert header.lineage == (*(f"{n}-a" for n in range(28, 13, -1)), "1-a")


@pytest.mark.parametrize(("n", "forgotten"), [(1, False), (2, True), (13, True), (14, False), (28, False), (29, False)])
def test_a_header_knows_what_it_has_forgotten(n: int, forgotten: bool) -> None:  # noqa: FBT001
    assert Header("29-a", 29).has_forgotten(n) is forgotten
