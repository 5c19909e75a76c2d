"""The documentation of the JSON interface, with scripts that come from here: no other site learns who reads it."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles

from .web import templates


def install(app: FastAPI) -> None:
    """Serve ``/docs``; FastAPI's own page would load its scripts from elsewhere, and have one within."""
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]))

    @app.head("/docs", include_in_schema=False)
    @app.get("/docs/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def show_documentation(request: Request) -> Response:
        return templates.TemplateResponse(request, "docs.html", {"openapi_url": app.openapi_url})
