"""What the handlers of requests share: the shortener they ask, the address of the site, and its templates."""

from __future__ import annotations

from pathlib import Path

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader

from .models import Link
from .schemas import NewLink
from .service import Shortener
from .targets import is_at

HOME = Path(__file__).parent.parent
LARGEST_BODY_BYTES = 16 * 1024
templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(HOME / "templates"),
        autoescape=True,
        auto_reload=False,  # looking for changes would block the event loop
        trim_blocks=True,
        lstrip_blocks=True,
    )
)


def shortener_of(request: Request) -> Shortener:
    shortener: Shortener = request.app.state.shortener
    return shortener


def base_url_of(request: Request) -> str:
    """Return the address of the site: as configured, or as the browser has it."""
    configured: str | None = request.app.state.base_url
    return configured or str(request.base_url)


def short_url(request: Request, link: Link) -> str:
    return f"{base_url_of(request)}{link.slug}/"


async def shorten(request: Request, new: NewLink) -> Link:
    """Make a link.

    Raises:
        RequestValidationError: It leads back to this site, or has ended already.
        AlreadyExistsError: Its slug is taken.
    """
    shortener = shortener_of(request)
    if is_at(new.url, base_url_of(request)):
        raise _refused(url="this is an address of this site, which is short enough")
    if new.expires is not None and new.expires <= shortener.clock():
        raise _refused(expires="this is in the past")
    return await shortener.shorten(new.url, new.slug, new.expires)


def _refused(**reasons: str) -> RequestValidationError:
    fields = reasons.items()
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": why} for name, why in fields])
