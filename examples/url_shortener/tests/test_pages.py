"""The pages, as a browser without JavaScript has them."""

from __future__ import annotations

import re

import httpx
import pytest

from examples.url_shortener.shortener.service import PAGE, Shortener

from .conftest import Clock

PEPS = "https://www.python.org/dev/peps/"


async def test_the_form_makes_a_link_and_leads_to_its_page(client: httpx.AsyncClient) -> None:
    made = await client.post("/", data={"url": PEPS, "slug": "peps", "days": "7"})
    page = await client.get(made.headers["location"])

    assert (made.status_code, made.headers["location"]) == (303, "/links/peps/")
    assert 'value="http://sho.rt/peps/"' in page.text
    assert "21 Mar 2026" in page.text


async def test_the_form_needs_no_slug(client: httpx.AsyncClient) -> None:
    made = await client.post("/", data={"url": PEPS, "slug": " ", "days": ""})

    assert made.status_code == 303


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        ({"url": "gopher://x"}, 422, "This is not the address of a web page"),
        ({"url": "http://sho.rt/x"}, 422, "This is an address of this site"),
        ({"url": PEPS, "slug": "a b"}, 422, "A short name has up to 64 characters"),
        ({"url": PEPS, "slug": "docs"}, 422, "The site itself uses this name"),
        ({"url": PEPS, "slug": "taken"}, 409, "This short name is taken"),
        ({"url": PEPS, "days": "99999999999"}, 303, ""),
        ({}, 422, "This is not the address of a web page"),
    ],
)
async def test_the_form_comes_back_with_what_was_wrong(
    client: httpx.AsyncClient, shortener: Shortener, data: dict[str, str], status: int, said: str
) -> None:
    await shortener.shorten(PEPS, "taken")

    answer = await client.post("/", data=data)

    assert answer.status_code == status
    assert said in answer.text
    assert said == "" or 'aria-invalid="true"' in answer.text
    assert said == "" or f'value="{data.get("url", "")}"' in answer.text


async def test_nothing_that_was_sent_becomes_markup(client: httpx.AsyncClient) -> None:
    evil = '"><script>alert(1)</script>'

    pages = [
        await client.post("/", data={"url": evil, "slug": evil, "days": evil}),
        await client.get("/", params={"host": evil}),
        await client.get("/", params={"host": evil, "after": evil}),
        await client.get(f"/{evil}/", headers={"accept": "text/html"}),
        await client.get("/", headers={"host": evil}),
    ]

    assert [page.status_code for page in pages] == [422, 200, 200, 404, 200]
    assert {"<script>alert" in page.text for page in pages} == {False}


async def test_links_are_listed_newest_first_page_by_page(
    client: httpx.AsyncClient, shortener: Shortener, clock: Clock
) -> None:
    for number in range(PAGE + 5):
        await shortener.shorten(f"https://example.org/{number}", f"n{number}")
        clock.tick(seconds=1)

    first = await client.get("/")
    older = re.search(r'href="(/\?[^"]*after=[^"]*)"', first.text)
    assert older
    second = await client.get(older[1].replace("&amp;", "&"))

    assert listed(first) == [f"n{number}" for number in reversed(range(5, PAGE + 5))]
    assert listed(second) == [f"n{number}" for number in reversed(range(5))]
    assert "Older links</a>" not in second.text


async def test_links_are_found_by_host(client: httpx.AsyncClient, shortener: Shortener, clock: Clock) -> None:
    targets = [
        "https://Python.org/1",
        "https://example.org",
        "https://python.org:8443/2",
        "https://python.org.example/",
    ]
    for slug, target in zip("abcd", targets, strict=True):
        await shortener.shorten(target, slug)
        clock.tick(seconds=1)

    found = [await client.get("/", params={"host": host}) for host in ("python.org", " PYTHON.org ", targets[0])]

    assert [listed(page) for page in found] == [["c", "a"]] * 3


async def test_an_international_host_is_found_by_its_name(client: httpx.AsyncClient) -> None:
    await client.post("/new/", json={"url": "https://Bücher.example/1", "slug": "b"})

    assert listed(await client.get("/", params={"host": "bücher.example"})) == ["b"]


@pytest.mark.parametrize("host", ["%", "a b", "x" * 2000, "\x00", "☃", "a@b", "../..", "http://"])
async def test_what_is_no_host_finds_nothing(client: httpx.AsyncClient, host: str) -> None:
    page = await client.get("/", params={"host": host})

    assert page.status_code == 200
    assert listed(page) == []


@pytest.mark.parametrize("after", ["x", "AAAA", "%FF", "é", "x" * 2000])
async def test_a_cursor_that_was_changed_is_refused(client: httpx.AsyncClient, after: str) -> None:
    answers = [await client.get("/", params={"after": after, "host": host}) for host in ("", "python.org")]

    assert [answer.status_code for answer in answers] == [400, 400]


async def test_a_link_that_has_ended_is_shown_as_such(client: httpx.AsyncClient, clock: Clock) -> None:
    await client.post("/", data={"url": PEPS, "slug": "peps", "days": "1"})
    clock.tick(days=1)

    pages = [await client.get("/"), await client.get("/links/peps/")]

    assert [page.status_code for page in pages] == [200, 200]
    assert ["nded</span>" in page.text for page in pages] == [True, True]


async def test_a_page_shows_clicks_by_day(client: httpx.AsyncClient, shortener: Shortener, clock: Clock) -> None:
    await shortener.shorten(PEPS, "peps")
    for clicks in (3, 0, 2):
        for _ in range(clicks):
            await client.get("/peps/")
        clock.tick(days=1)
    await shortener.clicks.save()

    page = await client.get("/links/peps/")

    cells = re.findall(r'<time datetime="([\d-]+)">[^<]*</time></th><td>(\d+)</td>', page.text)
    assert cells[:4] == [("2026-03-17", "0"), ("2026-03-16", "2"), ("2026-03-15", "0"), ("2026-03-14", "3")]
    assert len(cells) == 30
    assert "<title>14 March: 3</title>" in page.text
    assert "5 clicks" in page.text


def listed(page: httpx.Response) -> list[str]:
    return re.findall(r'class="short" href="/links/([^/]+)/"', page.text)
