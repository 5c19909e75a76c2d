"""Serializers: what comes back is what was given, types included, or it is refused before it is stored."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import itertools
import math
import subprocess
import sys
import types
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import attrs
import msgspec
import orjson
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssshelf.serializers import (
    BytesSerializer,
    Compressed,
    DictSerializer,
    Encrypted,
    JSONSerializer,
    ModelSerializer,
    MsgpackSerializer,
    PickleSerializer,
    Serializer,
    TextSerializer,
    as_serializer,
    unwrapped,
)

UTC = dt.UTC
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 7, tzinfo=UTC)
INT64_MIN, UINT64_MAX = -(2**63), 2**64 - 1

T = TypeVar("T")


def typed(value: Any) -> Any:
    """Return ``value`` with the type of everything in it, since 1 == 1.0 == True."""
    if isinstance(value, Mapping):
        return "mapping", [(name, typed(inner)) for name, inner in value.items()]
    if isinstance(value, list | tuple):
        return "list", [typed(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return type(value), frozenset(typed(inner) for inner in value)
    if isinstance(value, decimal.Decimal | float):
        return type(value), str(value)  # tells -0.0 from 0.0, and 1.10 from 1.1
    return type(value), value


# Of whole seconds: Python 3.11 takes "+00:00:00.000001" for UTC.
offsets = st.integers(-23 * 3600, 23 * 3600).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds)))
zones = st.one_of(st.none(), st.just(UTC), offsets)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(INT64_MIN, UINT64_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.datetimes(timezones=zones),
    st.dates(),
    st.times(timezones=zones),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.binary(),
)
hashables = st.one_of(scalars, st.frozensets(scalars, max_size=3))
TAGS = ["$datetime", "$date", "$time", "$uuid", "$decimal", "$bytes", "$set", "$frozenset"]
names = st.one_of(
    st.text(), st.sampled_from([*TAGS, "$", "$$", "$$date", "$$$date", "date"]), st.text("$ad", max_size=4)
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(names, inner, max_size=3),
        st.dictionaries(names, inner, min_size=1, max_size=1),  # looks like a tagged value
        st.sets(hashables, max_size=3),
        st.frozensets(hashables, max_size=3),
    )


items = st.dictionaries(names, st.recursive(scalars, containers, max_leaves=10), max_size=4)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items)
def test_a_dict_comes_back_with_its_types(item: dict[str, Any]) -> None:
    serializer = DictSerializer()

    loaded = serializer.load(serializer.dump(item))

    assert typed(loaded) == typed(item)


def test_the_stored_form_of_a_dict_never_changes() -> None:
    item = {
        "text": "é",
        "none": None,
        "numbers": [1, -0.5, True],
        "datetime": NOON,
        "date": dt.date(2024, 2, 29),
        "time": dt.time(12, 30, tzinfo=UTC),
        "uuid": uuid.UUID(int=5),
        "decimal": decimal.Decimal("1.10"),
        "bytes": b"\x00\xff",
        "set": {frozenset({1})},
        "$mine": {"$date": "no date", "$$": 1},
    }

    data = DictSerializer().dump(item)

    assert data.decode() == (
        '{"text":"é","none":null,"numbers":[1,-0.5,true],"datetime":{"$datetime":"2024-02-29T12:00:00.000007+00:00"},'
        '"date":{"$date":"2024-02-29"},"time":{"$time":"12:30:00+00:00"},'
        '"uuid":{"$uuid":"00000000-0000-0000-0000-000000000005"},"decimal":{"$decimal":"1.10"},'
        '"bytes":{"$bytes":"AP8="},"set":{"$set":[{"$frozenset":[1]}]},'
        '"$$mine":{"$$date":"no date","$$$":1}}'
    )


def test_a_tag_that_is_not_known_yet_stays_as_it_is() -> None:
    assert DictSerializer().load(b'{"value":{"$later":"1"}}') == {"value": {"$later": "1"}}


def test_a_dict_without_special_values_is_plain_json() -> None:
    item = {"a": [1, {"b": "c"}], "d": None}

    assert orjson.loads(DictSerializer().dump(item)) == item


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 30


class Choice(enum.Enum):
    TEXT = "text"
    NUMBER = 1.5
    NOTHING = None
    MOMENT = NOON
    DAY = dt.date(2024, 2, 29)
    IDENTIFIER = uuid.UUID(int=5)
    AMOUNT = decimal.Decimal("1.10")
    DATA = b"\xff"
    DOLLAR = types.MappingProxyType({"$date": "2024-02-29"})


def enumeration(value: object) -> enum.Enum:
    """Return the member, with this value, of an enumeration of its own."""
    make: Any = enum.Enum  # mypy reads calls of it as declarations
    member: enum.Enum = make("Odd", {"MEMBER": value}).MEMBER
    return member


class Pair(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    when: dt.date | None = None


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Pair(1, 2), [1, 2]),
        (Colour.RED, "red"),
        (Level.HIGH, 30),
        *[(choice, choice.value) for choice in Choice],
        (Point(1, dt.date(2024, 2, 29)), {"x": 1, "when": dt.date(2024, 2, 29)}),
        (types.MappingProxyType({"$a": {1, 2}}), {"$a": {1, 2}}),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    ],
)
def test_what_json_has_no_class_for_comes_back_as_its_value(value: Any, read_as: Any) -> None:
    serializer = DictSerializer()

    loaded = serializer.load(serializer.dump({"value": value}))

    assert typed(loaded) == typed({"value": read_as})


@pytest.mark.parametrize("infinite", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda number: number,
        lambda number: [number],
        lambda number: {"deep": ({"er": number},)},
        lambda number: {number},
        Point,
        enumeration,
    ],
    ids=["plain", "list", "nested", "set", "dataclass", "enumeration"],
)
def test_a_dict_refuses_a_number_that_json_has_not(infinite: float, wrap: Any) -> None:
    with pytest.raises(ValueError, match=f"JSON has no {infinite}"):
        DictSerializer().dump({"value": wrap(infinite)})


@pytest.mark.parametrize(
    "value",
    [
        {1: "a"},
        {None: "a"},
        {("a",): "b"},
        UINT64_MAX + 1,
        INT64_MIN - 1,
        10**100,
        dt.timedelta(1),
        1j,
        object(),
        bytearray(b"a"),
        memoryview(b"a"),
        collections.deque([1]),
        range(3),
        Point,
        "\ud800",
        {"\ud800": 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_dict_refuses_what_would_not_come_back(value: Any) -> None:
    with pytest.raises(TypeError):
        DictSerializer().dump({"value": value})


class FrozenDict(Mapping[str, int]):
    """A mapping that can be a member of a set."""

    def __getitem__(self, name: str) -> int:
        return {"a": 1}[name]

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1

    def __hash__(self) -> int:
        return 1


@pytest.mark.parametrize(
    "members",
    [
        {(1, 2)},
        frozenset({(1, 2)}),
        {Pair(1, 2)},
        {((1, NOON), (b"a",))},
        {frozenset({(1,)})},
        {Point(1)},
        {(Point(1),)},
        {FrozenDict()},
        {(1, FrozenDict())},
        {Choice.DAY},
        {enumeration(Point(1))},
    ],
    ids=itertools.count(),
)
def test_members_of_a_set_come_back_or_are_refused(members: Any) -> None:
    serializer = DictSerializer()

    try:
        data = serializer.dump({"value": members})
    except (TypeError, ValueError):
        return

    assert serializer.load(data) == {"value": {getattr(member, "value", member) for member in members}}


def test_a_dict_that_contains_itself_is_refused() -> None:
    item: dict[str, Any] = {}
    item["self"] = item

    with pytest.raises((TypeError, ValueError)):
        DictSerializer().dump(item)


@pytest.mark.parametrize("item", [[1], "text", None, 5, NOON, {1}], ids=str)
def test_only_a_dict_is_a_dict(item: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        DictSerializer().dump(item)


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b'"text"', b"null", b'{"$set":[]}', b"\xff"])
def test_what_is_no_document_of_a_dict_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  orjson words it
        DictSerializer().load(data)


class Inner(pydantic.BaseModel):
    name: str
    when: dt.datetime


@dataclasses.dataclass
class InnerDataclass:
    name: str
    when: dt.datetime


@attrs.define
class InnerAttrs:
    name: str
    when: dt.datetime


class InnerStruct(msgspec.Struct):
    name: str
    when: dt.datetime


@dataclasses.dataclass
class ADataclass:
    pk: str
    inner: InnerDataclass
    inners: list[InnerDataclass]
    identifier: uuid.UUID
    amount: decimal.Decimal
    day: dt.date
    time: dt.time
    took: dt.timedelta
    tags: set[str]
    pair: tuple[int, str]
    data: bytes
    colour: Colour
    level: Level
    by_name: dict[str, InnerDataclass]
    number: float
    flag: bool
    maybe: dt.datetime | None = None
    hidden: int = dataclasses.field(default=1, init=False)


@attrs.define
class AnAttrs:
    pk: str
    inner: InnerAttrs
    inners: list[InnerAttrs]
    identifier: uuid.UUID
    amount: decimal.Decimal
    day: dt.date
    time: dt.time
    took: dt.timedelta
    tags: set[str]
    pair: tuple[int, str]
    data: bytes
    colour: Colour
    level: Level
    by_name: dict[str, InnerAttrs]
    number: float
    flag: bool
    maybe: dt.datetime | None = None


class AStruct(msgspec.Struct):
    pk: str
    inner: InnerStruct
    inners: list[InnerStruct]
    identifier: uuid.UUID
    amount: decimal.Decimal
    day: dt.date
    time: dt.time
    took: dt.timedelta
    tags: set[str]
    pair: tuple[int, str]
    data: bytes
    colour: Colour
    level: Level
    by_name: dict[str, InnerStruct]
    number: float
    flag: bool
    maybe: dt.datetime | None = None


class AModel(pydantic.BaseModel):
    pk: str
    inner: Inner
    inners: list[Inner]
    identifier: uuid.UUID
    amount: decimal.Decimal
    day: dt.date
    time: dt.time
    took: dt.timedelta
    tags: set[str]
    pair: tuple[int, str]
    data: bytes
    colour: Colour
    level: Level
    by_name: dict[str, Inner]
    number: float
    flag: bool
    maybe: dt.datetime | None = None


def filled(model: Any, inner: Any, **changes: Any) -> Any:
    """Return an instance of ``model`` with a value in each field."""
    fields = {
        "pk": "null",  # a text that looks like what a NaN is written as
        "inner": inner(name="a", when=NOON),
        "inners": [inner(name="b", when=NOON.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=45))))],
        "identifier": uuid.UUID(int=5),
        "amount": decimal.Decimal("1.10"),
        "day": dt.date(2024, 2, 29),
        "time": dt.time(12, 30, 15, 7),
        "took": dt.timedelta(days=-1, microseconds=7),
        "tags": {"x", "y"},
        "pair": (1, "one"),
        "data": b"bytes",
        "colour": Colour.RED,
        "level": Level.HIGH,
        "by_name": {"c": inner(name="c", when=NOON)},
        "number": 0.1,
        "flag": True,
        "maybe": NOON,
    }
    return model(**{**fields, **changes})


MODELS = [(ADataclass, InnerDataclass), (AnAttrs, InnerAttrs), (AStruct, InnerStruct), (AModel, Inner)]
each_model = pytest.mark.parametrize(("model", "inner"), MODELS, ids=["dataclass", "attrs", "struct", "pydantic"])


@each_model
@pytest.mark.parametrize("maybe", [NOON, None], ids=["something", "nothing"])
def test_an_instance_comes_back_equal_and_with_its_types(model: Any, inner: Any, maybe: Any) -> None:
    serializer = ModelSerializer(model)
    item = filled(model, inner, maybe=maybe)

    loaded = serializer.load(serializer.dump(item))

    assert type(loaded) is model
    assert loaded == item
    assert type(loaded.inner) is inner
    assert type(loaded.by_name["c"]) is inner
    assert str(loaded.amount) == "1.10"
    assert (type(loaded.colour), type(loaded.level), type(loaded.pair)) == (Colour, Level, tuple)
    assert loaded.inner.when.tzinfo is not None


@each_model
def test_a_document_of_a_model_is_json(model: Any, inner: Any) -> None:
    document = orjson.loads(ModelSerializer(model).dump(filled(model, inner)))

    assert document["pk"] == "null"
    assert document["inner"]["name"] == "a"
    assert document["day"] == "2024-02-29"


@each_model
@pytest.mark.parametrize("infinite", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_a_model_refuses_a_number_that_json_has_not(model: Any, inner: Any, infinite: float) -> None:
    item = filled(model, inner, number=infinite)

    with pytest.raises(
        ValueError, match=f"this {model.__name__} would not come back from JSON as it is; look for a NaN"
    ):
        ModelSerializer(model).dump(item)


@each_model
@pytest.mark.parametrize("item", [{"pk": "a"}, None, Point(1), ADataclass], ids=["dict", "none", "other", "class"])
def test_a_model_refuses_an_instance_of_another_class(model: Any, inner: Any, item: Any) -> None:
    del inner

    with pytest.raises(TypeError, match=f"expected a {model.__name__}, not a {type(item).__name__}"):
        ModelSerializer(model).dump(item)


@each_model
def test_a_model_refuses_a_subclass_since_it_would_come_back_as_the_base(model: Any, inner: Any) -> None:
    subclass = type("Subclass", (model,), {})

    with pytest.raises(TypeError, match=f"expected a {model.__name__}, not a Subclass"):
        ModelSerializer(model).dump(filled(subclass, inner))


@each_model
@pytest.mark.parametrize("data", [b"", b"{", b"{}", b"[]", b'{"pk": 5}'])
def test_what_is_no_document_of_a_model_is_refused(model: Any, inner: Any, data: bytes) -> None:
    del inner

    with pytest.raises((ValueError, msgspec.DecodeError)):
        ModelSerializer(model).load(data)


@dataclasses.dataclass
class Underscored:
    pk: str
    _private: int = 3


@attrs.define
class UnderscoredAttrs:
    pk: str
    _private: int = 3


@attrs.define
class AliasedAttrs:
    pk: str
    number: int = attrs.field(alias="count")


class RenamedStruct(msgspec.Struct, rename="camel", tag=True, omit_defaults=True, kw_only=True):
    pk: str
    long_name: int = 3


class AliasedModel(pydantic.BaseModel):
    pk: str
    number: int = pydantic.Field(alias="count")


class DifferentlyAliasedModel(pydantic.BaseModel):
    pk: str
    number: int = pydantic.Field(validation_alias="in", serialization_alias="out")


class ComputingModel(pydantic.BaseModel, extra="forbid"):
    pk: str

    @pydantic.computed_field  # type: ignore[prop-decorator]  # so does pydantic's manual
    @property
    def upper(self) -> str:
        return self.pk.upper()


class JsonModel(pydantic.BaseModel):
    pk: str
    numbers: pydantic.Json[list[int]]


class StrictModel(pydantic.BaseModel, strict=True, frozen=True):
    pk: str
    when: dt.datetime
    identifier: uuid.UUID
    tags: frozenset[int]


class GenericModel(pydantic.BaseModel, Generic[T]):
    pk: str
    value: T


class AnyBytesModel(pydantic.BaseModel, ser_json_bytes="base64", val_json_bytes="base64"):
    pk: str
    data: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StrictDataclass:
    pk: str
    points: frozenset[tuple[int, int]]
    number: int


@pytest.mark.parametrize(
    "item",
    [
        Underscored("a", 4),
        AliasedAttrs("a", 4),
        RenamedStruct(pk="a", long_name=4),
        AliasedModel(pk="a", count=4),
        ComputingModel(pk="a"),
        JsonModel.model_validate({"pk": "a", "numbers": "[1, 2]"}),
        StrictModel(pk="a", when=NOON, identifier=uuid.UUID(int=5), tags=frozenset({1, 2})),
        GenericModel[dt.date](pk="a", value=dt.date(2024, 2, 29)),
        AnyBytesModel(pk="a", data=b"\x00\xff"),
        StrictDataclass(pk="a", points=frozenset({(1, 2)}), number=2**63),
    ],
    ids=lambda item: type(item).__name__,
)
def test_whatever_a_class_does_to_its_fields_an_instance_comes_back(item: Any) -> None:
    serializer = ModelSerializer(type(item))

    loaded = serializer.load(serializer.dump(item))

    assert type(loaded) is type(item)
    assert loaded == item


class SecretModel(pydantic.BaseModel):
    pk: str
    password: pydantic.SecretStr


class BytesModel(pydantic.BaseModel):
    pk: str
    data: bytes


@dataclasses.dataclass
class Historic:
    pk: str
    when: dt.datetime


@dataclasses.dataclass
class Loose:
    pk: str
    value: Any


class LooseModel(pydantic.BaseModel):
    pk: str
    value: Any


@dataclasses.dataclass
class Extended(InnerDataclass):
    number: int


@dataclasses.dataclass
class Nesting:
    pk: str
    inner: InnerDataclass


class ExtendedModel(Inner):
    number: int


class NestingModel(pydantic.BaseModel):
    pk: str
    inner: Inner


@dataclasses.dataclass
class Numbered:
    pk: str
    number: int


LONG_AGO = dt.datetime(1900, 1, 1, tzinfo=ZoneInfo("America/New_York")).astimezone(
    dt.timezone(dt.timedelta(hours=-4, minutes=-56, seconds=-2))
)


@pytest.mark.parametrize(
    "item",
    [
        SecretModel(pk="a", password=pydantic.SecretStr("hush")),
        BytesModel(pk="a", data=b"\x00\xff"),
        DifferentlyAliasedModel.model_validate({"pk": "a", "in": 4}),
        Loose("a", (1, 2)),
        Loose("a", NOON),
        Loose("a", float("nan")),
        Loose("a", {"deep": [float("inf")]}),
        Loose("a", {1, 2}),
        Loose("a", Point(1)),
        Loose("a", Choice.TEXT),
        Loose("a", decimal.Decimal("1.10")),
        Loose("a", {"deep": [b"a"]}),
        Nesting("a", Extended("b", NOON, 4)),
        NestingModel(pk="a", inner=ExtendedModel(name="b", when=NOON, number=4)),
        LooseModel(pk="a", value=(1, 2)),
        LooseModel(pk="a", value={1, 2}),
        LooseModel(pk="a", value=Point(1)),
        LooseModel(pk="a", value=Choice.TEXT),
        LooseModel(pk="a", value=decimal.Decimal("1.10")),
        LooseModel(pk="a", value=NOON),
        LooseModel(pk="a", value=[float("nan")]),
        LooseModel(pk="a", value=b"a"),
        Historic("a", LONG_AGO),
        Numbered("a", 10**30),
        Numbered("a", 10**5000),
        Numbered("a", "no number"),  # type: ignore[arg-type]
        Historic("\ud800", NOON),
    ],
    ids=itertools.count(),
)
def test_what_a_model_cannot_keep_is_refused_and_not_changed(item: Any) -> None:
    serializer = ModelSerializer(type(item))

    try:
        data = serializer.dump(item)
    except (TypeError, ValueError):
        return

    assert serializer.load(data) == item


@dataclasses.dataclass(eq=False)
class Identical:
    pk: str
    number: float | None


class IdenticalStruct(msgspec.Struct, eq=False):
    pk: str
    number: float | None


@attrs.define(eq=False)
class IdenticalAttrs:
    pk: str
    number: float | None


@dataclasses.dataclass
class SameKey:
    pk: str
    number: float | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameKey) and self.pk == other.pk

    __hash__ = None  # type: ignore[assignment]


@dataclasses.dataclass
class NotCompared:
    pk: str
    number: float | None = dataclasses.field(compare=False)


class SameKeyModel(pydantic.BaseModel):
    pk: str
    number: float | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SameKeyModel) and self.pk == other.pk

    __hash__ = None  # type: ignore[assignment]


EQUAL_IN_THEIR_OWN_WAY: list[Any] = [Identical, IdenticalStruct, IdenticalAttrs, SameKey, NotCompared, SameKeyModel]


@pytest.mark.parametrize("model", EQUAL_IN_THEIR_OWN_WAY)
def test_an_instance_comes_back_however_its_class_compares(model: Any) -> None:
    serializer = ModelSerializer(model)

    loaded = serializer.load(serializer.dump(model(pk="a", number=0.1)))

    assert (type(loaded), loaded.pk, loaded.number) == (model, "a", 0.1)


@pytest.mark.parametrize("model", EQUAL_IN_THEIR_OWN_WAY)
def test_a_number_that_json_has_not_is_refused_however_its_class_compares(model: Any) -> None:
    with pytest.raises(ValueError, match="would not come back from JSON as it is"):
        ModelSerializer(model).dump(model(pk="a", number=float("nan")))


class Plain:
    pk = "a"


def test_private_attributes_of_an_attrs_class_are_refused_since_they_would_not_be_stored() -> None:
    with pytest.raises(TypeError, match="UnderscoredAttrs: private attributes would not be stored: _private"):
        ModelSerializer(UnderscoredAttrs)


@pytest.mark.parametrize("model", [Plain, dict, str, Pair, Colour])
def test_a_class_without_fields_is_refused(model: Any) -> None:
    says = f"{model.__qualname__} is no dataclass, attrs class, msgspec struct or pydantic model"

    with pytest.raises(TypeError, match=says):
        ModelSerializer(model)


WITHOUT_AN_EXTRA = """
import dataclasses, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"msgspec", "attr", "attrs", "pydantic"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())

