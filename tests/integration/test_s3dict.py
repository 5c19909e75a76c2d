"""``S3Dict`` in a bucket: what the users of S3Dictionary do, processes, and the end of a process."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap
import unittest
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from ssshelf import DeniedError, S3Dict, StoreNotFoundError
from tests.programs import run
from tests.storages import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY = "AKIAXAMPLE", "s3cr3t"


@pytest.fixture(autouse=True)
def bucket(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a client, where only the environment says which store it is, and no region."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_url.replace("127.0.0.1", "localhost"))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    client = botocore.session.Session().create_client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for row in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        if not row["Key"].startswith("meta!/"):  # what a probe found out is not asked again by each test
            client.delete_object(Bucket=BUCKET, Key=row["Key"])
    client.close()


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    return {"bucket_name": BUCKET} if request.param == "moto" else {"storage": f"sqlite:///{tmp_path}/state.db"}


each_kind = pytest.mark.parametrize("where", ["moto", "sqlite"], indirect=True)


def stored(bucket: Any, name: str) -> Any:
    return json.loads(bucket.get_object(Bucket=BUCKET, Key=name)["Body"].read())


def test_the_example_of_s3dictionary(bucket: Any) -> None:
    state = S3Dict(
        bucket_name=BUCKET,
        access_key_id=AWS_ACCESS_KEY_ID,
        access_secret_key=AWS_ACCESS_SECRET_KEY,
        file_name="test.json",
    )
    state["foo"] = "bar"
    state.save()

    assert stored(bucket, "test.json") == {"foo": "bar"}
    again = S3Dict(BUCKET, AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY, "test.json")
    assert again == {"foo": "bar"}


def test_the_interface_of_s3dictionary(bucket: Any) -> None:
    state = S3Dict(BUCKET, AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY, "state.json", True, None, {"runs": 0})  # noqa: FBT003
    assert state.autosave is True
    state["runs"] += 1
    assert stored(bucket, "state.json") == {"runs": 1}

    state.autosave = False
    state["runs"] += 1
    assert stored(bucket, "state.json") == {"runs": 1}
    state.load()
    assert state == {"runs": 1}

    other = S3Dict(BUCKET, AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY, "state.json", data={"runs": 7})
    other.save()
    state.load()
    assert state["runs"] == 7
    assert (state.file_name, state.bucket_name) == ("state.json", BUCKET)
    assert (state.access_key_id, state.access_secret_key) == (AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY)


def test_a_file_that_s3dictionary_has_written_is_read(bucket: Any) -> None:
    bucket.put_object(Bucket=BUCKET, Key="old.json", Body=json.dumps({"a": [1, None], "big": 2**70}))
    state = S3Dict(BUCKET, file_name="old.json")
    state["b"] = "ü"
    state.save()

    assert stored(bucket, "old.json") == {"a": [1, None], "big": 2**70, "b": "ü"}
    state.delete()
    assert "old.json" not in {row["Key"] for row in bucket.list_objects_v2(Bucket=BUCKET).get("Contents", ())}


@pytest.mark.parametrize("name", ["a b+c%20&d?e#f=.json", "ü/ß.json", "/lead//double/", "a" * 1024, "!/~", "x..y"])
def test_the_object_has_this_very_name(bucket: Any, name: str) -> None:
    S3Dict(BUCKET, file_name=name, data={"a": 1}).save()

    assert stored(bucket, name) == {"a": 1}
    assert S3Dict(BUCKET, file_name=name) == {"a": 1}


def test_the_secret_is_in_no_message() -> None:
    state = S3Dict(BUCKET, AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY, "a.json")
    with pytest.raises(StoreNotFoundError) as missing:
        S3Dict("there-is-no-such-bucket", AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY, "a.json")
    with pytest.raises(DeniedError, match="aws_access_key_id") as partial:
        S3Dict(BUCKET, file_name="a.json", aws_secret_access_key=AWS_ACCESS_SECRET_KEY)

    for text in (repr(state), str(state), repr(missing.value), repr(partial.value), str(partial.value.__cause__)):
        assert AWS_ACCESS_SECRET_KEY not in text


def test_those_who_ask_alike_share_connections() -> None:
    one, two = S3Dict(BUCKET, file_name="1"), S3Dict(BUCKET, file_name="2")
    other = S3Dict(BUCKET, AWS_ACCESS_KEY_ID, AWS_ACCESS_SECRET_KEY, "1")
    storages = [each._file.register.storage for each in (one, two, other)]

    assert storages[0] is storages[1] is not storages[2]


def test_cpythons_tests_of_mappings_pass_in_a_bucket() -> None:
    from tests.unit.test_s3dict_mapping import TestS3Dict  # noqa: PLC0415  not to be collected here

    connected = S3Dict(BUCKET, file_name="connected.json")  # keeps the connections that all others share

    class BucketDict(S3Dict):
        number = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            BucketDict.number += 1
            super().__init__(BUCKET, file_name=f"mapping/{self.number}.json", data=dict(*args, **kwargs))

    class TestBucketDict(TestS3Dict):
        type2test: Any = BucketDict

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(TestBucketDict).run(result)

    assert (result.failures, result.errors) == ([], [])
    assert connected == {}
    assert result.testsRun > 15


WRITER = """
    import json, sys
    from ssshelf import ConflictError, S3Dict

    where, rounds, me = json.loads(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    state = S3Dict(file_name="shared.json", **where)
    print("read", flush=True)
    sys.stdin.readline()
    state[me] = True
    state["n"] = state.get("n", 0) + 1
    try:
        state.save()
        print("saved", flush=True)
    except ConflictError:
        print("conflict", flush=True)
    for _ in range(rounds):
        while True:
            state.load()
            state[me] = True
            state["n"] = state.get("n", 0) + 1
            try:
                state.save()
                break
            except ConflictError:
                pass
"""


@each_kind
def test_of_two_processes_that_save_one_is_refused_and_nothing_is_lost(where: dict[str, Any]) -> None:
    S3Dict(file_name="shared.json", **where, data={"ours": 1}).save()
    rounds = 0 if "bucket_name" in where else 20  # of two writes at once moto may accept both
    with contextlib.ExitStack() as stack:
        command = [sys.executable, "-c", textwrap.dedent(WRITER), json.dumps(where), str(rounds)]
        processes = [
            stack.enter_context(
                subprocess.Popen([*command, me], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
            )
            for me in ("one", "two")
        ]
        pipes = [(process.stdin, process.stdout) for process in processes]
        assert [out.readline() for _, out in pipes if out] == ["read\n"] * 2
        answers = []
        for told, out in pipes:
            assert told
            assert out
            told.write("save\n")
            answers.append(out.readline())

    assert [process.returncode for process in processes] == [0, 0]
    assert answers == ["saved\n", "conflict\n"]
    shared = S3Dict(file_name="shared.json", **where)
    assert shared == {"ours": 1, "n": 1 + 2 * rounds, "one": True, **({"two": True} if rounds else {})}


@each_kind
def test_it_is_saved_by_a_function_registered_for_the_end_of_the_process(where: dict[str, Any]) -> None:
    program = f"""
        import atexit
        from ssshelf import S3Dict

        atexit.register(lambda: early.save())
        early = S3Dict(file_name="early.json", **{where})
        late = S3Dict(file_name="late.json", **{where})
        atexit.register(late.save)
        early["a"] = late["b"] = 1
    """
    assert run(program, dev="storage" in where) == ""

    assert S3Dict(file_name="early.json", **where) == {"a": 1}
    assert S3Dict(file_name="late.json", **where) == {"b": 1}


@each_kind
def test_one_that_is_forgotten_ends_quietly(where: dict[str, Any]) -> None:
    program = f"""
        import gc
        from ssshelf import S3Dict

        for autosave in (False, True):
            state = S3Dict(file_name="forgotten.json", autosave=autosave, **{where})
            state["a"] = 1
            del state
            gc.collect()
        state = S3Dict(file_name="forgotten.json", autosave=True, **{where})
    """
    assert run(program, dev="storage" in where) == ""
