"""The JSON interface, and the redirects."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException

from . import slugs
from .schemas import NewLink, Problem, ShortLink
from .web import LARGEST_BODY_BYTES, short_url, shorten, shortener_of

NO_SUCH_LINK = "There is no such link, or it has ended."


class SlugConvertor(StringConvertor):
    """Has ``{name:slug}`` in the path of a route match slugs only, and none that is reserved."""

    regex = slugs.IN_PATHS


register_url_convertor("slug", SlugConvertor())
router = APIRouter(tags=["links"])


def _problems(**described: str) -> dict[int | str, dict[str, Any]]:
    return {int(status[1:]): {"model": Problem, "description": what} for status, what in described.items()}


@router.get("/{slug:slug}", include_in_schema=False)
@router.get(
    "/{slug:slug}/",
    status_code=302,
    response_class=Response,
    responses=_problems(_404="There is no such link, or it has ended", _503="The storage does not answer"),
)
async def follow_a_link(request: Request, slug: str) -> Response:
    """Redirect to where a link leads."""
    answer = await look_at_a_link(request, slug)
    shortener_of(request).clicks.click(slug)
    return answer


@router.head("/{slug:slug}", include_in_schema=False)
@router.head("/{slug:slug}/", include_in_schema=False)
async def look_at_a_link(request: Request, slug: str) -> Response:
    """Tell where a link leads; that is no click."""
    link = await shortener_of(request).find(slug)
    if link is None:
        raise HTTPException(404, NO_SUCH_LINK)
    return Response(status_code=302, headers={"Location": link.url})


@router.post("/new", status_code=201, max_body_size=LARGEST_BODY_BYTES, include_in_schema=False)
@router.post(
    "/new/",
    status_code=201,
    max_body_size=LARGEST_BODY_BYTES,
    responses=_problems(
        _400="This is no JSON", _409="The slug is taken", _413="Too much was sent", _503="The storage does not answer"
    ),
)
async def make_a_link(request: Request, new: NewLink) -> ShortLink:
    """Make a link, and return its short address."""
    link = await shorten(request, new)
    return ShortLink(original_url=link.url, short_url=short_url(request, link))


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", include_in_schema=False)
async def tell_that_it_runs(request: Request) -> dict[str, int]:
    """Tell that the process runs, and how the counting of clicks goes; asks nothing of the storage."""
    clicks = shortener_of(request).clicks
    return {"links_with_unsaved_clicks": clicks.waiting, "dropped_clicks": clicks.dropped}
