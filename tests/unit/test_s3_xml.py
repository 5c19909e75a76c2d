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


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_answer_may_come_in_pieces_of_any_size(size: int) -> None:
    answer = XMLAnswer("Contents")
    for start in range(0, len(LISTING), size):
        answer.feed(LISTING[start : start + size])
    answer.feed(b"", last=True)

    first, second = answer.records
    assert answer.root == "ListBucketResult"
    assert (answer.fields["IsTruncated"], answer.fields["MaxKeys"], answer.fields["Name"]) == ("true", "2", "b")
    assert (first["Key"], first["ETag"], first["Size"]) == ("a&\u00e9\u00e9", '"1"', "3")
    assert (second["Key"], second["ETag"]) == ("<b>", "")


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
        XMLAnswer().feed(text.encode(), last=True)


def test_entities_are_refused_in_any_encoding() -> None:
    with pytest.raises(ValueError, match="the answer is"):
        XMLAnswer().feed('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode("utf-16"), last=True)
