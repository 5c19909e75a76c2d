"""What a store really does, found out by asking it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields

import orjson

from ssshelf._concurrency import map_bounded
from ssshelf.errors import (
    ConflictError,
    DeniedError,
    NotFoundError,
    ShelfError,
    StoreNotFoundError,
    UnavailableError,
)
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages.base import Capabilities, IfAbsent, IfMatch, Storage, content_etag
from ssshelf.storages.offers import delete_many

__all__ = ["Probe", "ask"]

_FORMAT = 1
_RACERS = 8
_AT_ONCE = 16
_OTHER_ETAG = content_etag(b"what no probe ever writes")
_PROBLEMS = {
    "if_absent_creates": "it does not create an entry on condition that there is none (If-None-Match: *)",
    "if_absent_refuses": "it overwrites an entry on condition that there is none (If-None-Match: *)",
    "if_match_writes": "it does not replace an entry on condition that it is unchanged (If-Match)",
    "if_match_refuses": "it overwrites an entry on condition that it is unchanged, although it has changed (If-Match)",
    "if_match_refuses_missing": "it creates an entry on condition that it is unchanged, although it is gone (If-Match)",
    "one_winner": "of several writers that create one entry at the same time, it does not let exactly one win",
    "lists_in_order": "it does not list all entries in the order of their names",
    "after_exclusive": "a listing does not start right behind the name it shall start after",
    "limit_honoured": "a listing has more rows than were asked for, or does not say that more follow",
    "delete_match_removes": "it does not delete an entry on condition that it is unchanged (If-Match)",
    "delete_match_refuses": "it deletes an entry on condition that it is unchanged, although it has changed (If-Match)",
    "delete_match_refuses_missing": "it says that it deletes an entry on condition that it is unchanged, although it "
    "is gone (If-Match)",
    "nested_keys": "it does not store an entry beside entries whose names begin with its name and a slash",
    "old_signature_refused": "it accepts requests that were signed long ago, so that nobody knows when the last "
    "trace of a writer that gave up arrives",
}
_REMEDY = (
    "use a store that does what Amazon S3 does here, or another version or setting of this one; "
    "then `await storage.probe()` asks it again"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """What a store did when it was asked.

    Attributes:
        if_absent_creates: ``IfAbsent`` writes where there is nothing.
        if_absent_refuses: ``IfAbsent`` is refused where there is an entry, which stays.
        if_match_writes: ``IfMatch`` writes over the entry with this etag.
        if_match_refuses: ``IfMatch`` is refused where the entry has another etag, and it stays.
        if_match_refuses_missing: ``IfMatch`` is refused where there is nothing, and nothing is created.
        one_winner: Of 8 that create one entry at once, exactly one does; the others are told so, or that the outcome
            is unknown.
        lists_in_order: Listings have everything that was just written, in the order of names in bytes.
        after_exclusive: A listing starts right behind the name that it is to start after.
        limit_honoured: A listing has no more rows than were asked for, and says that more follow.
        delete_match_removes: A deletion with ``IfMatch`` removes the entry with this etag.
        delete_match_refuses: A deletion with ``IfMatch`` is refused where the entry has another etag, and it stays.
        delete_match_refuses_missing: A deletion with ``IfMatch`` is refused where there is nothing.
        nested_keys: ``a`` and ``a/b`` can be stored beside each other.
        old_signature_refused: A request that was signed 20 minutes ago is refused; ``None`` where none are signed.
        etag_quoted: The store takes the etag of If-Match in quotes, as HTTP has it, and not only without them;
            ``None`` where there is no HTTP.
    """

    if_absent_creates: bool
    if_absent_refuses: bool
    if_match_writes: bool
    if_match_refuses: bool
    if_match_refuses_missing: bool
    one_winner: bool
    lists_in_order: bool
    after_exclusive: bool
    limit_honoured: bool
    delete_match_removes: bool
    delete_match_refuses: bool
    delete_match_refuses_missing: bool
    nested_keys: bool
    old_signature_refused: bool | None = None
    etag_quoted: bool | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the store, a sentence each; the gravest first."""
        return tuple(sentence for name, sentence in _PROBLEMS.items() if getattr(self, name) is False)

    @property
    def advice(self) -> str:
        """What is wrong and what to do about it; empty when nothing is."""
        return f"{'; '.join(self.problems)}: {_REMEDY}" if self.problems else ""

    def applied_to(self, documented: Capabilities) -> Capabilities:
        """Return what the store can do, of what it is said to."""
        deletes = self.delete_match_removes and self.delete_match_refuses
        return dataclasses.replace(
            documented,
            conditional_put=self.if_absent_creates
            and self.if_absent_refuses
            and self.if_match_writes
            and self.if_match_refuses
            and self.if_match_refuses_missing
            and self.one_winner,
            conditional_delete=deletes,
            exclusive_delete=deletes and self.delete_match_refuses_missing,
            ordered_scan=self.lists_in_order and self.after_exclusive and self.limit_honoured,
            late_s=None if self.old_signature_refused is False else documented.late_s,
            advice=self.advice,
        )

    @classmethod
    def of(cls, said: Capabilities) -> Probe:
        """Return what a storage that is not asked says of itself."""
        conditions = [name for name in _PROBLEMS if name.startswith("if_") or name == "one_winner"]
        deletions = ("delete_match_removes", "delete_match_refuses")
        listings = ("lists_in_order", "after_exclusive", "limit_honoured")
        return cls(
            **dict.fromkeys(conditions, said.conditional_put),
            **dict.fromkeys(deletions, said.conditional_delete),
            **dict.fromkeys(listings, said.ordered_scan),
            delete_match_refuses_missing=said.conditional_delete and said.exclusive_delete,
            nested_keys=True,
            old_signature_refused=said.late_s is not None,
        )

    def to_json(self) -> bytes:
        """Return it as one JSON object, to be remembered."""
        return orjson.dumps({"ssshelf": _FORMAT, **dataclasses.asdict(self)})

    @classmethod
    def from_json(cls, data: bytes) -> Probe:
        """Return what ``to_json`` wrote.

        Raises:
            ValueError: It is something else, or of another version, which asked other questions.
        """
        answers = orjson.loads(data)
        if not isinstance(answers, dict) or answers.pop("ssshelf", None) != _FORMAT:
            msg = "this is no probe of this version"
            raise ValueError(msg)
        allowed = {field.name: (True, False, field.default) for field in fields(cls)}
        if answers.keys() != allowed.keys() or any(answers[name] not in allowed[name] for name in allowed):
            msg = "this probe answers other questions"
            raise ValueError(msg)
        return cls(**answers)


