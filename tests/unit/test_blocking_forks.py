"""Connections that came through a fork: the child's copies are not the child's to close."""

from __future__ import annotations

import sys

import pytest

from tests.programs import run

PROGRAM = """
import gc, hashlib, os, sys, threading, warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads

class Store(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("ETag", '"' + hashlib.md5(data).hexdigest() + '"')
        self.end_headers()
        connections.add(self.client_address)

    def log_message(self, *args): pass

connections = set()
ThreadingHTTPServer.handle_error = lambda *args: None  # connections end with the child or the program
server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ.update(AWS_ACCESS_KEY_ID="t", AWS_SECRET_ACCESS_KEY="t", AWS_DEFAULT_REGION="us-east-1", NO_PROXY="*")

from ssshelf import Key, Shelf
from ssshelf.blocking import Shelf as BlockingShelf
from ssshelf.storages.s3 import S3Storage

def opened():
    return S3Storage("bucket1", endpoint_url=f"http://127.0.0.1:{server.server_port}", read_timeout_s=10,
        addressing_style="path")

def fork(drop):
    child = os.fork()
    if child == 0:
        drop()
        gc.collect()
        end()
    assert os.waitpid(child, 0)[1] == 0

"""


def program(lines: str) -> str:
    return run(PROGRAM + lines, dev=False)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("ending", ["os._exit(0)", "sys.exit()"])
@pytest.mark.parametrize("mine", ["storage.aclose", "None"], ids=["closed with the shelf", "closed by the caller"])
def test_a_child_that_drops_its_copies_leaves_the_connections_of_its_parent_alone(mine: str, ending: str) -> None:
    out = program(f"""
def end():
    {ending}

storage = opened()
shelf = BlockingShelf(Shelf(storage), aclose={mine})
shelf["a"] = 1

def drop():
    global shelf, storage
    if {mine} is None:
        warnings.simplefilter("ignore", ResourceWarning)  # of a storage that was not closed
    del shelf, storage

fork(drop)
shelf["a"] = 2
shelf.close()
from ssshelf.blocking import run
run(storage.aclose)
print(len(connections))
""")
    assert out == "1\n"