import ssshelf

@dataclasses.dataclass
class Point:
    pk: str

try:
    ssshelf.ModelItems(Point)
except ModuleNotFoundError as error:
    print(error.name, "|", error)
"""


def test_a_missing_extra_is_named() -> None:
    result = subprocess.run([sys.executable, "-c", WITHOUT_AN_EXTRA], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "msgspec | items of a class need msgspec: pip install 'ssshelf[models]'"


class Anything:
    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anything) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "item", [Anything({(1, 2): {3}}), {"a": 10**30, 1: {(1, 2)}}, 1j, None], ids=lambda i: type(i).__name__
)
def test_a_pickle_keeps_any_object(item: Any) -> None:
    serializer = PickleSerializer()

    assert serializer.load(serializer.dump(item)) == item


def test_what_cannot_be_pickled_is_refused() -> None:
    with pytest.raises((TypeError, AttributeError)):
        PickleSerializer().dump(lambda: None)


@pytest.mark.parametrize(
    ("serializer", "content_type"),
    [
        (DictSerializer(), "application/json"),
        (ModelSerializer(Point), "application/json"),
        (PickleSerializer(), "application/x-python-pickle"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_serializer_names_its_media_type(serializer: Any, content_type: str) -> None:
    assert serializer.content_type == content_type


values = st.recursive(scalars, containers, max_leaves=10)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(values)
def test_any_value_comes_back_from_json_with_its_types(value: Any) -> None:
    serializer = JSONSerializer()

    assert typed(serializer.load(serializer.dump(value))) == typed(value)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(values, st.dictionaries(st.one_of(st.integers(0, 99), st.binary(), st.none()), values, max_size=3)))
def test_any_value_comes_back_from_messagepack_with_its_types(value: Any) -> None:
    serializer = MsgpackSerializer()

    assert typed(serializer.load(serializer.dump(value))) == typed(value)


def test_bytes_and_infinite_numbers_are_nothing_special_in_messagepack() -> None:
    serializer = MsgpackSerializer()

    assert serializer.dump({"data": bytes(100), "most": math.inf}) == msgspec.msgpack.encode(
        {"data": bytes(100), "most": math.inf}
    )


@pytest.mark.parametrize("value", [{math.inf}, frozenset({b"a", (b"b", -math.inf)})], ids=["set", "frozenset"])
def test_bytes_and_infinite_numbers_are_nothing_special_in_a_set_in_messagepack(value: Any) -> None:
    serializer = MsgpackSerializer()

    loaded = serializer.load(serializer.dump(value))

    assert (type(loaded), loaded) == (type(value), value)
    assert b"$bytes" not in serializer.dump(value)


def test_bytes_in_a_set_in_messagepack_are_read_as_they_were_once_written() -> None:
    once = msgspec.msgpack.encode({"$set": [{"$bytes": "YQ=="}]})

    assert MsgpackSerializer().load(once) == {b"a"}


@pytest.mark.parametrize("serializer", [JSONSerializer(), MsgpackSerializer()], ids=["json", "msgpack"])
def test_texts_and_integers_of_a_subclass_come_back_as_their_base(serializer: Serializer[Any]) -> None:
    class Answer(enum.Enum):
        YES = True

    text, number = type("Text", (str,), {})("a"), type("Number", (int,), {})(3)

    loaded = serializer.load(serializer.dump([text, number, {text}, Answer.YES]))

    assert typed(loaded) == typed(["a", 3, {"a"}, True])


@pytest.mark.parametrize(
    "value",
    [
        {("a",): 1},
        {uuid.UUID(int=1): 1},
        {NOON: 1},
        UINT64_MAX + 1,
        dt.timedelta(1),
        object(),
        bytearray(b"a"),
        InnerStruct("a", NOON),
        "\ud800",
    ],
    ids=lambda value: type(value).__name__,
)
def test_messagepack_refuses_what_would_not_come_back(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        MsgpackSerializer().dump(value)


def test_messagepack_refuses_what_contains_itself() -> None:
    item: list[Any] = []
    item.append(item)

    with pytest.raises(ValueError, match="contains itself"):
        MsgpackSerializer().dump(item)


@pytest.mark.parametrize(
    ("serializer", "value", "refused"),
    [(BytesSerializer(), b"\x00\xff", "text"), (TextSerializer(), "é\x00", b"bytes")],
    ids=["bytes", "text"],
)
def test_bytes_and_text_are_stored_as_they_are(serializer: Serializer[Any], value: Any, refused: Any) -> None:
    assert serializer.dump(value) in (value, str(value).encode())
    assert serializer.load(serializer.dump(value)) == value
    with pytest.raises(TypeError, match="expected"):
        serializer.dump(refused)


@pytest.mark.parametrize("name", ["json", "pickle", "msgpack", "bytes", "text"])
def test_a_serializer_has_a_name(name: str) -> None:
    serializer: Serializer[Any] = as_serializer(name)
    value = b"value" if name == "bytes" else "value"

    assert serializer.load(serializer.dump(value)) == value
    assert as_serializer(serializer) is serializer


def test_an_unknown_name_of_a_serializer_is_refused() -> None:
    with pytest.raises(ValueError, match="no serializer 'yaml'; there are bytes, json, msgpack, pickle, text"):
        as_serializer("yaml")


def test_what_is_compressed_is_smaller_and_comes_back() -> None:
    serializer: Serializer[Any] = Compressed("json", 10)
    value = {"text": "again and " * 1000, "at": NOON}

    assert len(serializer.dump(value)) < 500
    assert serializer.load(serializer.dump(value)) == value


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: data + b"x", lambda data: data * 2, lambda _: b"", lambda _: b"plain"],
    ids=["cut short", "longer", "twice", "empty", "not compressed"],
)
def test_what_is_no_whole_frame_is_refused(damage: Any) -> None:
    serializer = Compressed(BytesSerializer())

    with pytest.raises(Exception, match=r"(?i)frame|source"):
        serializer.load(damage(serializer.dump(b"data" * 100)))


def test_a_few_bytes_cannot_fill_the_memory() -> None:
    bomb = Compressed(BytesSerializer()).dump(bytes(2**24))
    careful = Compressed(BytesSerializer(), limit_bytes=2**20)

    assert len(bomb) < 2**12
    with pytest.raises(ValueError, match="more than the 1048576 bytes"):
        careful.load(bomb)
    with pytest.raises(ValueError, match="more than the 1048576"):
        careful.dump(bytes(2**20 + 1))
    assert careful.load(careful.dump(bytes(2**20))) == bytes(2**20)


def test_wrappers_go_around_each_other() -> None:
    def flipped(data: bytes) -> bytes:
        return bytes(byte ^ 0xFF for byte in data)

    inside = JSONSerializer()
    serializer = Encrypted(Compressed(inside), flipped, flipped)

    assert serializer.load(serializer.dump([1, "x"])) == [1, "x"]
    assert serializer.dump([1, "x"]) == flipped(Compressed(inside).dump([1, "x"]))
    assert unwrapped(serializer) is inside


@pytest.mark.parametrize(
    ("serializer", "modules", "extra"),
    [("msgpack", ["msgspec"], "models"), ("Compressed", ["compression", "backports"], "zstd")],
)
def test_what_needs_an_extra_says_so(serializer: str, modules: list[str], extra: str) -> None:
    make = "Compressed('json')" if serializer == "Compressed" else f"as_serializer('{serializer}')"
    hidden = "; ".join(f"sys.modules['{module}'] = None" for module in modules)
    program = f"import sys; {hidden}\nfrom ssshelf.serializers import Compressed, as_serializer\n{make}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert f"pip install 'ssshelf[{extra}]'" in done.stderr
