"""What the JSON interface takes and returns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from . import slugs, targets


def _in_utc(when: datetime) -> datetime:
    try:
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except OverflowError:
        msg = "this is too far away"
        raise ValueError(msg) from None


class NewLink(BaseModel):
    """A link to make."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    url: Annotated[
        str,
        Field(
            max_length=targets.MOST_CHARACTERS,
            description="Where the link leads: an address that begins with http:// or https://.",
            examples=["https://www.python.org/dev/peps/"],
        ),
        AfterValidator(targets.checked_target),
    ]
    slug: Annotated[
        Annotated[str, Field(json_schema_extra={"pattern": slugs.PATTERN}), AfterValidator(slugs.checked_slug)] | None,
        Field(description="Its short name; one is made up if there is none.", examples=["peps"]),
    ] = None
    expires: Annotated[
        Annotated[datetime, AfterValidator(_in_utc)] | None,
        Field(description="When it ends; without a time zone, in UTC. Never, if not given."),
    ] = None


class ShortLink(BaseModel):
    """A link that was made."""

    original_url: str
    short_url: str


class Problem(BaseModel):
    """Why something was not done."""

    detail: str
