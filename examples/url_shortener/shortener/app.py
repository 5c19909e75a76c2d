"""The web application; ``uvicorn --factory shortener.app:create_app`` runs it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from ssshelf import open_storage

from . import answers, api, docs, pages
from .guards import Deadline, StrictHeaders
from .service import Shortener
from .web import HOME


def create_app(shortener: Shortener | None = None, base_url: str | None = None) -> FastAPI:
    """Return the application.

    Args:
        shortener: What it works on; by default on the storage that SSSHELF_URL names, or else an SQLite file here.
        base_url: The address that short ones begin with; by default SHORTENER_BASE_URL, or else what each request
            was sent to.
    """
    if shortener is None:
        shortener = Shortener(open_storage(os.environ.get("SSSHELF_URL") or "sqlite:///shortener.db"))
    base_url = base_url or os.environ.get("SHORTENER_BASE_URL")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with shortener.running():
            yield

    app = FastAPI(
        title="Shortener",
        description="Make short links, and follow them.",
        version=version("ssshelf"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.shortener = shortener
    app.state.base_url = base_url and f"{base_url.rstrip('/')}/"
    app.add_middleware(Deadline)
    app.add_middleware(StrictHeaders)
    answers.install(app)
    app.include_router(api.router)  # the first, since looking for a route takes longer than redirecting
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=HOME / "static"))
    docs.install(app)
    return app
