"""A line of an export says all that is stored of an item, whatever that is."""

from __future__ import annotations

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ssshelf.envelope import Header, pack
from ssshelf.keys import Key, encode
from ssshelf.layout import new_rev
from ssshelf.transfer.lines import Made, item_line, parse
from ssshelf.transfer.parcels import Parcel


def dumps(value: object) -> bytes:
    """Also what orjson would not write."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
revs = st.builds(new_rev, st.integers(1, 10**9), st.integers(0, 2**64 - 1))
indexes = st.lists(texts, min_size=2, max_size=4).map(lambda parts: encode(tuple(parts))[:-1])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)
bodies = (
    st.binary()
    | values.filter(lambda value: b"NaN" not in repr(value).encode()).map(dumps)
    | st.sampled_from(
        [b'{"a":1,"a":2}', b"1e999", b"18446744073709551616", b"1.0", b'"\xed\xa0\x80"', b" 1", b"-0", b"[1,]"]
    )
    | st.integers(250, 260).map(lambda depth: b"[" * depth + b"]" * depth)
)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    entries = draw(st.dictionaries(indexes, revs, max_size=5))
    claimed = draw(st.lists(st.sampled_from(sorted(entries)), unique=True)) if entries else []
    lineage = tuple(draw(st.lists(revs, max_size=16)))
    return Header(
        draw(revs),
        draw(st.integers(1, 2**53)),
        lineage,
        live=draw(st.booleans()),
        entries=entries,
        claims={index: draw(revs) for index in claimed},
        content_type=draw(st.sampled_from(["", "application/json"]) | texts),
    )


@given(headers(), bodies, texts, texts)
def test_an_item_comes_back_from_its_line_byte_for_byte(header: Header, body: bytes, manager: str, pk: str) -> None:
    data = pack(header, body)
    key = Key("items", manager, pk)

    line = item_line(Parcel.unpack(key, data))
    read = parse(line)

    assert line.count(b"\n") == 1
    assert read == Parcel(key, data, header, body)


@given(headers(), bodies, st.sampled_from([b" ", b"", b'"later":{"x":1.50},']))
def test_an_item_that_was_packed_in_another_way_comes_back_as_it_was(header: Header, body: bytes, more: bytes) -> None:
    data = pack(header, body).replace(b"{", b"{" + more, 1)
    key = Key("items", "m", "a")

    read = parse(item_line(Parcel.unpack(key, data)))

    assert isinstance(read, Parcel)
    assert read.data == data


@given(bodies.filter(lambda body: len(body) < 200))
def test_a_document_stands_in_its_line_as_json_if_it_is_that(body: bytes) -> None:
    line = orjson.loads(item_line(Parcel.unpack(Key("items", "m", "a"), pack(Header("1-" + 16 * "0", 1), body))))

    assert ("document" in line) == is_exact(body)


def is_exact(body: bytes) -> bool:
    try:
        return orjson.dumps(orjson.loads(body)) == body
    except orjson.JSONDecodeError:
        return False


@given(st.binary() | values.map(dumps))
def test_no_line_is_read_wrongly(text: bytes) -> None:
    try:
        line = parse(text)
    except ValueError:
        return
    assert isinstance(line, Parcel | Made) or set(orjson.loads(text)) & {"end", "ssshelf-export"}
