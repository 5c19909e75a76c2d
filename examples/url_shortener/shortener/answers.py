"""What goes wrong, as answers: a page for a browser, JSON for a program, and never a stack trace."""

from __future__ import annotations

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ssshelf import AlreadyExistsError, CommitUnknownError, InvalidCursorError, ShelfError

from .web import templates

RETRY_AFTER_S = 5

UNAVAILABLE = "The storage does not answer just now. Please try again in a moment."
TOO_SLOW = "This takes too long just now. Please try again in a moment."
UNKNOWN = "The storage did not say whether the link was made. Please look for it in a moment, before you make it again."
TAKEN = "This short name is taken."
NO_SUCH_PAGE = "There is no such page here any more. Please begin with the first one."

_log = logging.getLogger("uvicorn.error")


def install(app: FastAPI) -> None:
    """Have ``app`` answer errors as this module does."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(AlreadyExistsError, lambda request, _: problem(request, 409, TAKEN))
    app.add_exception_handler(InvalidCursorError, lambda request, _: problem(request, 400, NO_SUCH_PAGE))
    app.add_exception_handler(ShelfError, unavailable)
    app.add_exception_handler(TimeoutError, unavailable)


def problem(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return what tells ``detail``, in the form that the request asks for."""
    if not _wants_page(request):
        return JSONResponse({"detail": detail}, status, headers)
    context = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return templates.TemplateResponse(request, "problem.html", context, status, headers)


async def unavailable(request: Request, error: Exception) -> Response:
    """Return 503; what is wrong is for the operator's eyes."""
    _log.error("%s %r: %r", request.method, request.url.path, error)
    detail = {CommitUnknownError: UNKNOWN, TimeoutError: TOO_SLOW}.get(type(error), UNAVAILABLE)
    return problem(request, 503, detail, {"Retry-After": str(RETRY_AFTER_S)})


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(request, error.status_code, str(error.detail), dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    """Return what is wrong with the request, without repeating what it said."""
    assert isinstance(error, RequestValidationError)
    if _wants_page(request):
        return problem(request, 422, "; ".join(f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()))
    detail = [{name: one[name] for name in ("type", "loc", "msg")} for one in error.errors()]
    return JSONResponse({"detail": detail}, 422)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
