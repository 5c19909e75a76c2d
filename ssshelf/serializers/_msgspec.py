"""msgspec, which is an extra."""

from __future__ import annotations

from types import ModuleType

__all__ = ["load_msgspec"]


def load_msgspec(wanted_by: str) -> ModuleType:
    """Return the module; ``wanted_by`` begins the message when it is missing.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import msgspec  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        msg = f"{wanted_by} need {error.name}: pip install 'ssshelf[models]'"
        raise ModuleNotFoundError(msg, name=error.name) from error
    return msgspec
