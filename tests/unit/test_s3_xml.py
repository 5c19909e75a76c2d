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


def read(*pieces: bytes) -> XMLAnswer:
    answer = XMLAnswer()
    for piece in pieces:
        answer.feed(piece)
    answer.end()
    return answer


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_answer_may_come_in_pieces_of_any_size(size: int) -> None:
    answer = read(*(LISTING[start : start + size] for start in range(0, len(LISTING), size)))

    assert answer.root == "ListBucketResult"
    assert [answer.field(name) for name in ("IsTruncated", "MaxKeys", "Name", "Prefix")] == ["true", "2", "b", ""]
    assert answer.column("Contents", "Key") == ["a&\u00e9\u00e9", "<b>"]
    assert answer.column("Contents", "ETag") == ['"1"', ""]
    assert answer.column("Contents", "Size") == ["3", ""]


def test_namespaces_do_not_matter() -> None:
    answer = read(b"<Error><Code>NoSuchKey</Code></Error>")

    assert (answer.root, answer.field("Code")) == ("Error", "NoSuchKey")


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
        read(text.encode())


def test_entities_are_refused_in_any_encoding() -> None:
    with pytest.raises(ValueError, match="the answer is"):
        read('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"))
