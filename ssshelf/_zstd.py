"""Zstandard: a module of Python 3.14, and for earlier versions an extra."""

from __future__ import annotations

from typing import Any

__all__ = ["load_zstd"]


def load_zstd() -> Any:
    """Return Python 3.14's module for Zstandard, or what brings it to earlier versions.

    Raises:
        ModuleNotFoundError: The extra is not installed.
    """
    try:
        from compression import zstd  # type: ignore[import-not-found]  # noqa: PLC0415  Python 3.14
    except ModuleNotFoundError:
        try:
            from backports import zstd  # noqa: PLC0415  an extra
        except ModuleNotFoundError as error:
            msg = "Zstandard needs backports.zstd: pip install 'ssshelf[zstd]'"
            raise ModuleNotFoundError(msg, name=error.name) from error
    return zstd
