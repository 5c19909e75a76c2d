"""moto, one request after the other: left alone, two of its threads may both create what only one of them may."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["serve"]


def serve(port: int) -> None:
    """Answer on a port of this machine until the process ends."""
    moto = DomainDispatcherApplication(create_backend_app)
    turn = threading.Lock()

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with turn, closing(ClosingIterator(moto(environ, start_response))) as parts:
            return list(parts)

    run_simple("127.0.0.1", port, answer, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
