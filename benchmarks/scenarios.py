"""All that is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.locally import locally
from benchmarks.on_dynamodb import on_dynamodb
from benchmarks.on_s3 import on_s3

if TYPE_CHECKING:
    from benchmarks.scenario import Scenario, Size


def scenarios(size: Size) -> list[Scenario]:
    return [*on_s3(size), *on_dynamodb(size), *locally(size)]
