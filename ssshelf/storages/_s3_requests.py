"""The five requests that an ``S3Storage`` sends, and how a client of aiobotocore sends them."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from botocore.exceptions import ClientError

from ssshelf.errors import UnavailableError
from ssshelf.storages._limits import Limit, extended_by_answers, read_all

__all__ = ["COLUMNS", "NOT_MODIFIED", "BotocoreRequests", "Listing", "S3Requests", "no_listing"]


COLUMNS: Final = ("Key", "ETag", "Size", "LastModified")
"""What S3 calls those of a ``Listing``."""

NOT_MODIFIED: Final = 304


class Listing(NamedTuple):
    """Some objects in the order of their names, by columns, since it is made of columns and rows are made of it.

    Attributes:
        more: Whether there are more.
    """

    names: Sequence[str]
    etags: Sequence[str]
    sizes: Sequence[int]
    moments: Sequence[dt.datetime]
    more: bool


class S3Requests(Protocol):
    """One attempt of each request to one bucket.

    Names are those of objects, etags are quoted as in headers, and ``headers`` are the conditions of a request. Each
    may take as long as ``limit`` allows, which an answer extends by the time for its bytes. What is raised is an error
    of botocore's, or of the network.
    """

    @abstractmethod
    async def get(self, name: str, headers: dict[str, str], limit: Limit) -> tuple[bytes, str | None] | None:
        """Return an object and its etag; ``None`` if a condition spares the store to send it."""

    @abstractmethod
    async def put(self, name: str, data: bytes, headers: dict[str, str], limit: Limit) -> str | None:
        """Write an object and return its etag."""

    @abstractmethod
    async def delete(self, name: str, headers: dict[str, str], limit: Limit) -> None:
        """Remove an object."""

    @abstractmethod
    async def delete_many(self, names: Sequence[str], limit: Limit) -> list[str]:
        """Remove up to 1,000 objects and return the codes of those deletions that failed."""

    @abstractmethod
    async def scan(self, prefix: str, after: str, most: int, limit: Limit) -> Listing:
        """List up to so many objects whose names start with ``prefix`` and follow ``after``, if it is not empty.

        Raises:
            UnavailableError: The answer was no listing.
        """


class BotocoreRequests(S3Requests):
    """Requests as aiobotocore makes them, with all that it knows and its users registered."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def get(self, name: str, headers: dict[str, str], limit: Limit) -> tuple[bytes, str | None] | None:
        try:
            answer = await self._client.get_object(Bucket=self._bucket, Key=name, **_parameters(headers))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == NOT_MODIFIED:
                return None
            raise
        body = answer["Body"]
        async with body:
            return await read_all(body, limit), answer.get("ETag")

    async def put(self, name: str, data: bytes, headers: dict[str, str], limit: Limit) -> str | None:  # noqa: ARG002
        answer = await self._client.put_object(Bucket=self._bucket, Key=name, Body=data, **_parameters(headers))
        return answer.get("ETag")  # type: ignore[no-any-return]

    async def delete(self, name: str, headers: dict[str, str], limit: Limit) -> None:  # noqa: ARG002
        await self._client.delete_object(Bucket=self._bucket, Key=name, **_parameters(headers))

    async def delete_many(self, names: Sequence[str], limit: Limit) -> list[str]:  # noqa: ARG002
        objects = [{"Key": name} for name in names]
        answer = await self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True})
        return [failed.get("Code", "") for failed in answer.get("Errors", ())]

    async def scan(self, prefix: str, after: str, most: int, limit: Limit) -> Listing:
        start = {"StartAfter": after} if after else {}
        with extended_by_answers(limit):
            answer = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=prefix, MaxKeys=most, **start)
        if "IsTruncated" not in answer:
            raise no_listing()
        found = answer.get("Contents", ())
        names, etags, sizes, moments = ([o[name] for o in found] for name in COLUMNS)
        return Listing(names, etags, sizes, moments, answer["IsTruncated"])


def no_listing() -> UnavailableError:
    """Return the error for some page of a proxy in between, which must not read as an empty listing."""
    return UnavailableError("S3: the answer to a listing was something else")


def _parameters(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", ""): value for name, value in headers.items()}
