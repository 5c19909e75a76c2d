"""A bucket in memory that answers in a tenth of a millisecond, so that what is measured is its client.

    python -m benchmarks.lean_s3 PORT

It knows the requests that clients of this folder send: GET, PUT with and without conditions, DELETE, DeleteObjects, and
ListObjectsV2 without delimiters, addressed by path. The contract of storages runs on it, as a test. It differs from a
real one: signatures are not checked, buckets exist by themselves, and nothing is on a disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote
from xml.sax.saxutils import escape, unescape

from sortedcontainers import SortedDict

_PAGE = 1000
_NO_HEADERS: Mapping[str, str] = {}
_XML = {"Content-Type": "application/xml"}
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


@dataclass(frozen=True, slots=True)
class _Object:
    data: bytes
    etag: str
    modified: float


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    def argument(self, name: str) -> str:
        return self.query.get(name, [""])[0]


class _Connection(asyncio.Protocol):
    """Answers one request after the other."""

    def __init__(self, objects: SortedDict[str, _Object]) -> None:
        self._objects = objects
        self._buffer = b""
        self._promised = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._next()) is not None:
            self._transport.write(self._answer(request))

    def _next(self) -> _Request | None:
        """Return the next request, once all of it is there."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        after = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < after:
            if "expect" in headers and not self._promised:
                self._promised = True
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body, self._buffer, self._promised = self._buffer[end + 4 : after], self._buffer[after:], False
        method, target, _ = first.split(" ")
        path, _, query = target.partition("?")
        return _Request(method, unquote(path[1:]), parse_qs(query, keep_blank_values=True), headers, body)

    def _answer(self, request: _Request) -> bytes:
        bucket, _, key = request.path.partition("/")
        if "transfer-encoding" in request.headers or ("delimiter" in request.query and request.argument("delimiter")):
            return _error(501, "NotImplemented")
        if not key:
            return self._answer_bucket(bucket, request)
        if request.method in {"GET", "HEAD"}:
            return self._get(request)
        if request.method == "PUT":
            return self._put(request)
        if request.method == "DELETE":
            return self._delete(request)
        return _error(405, "MethodNotAllowed")

    def _answer_bucket(self, bucket: str, request: _Request) -> bytes:
        if request.method == "GET" and request.argument("list-type") == "2":
            return self._list(bucket, request)
        if request.method == "POST" and "delete" in request.query:
            return self._delete_many(bucket, request)
        return _response(200, b"") if request.method in {"PUT", "HEAD"} else _error(501, "NotImplemented")

    def _get(self, request: _Request) -> bytes:
        found = self._objects.get(request.path)
        if found is None:
            return _error(404, "NoSuchKey")
        if request.headers.get("if-none-match", "").strip('"') == found.etag:
            return _response(304, b"", {"ETag": f'"{found.etag}"'})
        modified = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(found.modified))
        fields = {"ETag": f'"{found.etag}"', "Last-Modified": modified, "Content-Type": "binary/octet-stream"}
        return _response(200, found.data, fields, with_body=request.method == "GET")

    def _put(self, request: _Request) -> bytes:
        refused = self._refused(request)
        if refused:
            return refused
        etag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        self._objects[request.path] = _Object(request.body, etag, time.time())
        return _response(200, b"", {"ETag": f'"{etag}"'})

    def _delete(self, request: _Request) -> bytes:
        if refused := self._refused(request):
            return refused
        self._objects.pop(request.path, None)
        return _response(204, b"")

    def _refused(self, request: _Request) -> bytes:
        """Return the error of a condition that does not hold."""
        found = self._objects.get(request.path)
        if found is not None and request.headers.get("if-none-match") == "*":
            return _error(412, "PreconditionFailed")
        expected = request.headers.get("if-match")
        if expected is None:
            return b""
        if found is None:
            return _error(404, "NoSuchKey")
        return b"" if expected.strip('"') in {"*", found.etag} else _error(412, "PreconditionFailed")

    def _delete_many(self, bucket: str, request: _Request) -> bytes:
        for key in re.findall(r"<Key>(.*?)</Key>", request.body.decode()):
            self._objects.pop(f"{bucket}/{unescape(key, {'&quot;': chr(34), '&apos;': chr(39)})}", None)
        return _xml("DeleteResult", "")

    def _list(self, bucket: str, request: _Request) -> bytes:
        root = f"{bucket}/"
        prefix = root + request.argument("prefix")
        after = root + (request.argument("continuation-token") or request.argument("start-after"))
        most = min(int(request.argument("max-keys") or _PAGE), _PAGE)
        encoded = request.argument("encoding-type") == "url"
        begin = prefix if after < prefix else after + "\0"
        names: list[str] = []
        for name in self._objects.irange(begin):
            if not name.startswith(prefix) or len(names) > most:
                break
            names.append(name)
        more, names = len(names) > most, names[:most]
        rows = "".join(self._row(name, len(root), encoded=encoded) for name in names)
        token = f"<NextContinuationToken>{escape(names[-1][len(root) :])}</NextContinuationToken>" if more else ""
        head = f"<Name>{bucket}</Name><KeyCount>{len(names)}</KeyCount><MaxKeys>{most}</MaxKeys>"
        flags = f"<IsTruncated>{str(more).lower()}</IsTruncated>" + "<EncodingType>url</EncodingType>" * encoded
        return _xml("ListBucketResult", f"{head}{flags}{token}{rows}")

    def _row(self, name: str, skipped: int, *, encoded: bool) -> str:
        found: _Object = self._objects[name]
        key = quote(name[skipped:]) if encoded else escape(name[skipped:])
        modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.modified))
        return (
            f"<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>&quot;{found.etag}&quot;</ETag>"
            f"<Size>{len(found.data)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )


def _response(status: int, body: bytes, headers: Mapping[str, str] = _NO_HEADERS, *, with_body: bool = True) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    length = "" if status in {204, 304} else f"Content-Length: {len(body)}\r\n"
    head = f"HTTP/1.1 {status} -\r\nDate: {date}\r\nx-amz-request-id: lean\r\n{length}{fields}\r\n"
    return head.encode() + (body if with_body else b"")


def _xml(root: str, inside: str) -> bytes:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {_NAMESPACE}>{inside}</{root}>'
    return _response(200, text.encode(), _XML)


def _error(status: int, code: str) -> bytes:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return _response(status, text.encode(), _XML)


async def serve(port: int) -> None:
    objects: SortedDict[str, _Object] = SortedDict()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(objects), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1])))
