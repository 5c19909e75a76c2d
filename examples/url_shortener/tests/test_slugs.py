"""Slugs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from examples.url_shortener.shortener.slugs import is_slug, new_slug


def test_a_new_slug_is_short_and_valid() -> None:
    slug = new_slug()

    assert is_slug(slug)
    assert len(slug) == 11


def test_slugs_of_many_who_draw_at_once_hardly_ever_clash() -> None:
    with ThreadPoolExecutor(16) as pool:
        slugs = list(pool.map(lambda _: new_slug(), range(10_000)))

    assert len(set(slugs)) >= 9_999


@pytest.mark.parametrize("text", ["", "a b", "a\n", "é", "x" * 65, "a.b", "a/b", "٣"])
def test_what_no_link_is_called(text: str) -> None:
    assert not is_slug(text)
