"""What clients of AWS say, in our words."""

from __future__ import annotations

import pytest
from botocore.exceptions import ParamValidationError

from ssshelf.storages._aws_errors import mapped


@pytest.mark.parametrize("value", ["hunter2", "a\nhunter2", "hunter2, value: hunter2, type: hunter2"])
def test_the_value_of_a_bad_parameter_is_in_no_message(value: str) -> None:
    report = f"Invalid type for parameter Key.a.S, value: {value}, type: <class 'list'>, valid types: <class 'str'>"

    with pytest.raises(ValueError, match=r"^table: Invalid type for parameter Key\.a\.S$"), mapped("table", _meaning):
        raise ParamValidationError(report=report)


def _meaning(*_: object) -> Exception:
    raise NotImplementedError
