"""The JSON interface: making links, and following them."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI

from examples.url_shortener.shortener import guards
from examples.url_shortener.shortener.service import Shortener
from examples.url_shortener.shortener.slugs import RESERVED
from examples.url_shortener.shortener.web import LARGEST_BODY_BYTES
from ssshelf.storages.faulty import Fault, FaultyStorage, Request

from .conftest import Clock

PEPS = "https://www.python.org/dev/peps/?sort=number#top"
PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_link_is_made_and_followed(client: httpx.AsyncClient) -> None:
    made = await client.post("/new/", json={"url": PEPS})
    followed = await client.get(made.json()["short_url"])

    assert made.status_code == 201
    assert made.json() == {"original_url": PEPS, "short_url": made.json()["short_url"]}
    assert made.json()["short_url"].startswith("http://sho.rt/")
    assert (followed.status_code, followed.headers["location"]) == (302, PEPS)


async def test_a_link_gets_the_slug_it_asks_for(client: httpx.AsyncClient) -> None:
    made = await client.post("/new/", json={"url": PEPS, "slug": "peps"})

    assert made.json() == {"original_url": PEPS, "short_url": "http://sho.rt/peps/"}


async def test_the_last_slash_may_be_missing(client: httpx.AsyncClient) -> None:
    await client.post("/new", json={"url": PEPS, "slug": "peps"})

    followed = await client.get("/peps")

    assert (followed.status_code, followed.headers["location"]) == (302, PEPS)


@pytest.mark.parametrize(
    "slug", ["nobody", "a.b", "%20", "a%2Fb", "%E2%98%83", "%00", "%FF", "x" * 5000, "..%2F", "a%0A"]
)
async def test_an_unknown_slug_is_not_found(client: httpx.AsyncClient, slug: str) -> None:
    answers = [await client.get(f"/{slug}/"), await client.get(f"/links/{slug}/"), await client.head(f"/{slug}/")]

    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_a_taken_slug_is_a_conflict(client: httpx.AsyncClient) -> None:
    await client.post("/new/", json={"url": PEPS, "slug": "peps"})

    second = await client.post("/new/", json={"url": "https://example.org/", "slug": "peps"})

    assert second.status_code == 409
    assert (await client.get("/peps/")).headers["location"] == PEPS


async def test_of_many_who_want_one_slug_at_once_one_gets_it(client: httpx.AsyncClient) -> None:
    requests = [client.post("/new/", json={"url": f"https://example.org/{n}", "slug": "it"}) for n in range(50)]

    answers = await asyncio.gather(*requests)

    winners = [answer for answer in answers if answer.status_code == 201]
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 49
    assert (await client.get("/it/")).headers["location"] == winners[0].json()["original_url"]


async def test_a_drawn_slug_that_is_taken_is_drawn_again(storage: FaultyStorage) -> None:
    drawn = iter(["one", "one", "one", "two"])
    shortener = Shortener(storage, draw=lambda: next(drawn))

    slugs = [(await shortener.shorten(PEPS)).slug for _ in range(2)]

    assert slugs == ["one", "two"]


async def test_a_link_ends(client: httpx.AsyncClient, clock: Clock) -> None:
    await client.post("/new/", json={"url": PEPS, "slug": "peps", "expires": "2026-03-14T12:00:05Z"})
    before = await client.get("/peps/")
    clock.tick(seconds=5)

    after = await client.get("/peps/")

    assert (before.status_code, after.status_code) == (302, 404)


@pytest.mark.parametrize("expires", ["2026-03-14T12:00:05", "2026-03-14T14:00:05+02:00", 1773489605])
async def test_a_time_is_understood(client: httpx.AsyncClient, shortener: Shortener, expires: str | int) -> None:
    await client.post("/new/", json={"url": PEPS, "slug": "peps", "expires": expires})

    link = await shortener.look_up("peps")

    assert link
    assert link.expires
    assert link.expires.isoformat() == "2026-03-14T12:00:05+00:00"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"url": None},
        {"url": ""},
        {"url": "python.org"},
        {"url": "ftp://python.org"},
        {"url": "javascript:alert(1)"},
        {"url": "data:text/html,hello"},
        {"url": "//python.org/"},
        {"url": "https://"},
        {"url": "https://user:password@python.org/"},
        {"url": "https://www.python.org@evil.example/"},
        {"url": f"https://python.org/{'x' * 2048}"},
        {"url": f"https://python.org/{'ä' * 1000}"},
        {"url": "http://sho.rt/peps/"},
        {"url": "https://SHO.rt./"},
        {"url": "https://exa mple.org"},
        {"url": "https://\ud800"},
        {"url": PEPS, "slug": ""},
        {"url": PEPS, "slug": "a/b"},
        {"url": PEPS, "slug": "a b"},
        {"url": PEPS, "slug": "☃"},
        {"url": PEPS, "slug": "\uff41"},
        {"url": PEPS, "slug": "x" * 65},
        {"url": PEPS, "slug": ".."},
        {"url": PEPS, "slug": "New"},
        {"url": PEPS, "slug": 5},
        {"url": PEPS, "expires": "soon"},
        {"url": PEPS, "expires": "2026-03-14T12:00:00Z"},
        {"url": PEPS, "expires": "9999-12-31T23:59:59-12:00"},
        {"url": PEPS, "expires": float("nan")},
        {"url": PEPS, "expires": 1e300},
        {"url": PEPS, "owner": "me"},
        [],
        "https://python.org",
    ],
    ids=lambda wrong: ascii(wrong)[:60],
)
async def test_what_is_wrong_is_refused(client: httpx.AsyncClient, storage: FaultyStorage, wrong: object) -> None:
    body = json.dumps(wrong).encode()

    answer = await client.post("/new/", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["detail"][0]["msg"]
    assert [request.kind for request in storage.requests] == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null", b'{"url":NaN}'], ids=repr)
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/new/", content=body, headers={"content-type": "application/json"})

    assert answer.status_code in (400, 422)


async def test_a_body_is_bounded(client: httpx.AsyncClient) -> None:
    body = {"url": PEPS, "slug": "x" * LARGEST_BODY_BYTES}

    answers = [await client.post("/new/", json=body), await client.post("/", data=body)]

    assert [answer.status_code for answer in answers] == [413, 413]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  https://example.org  ", "https://example.org"),
        ("HTTPS://Example.ORG/A", "https://example.org/A"),
        ("https://bücher.example/über?q=ä b#c", "https://xn--bcher-kva.example/%C3%BCber?q=%C3%A4%20b#c"),
        ("https:\\\\example.org\\x", "https://example.org/x"),
        ('https://example.org/"><script>', "https://example.org/%22%3E%3Cscript%3E"),
        ("https://exa\nmple.org/a\r\nSet-Cookie: x", "https://example.org/aSet-Cookie:%20x"),
        ("http://[::1]:8080/x", "http://[::1]:8080/x"),
        ("https://example.org/100%25?a=%E4", "https://example.org/100%25?a=%E4"),
    ],
)
async def test_a_target_is_what_a_browser_makes_of_it(client: httpx.AsyncClient, given: str, kept: str) -> None:
    made = await client.post("/new/", json={"url": given, "slug": "it"})

    assert made.json()["original_url"] == kept
    assert (await client.get("/it/")).headers["location"] == kept


async def test_looking_is_no_click(client: httpx.AsyncClient, shortener: Shortener) -> None:
    await client.post("/new/", json={"url": PEPS, "slug": "peps"})

    looked = await client.head("/peps/")

    assert (looked.status_code, looked.headers["location"], looked.content) == (302, PEPS, b"")
    assert shortener.clicks.waiting == 0


async def test_every_answer_has_the_headers_of_a_careful_site(client: httpx.AsyncClient) -> None:
    await client.post("/new/", json={"url": PEPS, "slug": "peps"})
    paths = ["/", "/peps/", "/links/peps/", "/docs", "/openapi.json", "/static/style.css", "/nobody/", "/healthz"]

    answers = [await client.get(path) for path in paths]

    policies = {answer.headers["content-security-policy"] for answer in answers}
    assert len(policies) == 1
    assert "unsafe" not in policies.pop()
    assert {answer.headers["x-content-type-options"] for answer in answers} == {"nosniff"}
    assert {"strict-transport-security" in answer.headers for answer in answers} == {False}


async def test_a_browser_that_came_by_https_is_to_stay_with_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("https://sho.rt/healthz")

    assert answer.headers["strict-transport-security"]


async def test_no_slug_hides_a_path_of_the_site(app: FastAPI) -> None:
    paths = {path.split("/")[1] for path in app.openapi()["paths"]} | {
        str(getattr(route, "path", "")).strip("/").split("/")[0] for route in app.routes
    }

    assert {path for path in paths if path and "{" not in path and "." not in path} <= RESERVED


async def test_the_interface_is_documented(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    described = (await client.get("/openapi.json")).json()["paths"]

    assert page.status_code == 200
    assert set(described) == {"/new/", "/{slug}/"}
    assert set(described["/new/"]["post"]["responses"]) == {"201", "400", "409", "413", "422", "503"}


@pytest.mark.parametrize("fault", [Fault.UNSENT, Fault.LOST])
async def test_a_storage_that_fails_is_unavailable(
    client: httpx.AsyncClient, storage: FaultyStorage, fault: Fault
) -> None:
    storage.plan = lambda _: fault

    answers = [await client.get(path, headers=PAGE) for path in ("/", "/peps/", "/links/peps/", "/?host=a.example")]

    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert {"injected" in answer.text for answer in answers} == {False}


async def test_programs_get_json_when_the_storage_fails(client: httpx.AsyncClient, storage: FaultyStorage) -> None:
    storage.plan = lambda _: Fault.UNSENT

    answer = await client.post("/new/", json={"url": PEPS})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["detail"].startswith("The storage does not answer")


async def test_a_write_of_which_the_answer_was_lost_is_found_to_be_done(
    client: httpx.AsyncClient, storage: FaultyStorage
) -> None:
    storage.plan = lambda request: Fault.ANSWER_LOST if is_commit(request) else None

    answer = await client.post("/new/", json={"url": PEPS, "slug": "peps"})

    assert answer.status_code == 201


async def test_who_has_to_find_out_whether_a_link_was_made_is_told_so(
    client: httpx.AsyncClient, storage: FaultyStorage
) -> None:
    storage.plan = lambda request: Fault.LOST if is_commit(request) else None

    answer = await client.post("/new/", json={"url": PEPS, "slug": "peps"})

    assert answer.status_code == 503
    assert "did not say whether" in answer.json()["detail"]


async def test_an_answer_that_takes_too_long_is_given_up(
    client: httpx.AsyncClient, storage: FaultyStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "ANSWER_S", 0.01)
    storage.plan = lambda _: Fault.HANG

    answers = [await client.get(path, headers=PAGE) for path in ("/", "/peps/", "/links/peps/")]

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert ["takes too long" in answer.text for answer in answers] == [True, True, True]


def is_commit(request: Request) -> bool:
    return request.kind in ("put", "commit") and any(key.parts[0] == "items" for key in request.keys)
