"""The pages in Chromium: on a desktop and on a phone, with JavaScript and without.

With a directory in SCREENSHOTS, as ``make screenshots`` sets it, the walks leave pictures there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.async_playwright import Axe
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright, expect

from examples.url_shortener.shortener.models import ClickCounts, Clicks
from examples.url_shortener.shortener.service import Shortener
from ssshelf import MemoryStorage
from ssshelf.storages.base import Storage
from ssshelf.testing.servers import free_ports

from .conftest import Clock

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # milliseconds, for machines that are busy

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1080, "height": 760}},
    "phone": {
        "viewport": {"width": 390, "height": 760},
        "device_scale_factor": 1.5,
        "is_mobile": True,
        "has_touch": True,
    },
}
LINKS = {
    "pep-3156": "https://www.python.org/dev/peps/pep-3156/",
    "wal": "https://www.sqlite.org/wal.html",
    "boto": "https://github.com/aio-libs/aiobotocore",
    "s3": "https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html",
    "ended": "https://www.python.org/downloads/release/python-2718/",
}
EACH_DAY = [9, 14, 31, 28, 35, 12, 6, 33, 41, 38, 44, 29, 11, 8, 36, 52, 49, 61, 40, 15, 9, 47, 58, 70, 66, 51, 18, 13]
"""Clicks, beginning with today's."""


@pytest.fixture
def storage() -> Storage:
    return MemoryStorage()


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def site(app: FastAPI) -> AsyncIterator[str]:
    app.state.base_url = "https://sho.rt/"  # for pictures; the pages' own links do not name a host
    async with serving(app) as url:
        yield url


@pytest.fixture
async def target() -> AsyncIterator[str]:
    """Serve a page for links to lead to."""

    async def hello(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": b"<!doctype html><title>Target</title>"})

    async with serving(hello) as url:
        yield f"{url}/a/page"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with (
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
    ):
        yield browser


@contextlib.asynccontextmanager
async def opened(browser: Browser, site: str, *, said: int = 0, **options: Any) -> AsyncIterator[Page]:
    """Open a page that fails the test when its console says anything, or when it asks another host for anything.

    Of what its console says, so many messages are as they should be: about an answer that is an error.
    """
    wrong: list[str] = []
    async with await browser.new_context(base_url=site, **options) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site)
        page = await context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: None if "127.0.0.1" in request.url else wrong.append(request.url))
        yield page
    assert wrong[said:] == []


async def look(page: Page, name: str = "") -> None:
    """Check what every page has to be, and take its picture if pictures are wanted."""
    size = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    width, room = await page.evaluate(size)
    assert width <= room, "a page must not scroll sideways"
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    directory = os.environ.get("SCREENSHOTS")
    if name and directory:
        await page.screenshot(path=Path(directory) / f"{name}.png")


@pytest.fixture
async def links(shortener: Shortener, clock: Clock) -> None:
    """Have some links, one of which has ended, and many clicks on another."""
    for slug, url in LINKS.items():
        await shortener.shorten(url, slug, clock() + timedelta(hours=1) if slug == "ended" else None)
        clock.tick(days=26 if slug == "pep-3156" else 0, hours=7)
    counts = ClickCounts(shortener.links.storage)
    today = clock().date()
    await counts.add_items(
        Clicks(f"c{ago}", "pep-3156", today - timedelta(ago), count) for ago, count in enumerate(EACH_DAY)
    )


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.usefixtures("links")
async def test_a_walk_from_the_form_to_the_chart(
    browser: Browser,
    site: str,
    target: str,
    shortener: Shortener,
    view: str,
    scripts: bool,  # noqa: FBT001
) -> None:
    async with opened(browser, site, java_script_enabled=scripts, **VIEWS[view]) as page:
        await page.goto("/")
        await page.get_by_label("Address", exact=True).fill(target)
        await page.get_by_label("Short name").fill("mine")
        await page.get_by_label("Ends").select_option("In a week")
        await page.get_by_role("button", name="Shorten").click()

        await expect(page).to_have_url(f"{site}/links/mine/")
        await expect(page.get_by_label("Short address")).to_have_value("https://sho.rt/mine/")
        await expect(page.get_by_role("button", name="Copy")).to_be_visible(visible=scripts)
        await expect(page.get_by_role("heading", name="0 clicks")).to_be_visible()

        await page.goto("/mine/")
        await expect(page).to_have_url(target)
        await shortener.clicks.save()

        await page.goto("/")
        await expect(page.locator(".links li").first).to_contain_text("mine")
        await page.get_by_label("Host").fill("127.0.0.1")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator(".links li")).to_have_count(1)

        await page.get_by_role("link", name="mine").click()
        await expect(page.get_by_role("heading", name="1 click ")).to_be_visible()
        await page.get_by_text("As a table").click()
        await expect(page.get_by_role("row").nth(1)).to_contain_text("1")


