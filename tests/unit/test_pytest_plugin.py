"""The fixtures that users of ssshelf have in their own tests."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.rst"
INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
SHELF = """
from ssshelf import CManager, Collection, DictItems


class Notes(CManager):
    item_manager = DictItems(pk="slug")
    by_tag = Collection(lambda note: note["tags"])
"""


def run(pytester: pytest.Pytester, tests: str) -> pytest.RunResult:
    write(pytester, tests)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:xdist")


def write(pytester: pytest.Pytester, tests: str) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(notes=SHELF, test_it="from notes import Notes\n" + textwrap.dedent(tests))


def test_each_test_has_a_storage_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.parametrize("number", [1, 2])
        async def test_insert(ssshelf_storage, number):
            await Notes(ssshelf_storage).insert_item({"slug": "one", "tags": ["a"]})
            assert not ssshelf_storage.capabilities.atomic_batch > 1
        """,
    )

    result.assert_outcomes(passed=2)


def test_faults_happen_to_the_storage_that_tests_can_look_into(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest
        from ssshelf import NotFoundError
        from ssshelf.testing import CrashError, Fault, fail_at

        async def test_crash(ssshelf_faulty_storage, ssshelf_storage):
            ssshelf_faulty_storage.plan = fail_at(1, Fault.CRASH_BEFORE)
            with pytest.raises(CrashError):
                await Notes(ssshelf_faulty_storage).insert_item({"slug": "one", "tags": ["a"]})
            with pytest.raises(NotFoundError):
                await Notes(ssshelf_storage).get_item("one")
        """,
    )

    result.assert_outcomes(passed=1)


def test_requests_are_counted_as_a_bucket_would_be_asked(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        async def test_cost(ssshelf_counting_storage):
            await Notes(ssshelf_counting_storage).insert_item({"slug": "one", "tags": ["a", "b"]})
            assert str(ssshelf_counting_storage) == "3 put in 2 steps"
        """,
    )

    result.assert_outcomes(passed=1)


def test_each_s3_storage_is_in_a_bucket_of_its_own(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        async def test_s3(ssshelf_s3):
            async with ssshelf_s3() as one, ssshelf_s3() as other:
                await Notes(one).insert_item({"slug": "one", "tags": ["a"]})
                await Notes(other).insert_item({"slug": "one", "tags": ["b"]})
                assert (await Notes(one).by_tag.get_keys()).keys == ("one",)
                assert (await Notes(one).verify()).is_clean
        """,
    )

    result.assert_outcomes(passed=1)


def test_without_the_extra_a_test_of_s3_says_what_to_install(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import sys; sys.modules['moto'] = None")

    result = run(pytester, "def test_s3(ssshelf_s3): pass")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*pip install 'ssshelf?testing?'*"])


def test_a_run_that_uses_no_fixture_loads_no_storage(pytester: pytest.Pytester) -> None:
    write(
        pytester,
        """
        import sys

        def test_light():
            assert not {"ssshelf.storages.memory", "ssshelf.storages.s3", "moto"} & sys.modules.keys()
        """,
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)


def test_fixtures_explain_themselves(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider")

    shown = result.stdout.str()
    for name in ("ssshelf_storage", "ssshelf_faulty_storage", "ssshelf_counting_storage", "ssshelf_s3"):
        assert re.search(rf"^{name} -- .*\n    \S", shown, re.MULTILINE), name
    assert "_ssshelf_moto" not in shown


def test_the_example_of_the_readme_passes(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)", README.read_text())
    shelf, example = blocks[0], next(block for block in blocks if "ssshelf_storage" in block)
    pytester.makeini("[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(bookmarks=textwrap.dedent(shelf), test_bookmarks=textwrap.dedent(example))

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=example.count("async def test_"))
