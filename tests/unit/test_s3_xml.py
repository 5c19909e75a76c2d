"""The answers of S3, however they are written, and what is none."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssshelf.storages._s3_xml import XMLAnswer

LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><IsTruncated>true</IsTruncated>
  <Contents><Key>a&amp;&#233;\u00e9</Key><ETag>&quot;1&quot;</ETag><Owner><ID>me</ID></Owner><Size>3</Size></Contents>
  <Contents><Key >&lt;b></Key><ETag xsi:type = 'a>"' b="/"></ETag></Contents>
  <Contents><Keys>c</Keys><ETag/><ETag />no text of an ETag<ETag a='"'/></Contents>
  <MaxKeys>2</MaxKeys>
</ListBucketResult>""".encode()

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
ESCAPES = st.sampled_from(
    ['"', "&", "&quot;", "&amp;quot;", "&#38;lt;", "&#34;", "&#x22;", "&apos;", "<", ">", "]]>", "'"]
)
SPACES = st.sampled_from(["", "\n", "  ", "\t"])
ELEMENTS = st.tuples(
    SPACES, st.sampled_from(["Key", "Keys", "K", "ETag"]), st.lists(TEXTS | ESCAPES).map("".join), SPACES
)


def test_texts_are_read_by_the_names_of_their_elements() -> None:
    answer = XMLAnswer(LISTING, "Key", "ETag", "Size", "Owner", "IsTruncated", "Prefix")

    assert answer.root == "ListBucketResult"
    assert answer.texts["Key"] == ["a&\u00e9\u00e9", "<b>"]
    assert answer.texts["ETag"] == ['"1"', "", "", "", ""]
    assert answer.texts["Size"] == ["3"]
    assert answer.texts["Owner"] == [""]
    assert [answer.first(name) for name in ("IsTruncated", "Prefix")] == ["true", ""]


@given(st.lists(ELEMENTS))
def test_texts_are_what_a_parser_reads(elements: list[tuple[str, str, str, str]]) -> None:
    inner = "".join(f"{before}<{n}{gap}>{escape(text)}</{n}{gap}>" for before, n, text, gap in elements)
    document = f"<a>{inner}</a>"

    found = XMLAnswer(document.encode(), "Key", "ETag").texts

    root = ET.fromstring(document)  # noqa: S314  made above
    assert found == {name: [element.text or "" for element in root.iter(name)] for name in ("Key", "ETag")}


@pytest.mark.parametrize(
    "text", ["&#38;lt;", "&amp;lt;", "&amp;quot;", "&#x26;quot;", "&#128;", "&apos;&gt;&#x1F600;", "a&#13;b"]
)
def test_escapes_are_taken_back_once(text: str) -> None:
    document = f"<a><Key>{text}</Key></a>"

    expected = ET.fromstring(document).findtext("Key")  # noqa: S314  written above
    assert XMLAnswer(document.encode(), "Key").first("Key") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Log in",
        "{}",
        "<html><p>Log in</html>",
        LISTING.decode()[:-5],
        LISTING.decode() + "<more/>",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<a>&b;</a>",
        "<a><![CDATA[<Key>b</Key>]]></a>",
        "<a><!-- <Key>b</Key> --></a>",
        "<a><?b <Key>b</Key>?></a>",
    ],
)
def test_what_is_no_answer_of_a_store_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the answer is"):
        XMLAnswer(text.encode())


def test_entities_are_refused_in_any_encoding() -> None:
    with pytest.raises(ValueError, match="the answer is"):
        XMLAnswer('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"))