@pytest.mark.parametrize("view", [*VIEWS, "dark"])
@pytest.mark.usefixtures("links")
async def test_pages_are_accessible_and_fit(browser: Browser, site: str, view: str) -> None:
    options = VIEWS[view] if view in VIEWS else {"color_scheme": "dark", **VIEWS["desktop"]}
    async with opened(browser, site, said=1, **options) as page:
        await page.goto("/")
        await look(page, f"home-{view}")
        await page.goto("/links/pep-3156/")
        await look(page, f"link-{view}")
        await page.goto("/?host=nobody.example")
        await look(page)
        await page.goto("/nobody/")
        await look(page)


@pytest.mark.parametrize("view", VIEWS)
async def test_what_is_wrong_is_shown_at_its_field(browser: Browser, site: str, view: str) -> None:
    async with opened(browser, site, said=1, java_script_enabled=False, **VIEWS[view]) as page:
        await page.goto("/")
        await page.get_by_label("Address", exact=True).fill("https://me:secret@example.org/")
        await page.get_by_role("button", name="Shorten").click()

        field = page.get_by_label("Address", exact=True)
        await expect(field).to_have_accessible_description(re.compile("user name or password"))
        await expect(field).to_have_value("https://me:secret@example.org/")


@pytest.mark.usefixtures("links")
async def test_a_button_copies_and_says_so(browser: Browser, site: str) -> None:
    async with opened(browser, site) as page:
        await page.goto("/links/wal/")
        await page.get_by_role("button", name="Copy").click()

        await expect(page.get_by_role("button", name="Copied")).to_be_visible()
        await expect(page.get_by_role("status")).to_have_text("The address was copied.")
        assert await page.evaluate("navigator.clipboard.readText()") == "https://sho.rt/wal/"


@pytest.mark.usefixtures("links")
async def test_the_chart_tells_the_number_of_the_day_that_is_pointed_at(browser: Browser, site: str) -> None:
    async with opened(browser, site) as page:
        await page.goto("/links/pep-3156/")
        await page.locator(".day").nth(28).hover()
        await expect(page.locator("figcaption")).to_have_text("9 April: 14")
        await page.get_by_role("heading", level=1).hover()

        await expect(page.locator("figcaption")).to_have_text("\u00a0")


async def test_the_documentation_needs_nobody_else(browser: Browser, site: str) -> None:
    async with opened(browser, site) as page:
        await page.goto("/docs")
        await page.get_by_text("/new/").click()

        await expect(page.get_by_role("button", name="Try it out")).to_be_visible()


@pytest.mark.usefixtures("links")
async def test_all_can_be_done_from_the_keyboard(browser: Browser, site: str) -> None:
    async with opened(browser, site) as page:
        await page.goto("/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_text("Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Address", exact=True)).to_be_focused()
        await page.keyboard.type("https://example.org/by-hand")
        await page.keyboard.press("Enter")

        await expect(page.get_by_role("link", name="https://example.org/by-hand")).to_be_visible()
