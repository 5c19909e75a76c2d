"""Items: where their primary keys come from, and the names they are stored under."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from typing import Any

import pytest

from ssshelf.items import DictItems, IManager, ModelItems, PickleItems, primary_key_text, stored_name
from ssshelf.managers import CManager


@pytest.mark.parametrize(
    ("class_name", "stored"),
    [
        # stored names are data: what a class name makes may never change
        ("AllBookmarks", "all-bookmarks"),
        ("Bookmark", "bookmark"),
        ("HTTPServer", "http-server"),
        ("MyHTTPServer2", "my-http-server2"),
        ("ABC", "abc"),
        ("ByURL", "by-url"),
        ("A", "a"),
        ("lower", "lower"),
        ("With_Underscore", "with_-underscore"),
        ("Base64Files", "base64-files"),
        ("V2Items", "v2-items"),
        ("A1B", "a1-b"),
    ],
)
def test_a_class_name_makes_a_stored_name(class_name: str, stored: str) -> None:
    assert stored_name(class_name) == stored


class StrColour(enum.StrEnum):
    RED = "red"


class MixedColour(str, enum.Enum):  # noqa: UP042  what programs did before StrEnum
    RED = "red"


class IntLevel(enum.IntEnum):
    HIGH = 30


class MixedLevel(int, enum.Enum):
    HIGH = 30


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("pk", "text"),
    [
        ("a", "a"),
        (" ", " "),
        (0, "0"),
        (-5, "-5"),
        (10**30, "1" + "0" * 30),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (StrColour.RED, "red"),
        (MixedColour.RED, "red"),
        (IntLevel.HIGH, "30"),
        (MixedLevel.HIGH, "30"),
        (Text("red"), "red"),
    ],
)
def test_a_primary_key_is_its_text(pk: Any, text: str) -> None:
    found = primary_key_text(pk)

    assert found == text
    assert type(found) is str


@pytest.mark.parametrize("pk", [None, True, 1.5, b"a", (1,), object()], ids=lambda pk: type(pk).__name__)
def test_a_primary_key_of_another_type_is_refused(pk: Any) -> None:
    with pytest.raises(TypeError, match=f"a primary key is a str, an int or a UUID, not {type(pk).__name__}"):
        primary_key_text(pk)


@pytest.mark.parametrize("pk", ["", Text("")], ids=["plain", "subclass"])
def test_an_empty_primary_key_is_refused(pk: str) -> None:
    with pytest.raises(ValueError, match="a primary key may not be empty"):
        primary_key_text(pk)


@dataclasses.dataclass
class Note:
    pk: str
    slug: str = "the-slug"


NOTE = Note("the-pk")
DOCUMENT = {"pk": "the-pk", "slug": "the-slug"}


@pytest.mark.parametrize(
    ("items", "item", "pk"),
    [
        (DictItems(), DOCUMENT, "the-pk"),
        (DictItems("slug"), DOCUMENT, "the-slug"),
        (DictItems(pk="slug"), DOCUMENT, "the-slug"),
        (DictItems(lambda item: item["pk"].upper()), DOCUMENT, "THE-PK"),
        (ModelItems(Note), NOTE, "the-pk"),
        (ModelItems(Note, "slug"), NOTE, "the-slug"),
        (ModelItems(Note, lambda item: item.slug.upper()), NOTE, "THE-SLUG"),
        (PickleItems(), NOTE, "the-pk"),
        (PickleItems("slug"), NOTE, "the-slug"),
        (PickleItems("slug"), DOCUMENT, "the-slug"),
        (PickleItems(lambda item: item[1]), (1, "two"), "two"),
    ],
    ids=[
        "dict default",
        "dict field",
        "dict keyword",
        "dict function",
        "model default",
        "model attribute",
        "model function",
        "pickle default",
        "pickle attribute",
        "pickle key",
        "pickle function",
    ],
)
def test_a_primary_key_is_a_field_an_attribute_or_computed(items: IManager[Any], item: Any, pk: str) -> None:
    assert items.get_pk(item) == pk
    assert items.pk_text(item) == pk


@pytest.mark.parametrize(
    ("items", "item", "says"),
    [
        (DictItems("slug"), {"pk": "a"}, "dict-items: the item has no primary key (KeyError: 'slug')"),
        (DictItems(lambda item: item["a"]["b"]), {"a": {}}, "dict-items: the item has no primary key (KeyError: 'b')"),
        (
            ModelItems(Note, "title"),
            NOTE,
            "model-items: the item has no primary key (AttributeError: 'Note' object has no attribute 'title')",
        ),
        (
            PickleItems(),
            5,
            "pickle-items: the item has no primary key (AttributeError: 'int' object has no attribute 'pk')",
        ),
        (PickleItems(lambda item: item[0]), (), "pickle-items: the item has no primary key (IndexError: tuple index"),
    ],
    ids=["field", "function of a dict", "attribute", "default", "function"],
)
def test_an_item_without_a_primary_key_is_named(items: IManager[Any], item: Any, says: str) -> None:
    with pytest.raises(ValueError, match="the item has no primary key") as caught:
        items.pk_text(item)

    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(("pk", "error"), [(None, TypeError), (1.5, TypeError), (False, TypeError), ("", ValueError)])
def test_an_impossible_primary_key_of_an_item_is_refused(pk: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="a primary key"):
        DictItems().pk_text({"pk": pk})


@pytest.mark.parametrize(
    ("items", "item", "content_type"),
    [
        (DictItems(), {"pk": "a", "tags": {1, 2}}, "application/json"),
        (ModelItems(Note), NOTE, "application/json"),
        (PickleItems(), NOTE, "application/x-python-pickle"),
    ],
    ids=["dict", "model", "pickle"],
)
def test_an_item_comes_back_from_its_bytes(items: IManager[Any], item: Any, content_type: str) -> None:
    assert items.deserialize_item(items.serialize_item(item)) == item
    assert items.content_type == content_type


class NoteItems(IManager[Note]):
    def serialize_item(self, item: Note) -> bytes:
        return f"{item.pk} {item.slug}".encode()

    def deserialize_item(self, data: bytes) -> Note:
        return Note(*data.decode().split())


class SpecialNoteItems(NoteItems):
    pass


def test_an_item_manager_is_named_after_its_class() -> None:
    assert NoteItems().name == "note-items"
    assert SpecialNoteItems().name == "special-note-items"


def test_a_name_that_is_given_stays() -> None:
    assert NoteItems(name="notes").name == "notes"
    assert DictItems(name="notes").name == "notes"
    assert ModelItems(Note, name="notes").name == "notes"
    assert PickleItems(name="notes").name == "notes"


def test_an_item_manager_takes_the_attribute_pk_unless_told_otherwise() -> None:
    assert NoteItems().pk_text(NOTE) == "the-pk"


def test_an_item_manager_needs_both_directions() -> None:
    class Half(IManager[Note]):
        def serialize_item(self, item: Note) -> bytes:
            return item.pk.encode()

    with pytest.raises(TypeError, match="deserialize_item"):
        Half()  # type: ignore[abstract]


@pytest.mark.parametrize("make", [DictItems, lambda: ModelItems(Note), PickleItems], ids=["dict", "model", "pickle"])
def test_a_ready_made_item_manager_is_named_after_the_manager_that_declares_it(make: Any) -> None:
    class MyNotes(CManager[Any]):
        item_manager = make()

    assert MyNotes.item_manager.name == "my-notes"


def test_subclasses_of_a_manager_share_its_items() -> None:
    class MyNotes(CManager[Any]):
        item_manager = DictItems()

    class MoreNotes(MyNotes):
        pass

    assert MoreNotes.item_manager.name == MyNotes.item_manager.name == "my-notes"


def test_a_manager_that_declares_items_of_its_own_does_not_share_them() -> None:
    class MyNotes(CManager[Any]):
        item_manager = DictItems()

    class MoreNotes(MyNotes):
        item_manager = DictItems()

    assert (MyNotes.item_manager.name, MoreNotes.item_manager.name) == ("my-notes", "more-notes")


def test_a_name_that_is_given_is_not_taken_from_the_manager() -> None:
    class MyNotes(CManager[Any]):
        item_manager = DictItems(name="notes")

    assert MyNotes.item_manager.name == "notes"


def test_an_item_manager_of_ones_own_keeps_its_name_in_a_manager() -> None:
    class MyNotes(CManager[Note]):
        item_manager = NoteItems()

    assert MyNotes.item_manager.name == "note-items"
