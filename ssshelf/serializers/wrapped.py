"""Serializers around others: what they make is compressed, or encrypted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ssshelf._zstd import load_zstd
from ssshelf.serializers.base import Serializer
from ssshelf.serializers.names import as_serializer

__all__ = ["Compressed", "Encrypted", "unwrapped"]

T = TypeVar("T")


class _Wrapped(Serializer[T], Generic[T]):
    """Passes on what another serializer makes, in another form."""

    content_type: str = "application/octet-stream"

    def __init__(
        self, serializer: Serializer[T] | str, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]
    ) -> None:
        self.inner = as_serializer(serializer)
        self._encode = encode
        self._decode = decode

    def dump(self, item: T) -> bytes:
        return self._encode(self.inner.dump(item))

    def load(self, data: bytes) -> T:
        return self.inner.load(self._decode(data))


class Encrypted(_Wrapped[T]):
    """What another serializer makes, encrypted by two functions of yours; keys, that is names, stay readable.

    Compress before you encrypt, ``Encrypted(Compressed("json"), …)``: what is encrypted does not get smaller. Sizes
    then tell of contents, so do not where somebody else can write a part of a value.

    Args:
        serializer: Makes bytes of values, and back; or its name.
        encrypt: Returns what is stored; it should also let changes be noticed, as ``Fernet`` of ``cryptography`` does.
        decrypt: Its inverse; it raises when the data was changed, or the secret is another one.
    """

    def __init__(
        self, serializer: Serializer[T] | str, encrypt: Callable[[bytes], bytes], decrypt: Callable[[bytes], bytes]
    ) -> None:
        super().__init__(serializer, encrypt, decrypt)


class Compressed(_Wrapped[T]):
    """What another serializer makes, compressed with Zstandard; needs ``ssshelf[zstd]`` before Python 3.14.

    Args:
        serializer: Makes bytes of values, and back; or its name.
        level: How hard to try, -7 to 22; 3 is fast.
        limit_bytes: The most that a value may have before it is compressed. What would become more is refused, both
            ways, so that a few stored bytes cannot fill the memory of who reads them.
    """

    def __init__(self, serializer: Serializer[T] | str, level: int = 3, *, limit_bytes: int = 2**30) -> None:
        super().__init__(serializer, self._compress, self._decompress)
        self._zstd = load_zstd()
        self._level = level
        self._limit_bytes = limit_bytes

    def _compress(self, data: bytes) -> bytes:
        if len(data) > self._limit_bytes:
            msg = f"{len(data)} bytes are more than the {self._limit_bytes} that limit_bytes allows"
            raise ValueError(msg)
        return bytes(self._zstd.compress(data, level=self._level))

    def _decompress(self, data: bytes) -> bytes:
        decompressor = self._zstd.ZstdDecompressor()
        whole = bytes(decompressor.decompress(data, max_length=self._limit_bytes + 1))
        if len(whole) > self._limit_bytes:
            msg = f"it would become more than the {self._limit_bytes} bytes that limit_bytes allows"
            raise ValueError(msg)
        if not decompressor.eof or decompressor.unused_data:
            msg = "it is no whole frame of Zstandard, or more than one"
            raise ValueError(msg)
        return whole


def unwrapped(serializer: Serializer[T]) -> Serializer[T]:
    """Return the serializer inside all wrappers, whose bytes do not depend on a nonce."""
    while isinstance(serializer, _Wrapped):
        serializer = serializer.inner
    return serializer
