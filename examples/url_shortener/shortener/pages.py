"""The pages, which work without JavaScript."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from ssshelf import AlreadyExistsError

from .answers import TAKEN
from .api import NO_SUCH_LINK
from .chart import chart_of
from .schemas import NewLink
from .targets import host_of
from .web import LARGEST_BODY_BYTES, short_url, shorten, shortener_of, templates

DAYS = 30
LIFETIMES = {"": "Never", "1": "In a day", "7": "In a week", "30": "In 30 days", "365": "In a year"}
"""What the form offers, by days."""

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=4096)]


@router.head("/")
@router.get("/")
async def show_links(
    request: Request,
    host: Annotated[str, Query(max_length=2048)] = "",
    after: Annotated[str | None, Query(max_length=2048)] = None,
) -> Response:
    """Show the form, and the newest links, of all or of one host."""
    return await _home(request, host=host.strip(), after=after)


@router.post("/", max_body_size=LARGEST_BODY_BYTES)
async def make_a_link(request: Request, url: Text = "", slug: Text = "", days: Text = "") -> Response:
    """Make a link of what the form says, and go on to its page; or show the form again, with what is wrong."""
    filled = {"url": url, "slug": slug.strip(), "days": days}
    lifetime = timedelta(int(days)) if days and days in LIFETIMES else None
    expires = None if lifetime is None else shortener_of(request).clock() + lifetime
    try:
        link = await shorten(request, NewLink(url=url, slug=filled["slug"] or None, expires=expires))
    except (ValidationError, RequestValidationError) as error:
        problems = {str(one["loc"][-1]): _sentence(one["msg"]) for one in reversed(error.errors())}
        return await _home(request, 422, filled=filled, problems=problems)
    except AlreadyExistsError:
        return await _home(request, 409, filled=filled, problems={"slug": TAKEN})
    return RedirectResponse(f"/links/{link.slug}/", 303)


@router.head("/links/{slug}")
@router.head("/links/{slug}/")
@router.get("/links/{slug}")
@router.get("/links/{slug}/")
async def show_a_link(request: Request, slug: str) -> Response:
    """Show where a link leads, and its clicks by day."""
    shortener = shortener_of(request)
    link = await shortener.look_up(slug)
    if link is None:
        raise HTTPException(404, NO_SUCH_LINK)
    counts = await shortener.clicks.by_day(slug, DAYS)
    context = {"link": link, "short_url": short_url(request, link), "now": shortener.clock(), "chart": chart_of(counts)}
    return templates.TemplateResponse(request, "link.html", context)


async def _home(
    request: Request, status: int = 200, *, host: str = "", after: str | None = None, **form: Any
) -> Response:
    page, known_host = None, _host(host)
    if known_host is not None or not host:
        page = await shortener_of(request).newest(known_host, after)
    links = [(link, short_url(request, link)) for link in page or ()]
    context = {
        "links": links,
        "after": page and page.after,
        "is_first": after is None,
        "host": host,
        "now": shortener_of(request).clock(),
        "lifetimes": LIFETIMES,
        "filled": {},
        "problems": {},
    }
    return templates.TemplateResponse(request, "home.html", context | form, status)


def _host(text: str) -> str | None:
    """Return the host that somebody searches for, who may have pasted a whole address; ``None`` if it is none."""
    try:
        return host_of(text if "://" in text else f"http://{text}")
    except ValidationError:
        return None


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return f"{message[:1].upper()}{message[1:]}."
