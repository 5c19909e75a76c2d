"""Each rule of the protocol is needed: without it a promise breaks, and the simulation sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from tests.simulation.variants import VARIANTS, Variant, catch

MOST = 8000


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_weakened_version_is_caught(variant: Variant, record_property: Callable[[str, object], None]) -> None:
    caught = catch(variant, MOST)

    assert caught is not None, f"{MOST} schedules did not notice that {variant}"
    record_property("schedules", caught.schedules)
    record_property("promise", caught.promise)


def test_variants_have_names_of_their_own() -> None:
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS) >= 12


def test_a_variant_of_code_that_is_gone_fails() -> None:
    variant = dataclasses.replace(VARIANTS[0], changes=(("what was there once", ""),))

    with pytest.raises(LookupError, match="0 times, not once: what was there once"), variant.applied():
        pass


def test_what_a_variant_changes_is_undone() -> None:
    owner, name = VARIANTS[0]._owner()
    before = vars(owner)[name]

    with VARIANTS[0].applied():
        assert vars(owner)[name] is not before

    assert vars(owner)[name] is before
