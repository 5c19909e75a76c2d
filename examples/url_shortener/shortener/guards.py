"""What surrounds every request: headers that tell browsers to be strict, and a limit of time."""

from __future__ import annotations

import asyncio

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import unavailable

ANSWER_S = 20.0
"""When the answer to a request has to begin; Heroku's router gives up after 30 seconds."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"cache-control", b"no-cache"),  # also of redirects: each click shall come here
]
HEADERS_OF_HTTPS = [*HEADERS, (b"strict-transport-security", b"max-age=31536000")]


class StrictHeaders:
    """Adds the same headers to each answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = HEADERS_OF_HTTPS if scope["scheme"] == "https" else HEADERS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Deadline:
    """Answers 503 when an answer takes too long to begin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        timeout = asyncio.timeout(ANSWER_S)

        async def send_in_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                timeout.reschedule(None)
            await send(message)

        try:
            async with timeout:
                await self._app(scope, receive, send_in_time)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            answer = await unavailable(Request(scope), error)
            await answer(scope, receive, send)