async def ask(storage: Storage, retries: RetryPolicy | None = None) -> Probe:
    """Find out what the store of ``storage`` does, under keys below ``meta!/probing!`` that are removed again.

    Who cancels it does not wait for the removal; what stays is small, and in nobody's way.

    Args:
        storage: Passes on what it is asked, and repeats no conditional write.
        retries: How a question is asked again when the store does not answer; draws what keeps probes apart.

    Raises:
        UnavailableError: The store did not answer. Nothing was concluded from that.
        DeniedError: The credentials do not allow to write.

    Cost:
        31 requests, 7 one after another; more if the store has no batch deletion.
    """
    retries = retries or RetryPolicy()
    asker = _Asker(storage, Key("meta", "probing", f"{retries.dice.getrandbits(64):016x}"))
    try:
        answers = await map_bounded(retries.repeat, asker.questions, _AT_ONCE)
    except Exception:
        await asker.clean_up()
        raise
    await asker.clean_up()
    return Probe(**{name: answer for some in answers for name, answer in some.items()})


class _Asker:
    """Asks; each question under keys of its own, so that it can be asked again.

    Attributes:
        keys: All that may have been written.
        questions: Each returns some of the fields of a ``Probe``.
    """

    def __init__(self, storage: Storage, place: Key) -> None:
        self._storage = storage
        self._place = place
        self.keys: list[Key] = []
        self.questions: list[Callable[[], Awaitable[dict[str, bool]]]] = [
            self._writing,
            self._writing_over_nothing,
            self._deleting,
            self._deleting_nothing,
            self._racing,
            self._listing,
        ]

    def _fresh(self) -> Key:
        key = Key(*self._place.parts, len(self.keys))
        self.keys.append(key)
        return key

    async def clean_up(self) -> None:
        """Remove all that may have been written, if the store lets it be."""
        with contextlib.suppress(ShelfError):
            await delete_many(self._storage, self.keys)

    async def _writing(self) -> dict[str, bool]:
        key, put, get = self._fresh(), self._storage.put, self._storage.get
        creates = await _refused(put(key, b"1", condition=IfAbsent())) is False
        if not creates:
            await put(key, b"1")
        absent_refused = await _refused(put(key, b"2", condition=IfAbsent()))
        match_refused = await _refused(put(key, b"3", condition=IfMatch(_OTHER_ETAG)))
        entry = await get(key)
        writes = await _refused(put(key, b"4", condition=IfMatch(entry.etag))) is False
        return {
            "if_absent_creates": creates,
            "if_absent_refuses": absent_refused is True and entry.data != b"2",
            "if_match_refuses": match_refused is True and entry.data != b"3",
            "if_match_writes": writes and (await get(key)).data == b"4",
        }

    async def _writing_over_nothing(self) -> dict[str, bool]:
        key = self._fresh()
        refused = await _refused(self._storage.put(key, b"1", condition=IfMatch(_OTHER_ETAG)))
        return {"if_match_refuses_missing": refused is True and await self._is_gone(key)}

    async def _deleting(self) -> dict[str, bool]:
        key, delete = self._fresh(), self._storage.delete
        etag = await self._storage.put(key, b"1")
        refused = await _refused(delete(key, condition=IfMatch(_OTHER_ETAG)))
        spared = not await self._is_gone(key)
        if not spared:
            etag = await self._storage.put(key, b"1")
        removes = await _refused(delete(key, condition=IfMatch(etag))) is False
        return {
            "delete_match_refuses": refused is True and spared,
            "delete_match_removes": removes and await self._is_gone(key),
        }

    async def _deleting_nothing(self) -> dict[str, bool]:
        refused = await _refused(self._storage.delete(self._fresh(), condition=IfMatch(_OTHER_ETAG)))
        return {"delete_match_refuses_missing": refused is True}

    async def _racing(self) -> dict[str, bool]:
        key = self._fresh()

        async def create(number: int) -> UnavailableError | bool | None:
            try:
                return await _refused(self._storage.put(key, str(number).encode(), condition=IfAbsent()))
            except UnavailableError as error:
                return error

        refused = await map_bounded(create, range(_RACERS), _RACERS)
        unknown = [answer for answer in refused if isinstance(answer, UnavailableError)]
        try:
            holder = int((await self._storage.get(key)).data)
        except NotFoundError:
            if unknown:
                raise unknown[0] from None
            return {"one_winner": False}
        winners = [number for number in range(_RACERS) if refused[number] is False]
        return {"one_winner": winners == [holder] or (not winners and refused[holder] in unknown)}

    async def _listing(self) -> dict[str, bool]:
        place = self._fresh().parts
        # The last two are apart in bytes only: one is cut by a slash, which follows what ends the other.
        flat = [Key(*place, part) for part in ("B", "a", "x" * 200, "x" * 201)]
        nested = Key(*flat[1].parts, "b")
        self.keys += [*flat, nested]
        await map_bounded(lambda key: self._storage.put(key, b""), flat, _AT_ONCE)
        await _refused(self._storage.put(nested, b""))
        listed = [row.key for row in (await self._storage.scan(Key(*place))).rows]
        scan = await self._storage.scan(Key(*place), after=flat[1].text, limit=1)
        behind = [key for key in sorted([*flat, nested], key=lambda key: key.text) if key.text > flat[1].text]
        first = [key for key in behind if key in listed][:1]
        return {
            "lists_in_order": listed == sorted(listed, key=lambda key: key.text) and set(flat) <= set(listed),
            "nested_keys": {flat[1], nested} <= set(listed),
            "after_exclusive": [row.key for row in scan.rows[:1]] == first,
            "limit_honoured": len(scan.rows) == 1 and scan.after is not None,
        }

    async def _is_gone(self, key: Key) -> bool:
        try:
            await self._storage.get(key)
        except NotFoundError:
            return True
        return False


async def _refused(request: Awaitable[object]) -> bool | None:
    """Return whether a request was refused because of its condition; ``None`` when the store has no such requests."""
    try:
        await request
    except ConflictError:
        return True
    except (UnavailableError, DeniedError, StoreNotFoundError):
        raise
    except ShelfError:
        return None
    return False
