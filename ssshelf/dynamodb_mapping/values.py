"""Python values as DynamoDB has them, their images, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, Rounded
from typing import Any

from boto3.dynamodb.transform import TransformationInjector, copy_dynamodb_params
from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer

__all__ = ["DynamoDBItemType", "Image", "Values"]

DynamoDBItemType = Mapping[str, Any]
"""What an item is: values by the names of attributes."""

Image = dict[str, Any]
"""A value as it travels, such as ``{"S": "text"}``; those of ``1`` and ``True`` differ."""

_LETTERS: dict[type, str] = {bool: "BOOL", bytes: "B", dict: "M", list: "L", str: "S", type(None): "NULL"}
_LETTERS |= dict.fromkeys((Decimal, float, int), "N")
"""Those of most values; a subclass may be anything."""
_EXACT = DYNAMODB_CONTEXT.copy()
_EXACT.traps[Rounded] = False  # of zeros; what rounds something else is inexact


class Values:
    """Turns values into images and back, by the rules of boto3, and some more.

    A float is stored as its shortest decimal. A set is stored sorted, so that its image is always the same; bytes come
    back as bytes. Messages of errors name types, never values.

    Args:
        numbers: Makes a number of its text.
    """

    def __init__(self, numbers: Callable[[str], Any]) -> None:
        if not callable(numbers):
            msg = f"numbers makes a number of its text, as Decimal and json.loads do; {type(numbers).__name__} cannot"
            raise TypeError(msg)
        self._serializer = _Serializer()
        self._deserializer = _Deserializer(numbers)
        self._injector = TransformationInjector(serializer=self._serializer)

    def image(self, value: Any) -> Image:
        """Return the image of a value.

        Raises:
            TypeError: DynamoDB has no such type.
            ValueError: It has, but not this value: a NaN, an empty set, a number of more than 38 digits.
        """
        return self._serializer.serialize(value)  # type: ignore[no-any-return]

    def images(self, item: DynamoDBItemType) -> dict[str, Image]:
        """Return the images of the attributes of an item; raises what ``image`` does."""
        if not isinstance(item, Mapping):
            msg = f"an item is a mapping of names to values, not {type(item).__name__}"
            raise TypeError(msg)
        images: dict[str, Image] = self.image(item)["M"]
        return images

    def value(self, image: Image) -> Any:
        """Return the value of an image."""
        return self._deserializer.deserialize(image)

    def item(self, images: Mapping[str, Image]) -> dict[str, Any]:
        """Return the values of images, by the same names."""
        return {name: self.value(image) for name, image in images.items()}

    def parameters(self, model: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters of a request as the client takes them, conditions of boto3 and plain values included.

        Args:
            model: What botocore knows of the operation.
            given: As for a ``Table`` of boto3; they are not changed.
        """
        parameters: dict[str, Any] = copy_dynamodb_params(given)
        self._injector.inject_condition_expressions(parameters, model)
        self._injector.inject_attribute_value_input(parameters, model)
        return parameters


class _Serializer(TypeSerializer):  # type: ignore[misc]  # boto3 is not typed
    def _get_dynamodb_type(self, value: Any) -> Any:
        if (letter := _LETTERS.get(type(value))) is not None:
            return letter
        try:
            return super()._get_dynamodb_type(value)
        except TypeError:
            msg = f"DynamoDB has no type for {type(value).__name__}; a set has texts only, or numbers, or bytes"
            raise TypeError(msg) from None

    def _is_number(self, value: Any) -> bool:
        return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)

    def _serialize_n(self, value: float | Decimal) -> str:
        number = Decimal(float.__repr__(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            msg = "DynamoDB has no NaN and no infinity"
            raise ValueError(msg)
        if not number:
            return "0"  # zeros, too, have exponents that DynamoDB has not
        try:
            return str(_EXACT.create_decimal(number))
        except ArithmeticError:
            msg = "DynamoDB has numbers of up to 38 digits, from 1E-130 to 9.9E+125: this is none of them"
            raise ValueError(msg) from None

    def _serialize_b(self, value: Any) -> bytes:
        return bytes(value)

    def _serialize_ns(self, value: Any) -> list[str]:
        return _members(map(self._serialize_n, value))

    def _serialize_ss(self, value: Any) -> list[str]:
        return _members(value)

    def _serialize_bs(self, value: Any) -> list[bytes]:
        return _members(map(bytes, value))

    def _serialize_m(self, value: Mapping[str, Any]) -> dict[str, Any]:
        for name in value:
            if not isinstance(name, str):
                msg = f"names of attributes are texts, not {type(name).__name__}"
                raise TypeError(msg)
        return {name: self.serialize(inner) for name, inner in value.items()}


class _Deserializer(TypeDeserializer):  # type: ignore[misc]  # boto3 is not typed
    def __init__(self, numbers: Callable[[str], Any]) -> None:
        self._deserialize_n = numbers

    def _deserialize_b(self, value: bytes) -> bytes:
        return value


def _members(values: Any) -> list[Any]:
    if not (members := sorted(set(values))):
        msg = "DynamoDB has no empty sets: leave the attribute away"
        raise ValueError(msg)
    return members
