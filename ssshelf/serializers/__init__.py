"""Serializers: items to bytes and back, keeping the types of their values."""

from __future__ import annotations

from ssshelf.serializers.base import Serializer
from ssshelf.serializers.models import ModelSerializer
from ssshelf.serializers.names import as_serializer
from ssshelf.serializers.plain import BytesSerializer, PickleSerializer, TextSerializer
from ssshelf.serializers.tagged import DictSerializer, JSONSerializer, MsgpackSerializer
from ssshelf.serializers.wrapped import Compressed, Encrypted, unwrapped

__all__ = [
    "BytesSerializer",
    "Compressed",
    "DictSerializer",
    "Encrypted",
    "JSONSerializer",
    "ModelSerializer",
    "MsgpackSerializer",
    "PickleSerializer",
    "Serializer",
    "TextSerializer",
    "as_serializer",
    "unwrapped",
]
