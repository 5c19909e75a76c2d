"""The answers of S3, cut anywhere, and what is none."""

from __future__ import annotations

import pytest

from ssshelf.storages._s3_xml import XMLAnswer

LISTING = """<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>b</Name><IsTruncated>true</IsTruncated>
  <Contents><Key>a&amp;&#233;\u00e9</Key><ETag>&quot;1&quot;</ETag><Owner><ID>me</ID></Owner><Size>3</Size></Contents>
  <Contents><Key><![CDATA[<b>]]></Key><ETag></ETag></Contents>
  <MaxKeys>2</MaxKeys>
</ListBucketResult>""".encode()


def test_texts_are_read_by_the_names_of_their_elements() -> None:
    answer = XMLAnswer(LISTING, "Key", "ETag", "Size", "Owner", "IsTruncated", "Prefix")

    assert answer.root == "ListBucketResult"
    assert answer.texts["Key"] == ["a&\u00e9\u00e9", "<b>"]
    assert answer.texts["ETag"] == ['"1"', ""]
    assert answer.texts["Size"] == ["3"]
    assert answer.texts["Owner"] == [""]
    assert [answer.first(name) for name in ("IsTruncated", "Prefix")] == ["true", ""]


@pytest.mark.parametrize("text", ["", " ", "\n  ", " a ", "Key", "x" * 100_000, "\u00e9" * 5000])
def test_a_text_is_that_of_its_own_element(text: str) -> None:
    answer = XMLAnswer(f"<a>\n  <b>b</b>\n  <Key>{text}</Key>\n  <c/>\n</a>".encode(), "Key", "c")

    assert answer.texts == {"Key": [text if text.strip() else ""], "c": [""]}


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
    ],
)
def test_what_is_no_answer_of_a_store_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the answer is"):
        XMLAnswer(text.encode())


def test_entities_are_refused_in_any_encoding() -> None:
    with pytest.raises(ValueError, match="the answer is"):
        XMLAnswer('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"))
