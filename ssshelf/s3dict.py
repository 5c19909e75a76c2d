"""A dict that is saved as one JSON document, as S3Dictionary did, in a bucket or any other storage."""

from __future__ import annotations

import os
import threading
from collections import UserDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ssshelf._json_file import JSONFile, Merge, merge_keys
from ssshelf._observed import ObservedDict, plain
from ssshelf._opened import Opened
from ssshelf._register import Register
from ssshelf.errors import ConflictError, KeyTooLongError
from ssshelf.keys import Key
from ssshelf.retries import RetryPolicy
from ssshelf.storages import open_storage
from ssshelf.storages.base import Storage, check_storage

if TYPE_CHECKING:
    from typing import Self, Unpack

    from ssshelf.storages.s3 import S3Options

__all__ = ["S3Dict"]


class S3Dict(UserDict[str, Any]):
    """A dict that is read from a JSON document when it is made, and written back by ``save``, all of it at once.

    A save replaces only what this dict has read or saved itself; what somebody else has saved meanwhile is a
    ``ConflictError``, or merged. With ``autosave`` each change is saved, also one made to a list or dict inside, and is
    undone if that fails; ``update`` is one change. Copies (``copy``, ``|``, ``fromkeys``, ``pickle``) are plain dicts.

    It blocks, and may be shared by threads; without ``autosave``, only one at a time may change a list or dict inside.
    What JSON does not keep is refused by a save: keys that are no texts, NaN, values that are none of JSON's; a tuple
    comes back as a list.

    Args:
        bucket_name: The bucket, which must exist.
        access_key_id: Whose bucket; without it, botocore's usual chain finds credentials: environment, profile, role.
        access_secret_key: The secret of it.
        file_name: The name of the object that holds the document, or of the entry in ``storage``.
        autosave: Whether to save each change, and the dict itself at once if nothing is stored or ``data`` is given.
        data: What to hold instead of what is stored; nothing is written before a save.
        default: What to hold if nothing is stored.
        storage: Where it is instead of a bucket: a storage, which stays yours to close, or its URL.
        merge: Asked when somebody else has saved meanwhile; ``S3Dict.merge_keys``, or your own. Called by the thread
            that saves; what it raises ends the save.
        session: An aiobotocore ``AioSession`` or aioboto3 ``Session`` to make clients with.
        retries: How long and how often a save is tried.
        options: Region, endpoint, session token and the like, as of ``S3Storage``.

    Raises:
        CorruptionError: What is stored is no JSON object.
        StoreNotFoundError: There is no such bucket.
        DeniedError: The credentials are wrong, or may not read it; AWS also says so of an object that does not exist
            to who may not list the bucket.

    Cost:
        1 get to make one; 1 put to save. What has the same bucket and credentials shares connections.
    """

    merge_keys = staticmethod(merge_keys)

    def __init__(  # noqa: PLR0913, PLR0917  those of S3Dictionary, in their order
        self,
        bucket_name: str | None = None,
        access_key_id: str | None = None,
        access_secret_key: str | None = None,
        file_name: str | None = None,
        autosave: bool = False,  # noqa: FBT001, FBT002
        data: dict[str, Any] | None = None,
        default: dict[str, Any] | None = None,
        *,
        storage: Storage | str | None = None,
        merge: Merge | None = None,
        session: Any = None,
        retries: RetryPolicy | None = None,
        **options: Unpack[S3Options],
    ) -> None:
        data, default = _mapping("data", data), _mapping("default", default)
        options.update(_credentials(access_key_id, access_secret_key))
        self._names = (bucket_name, access_key_id, access_secret_key)
        self._opened = _opened(bucket_name, storage, session, options)
        storage = self._opened.storage
        self._file = JSONFile(Register(storage, _key(file_name, storage), retries or RetryPolicy()), merge)
        self._lock = _Lock()
        self._default = plain(dict(default or {}))
        self._autosave = False
        self.load()
        if data is not None:
            self._hold(dict(data))
        if autosave:
            self._begin_autosave(is_new=data is not None)

    @property
    def data(self) -> dict[str, Any]:
        """The dict itself."""
        return self._data

    @data.setter
    def data(self, value: dict[str, Any]) -> None:
        with self._lock:
            if self._autosave:
                self._save(dict(value), if_changed=True)
            else:
                self._hold(dict(value))

    @property
    def autosave(self) -> bool:
        """Whether each change is saved; to be set, which saves at once if it is true.

        What was taken out of the dict before, such as a list inside, is not noticed when it changes afterwards.
        """
        return self._autosave

    @autosave.setter
    def autosave(self, value: bool) -> None:
        if not isinstance(value, bool):
            msg = "autosave must be type bool"
            raise ValueError(msg)  # noqa: TRY004  as of S3Dictionary
        with self._lock:
            if value:
                self.save()
            if value is not self._autosave:
                self._autosave = value
                self._hold(self._data)

    @property
    def bucket_name(self) -> str | None:
        """The bucket; ``None`` with a ``storage``."""
        return self._names[0]

    @property
    def access_key_id(self) -> str | None:
        """Whose bucket, if that was given."""
        return self._names[1]

    @property
    def access_secret_key(self) -> str | None:
        """The secret of it; no message and no ``repr`` has it."""
        return self._names[2]

    @property
    def file_name(self) -> str:
        """The name of the object."""
        return self._file.register.key.text

    def save(self, *, force: bool = False) -> None:
        """Write all of it, if what is stored is what was read or saved last; else merge, if there is a ``merge``.

        Args:
            force: Write over whatever is there.

        Raises:
            ConflictError: Somebody else has saved, or removed it; nothing was written. ``load`` it, or ``force``.
            CommitUnknownError: The store did not say whether it was written. To save again is safe.
            UnavailableError: The store does not answer; nothing was written, unless ``maybe_applied`` of it is true.
            UnsupportedError: The store ignores conditions, so that only ``force`` is possible.
            TypeError, ValueError: Something inside is not for JSON; nothing was written.

        Cost:
            1 put; for each save by somebody else that is merged, 1 get and 1 put more.
        """
        with self._lock:
            if force:
                self._file.overwrite(self._data)
            else:
                self._save(self._data)

    def load(self) -> None:
        """Hold what is stored, and nothing else; the ``default``, if there is nothing and never was.

        Raises:
            NotFoundError: Somebody has removed what was there; this dict stays as it is.
            CorruptionError: It is no JSON object; this dict stays as it is.

        Cost:
            1 get.
        """
        with self._lock:
            stored = self._file.load()
            self._hold(self._default if stored is None else stored)

    def delete(self, *, force: bool = False) -> None:
        """Remove what is stored, and all that is in this dict, which can be used and saved again.

        An attempt of a save that made the document, or of a forced one, may have had no answer, and arrive only now:
        then the document is there again. ``Capabilities.late_s`` of the storage tells for how long after the save that
        may be; with ``None`` nobody knows. Then ``load`` it, and delete it again.

        Args:
            force: Remove whatever is there.

        Raises:
            ConflictError: Somebody else has saved; nothing was removed.
            CommitUnknownError: The store did not say whether it was removed. To delete again is safe.
            UnsupportedError: The store ignores conditions of deletions, so that only ``force`` is possible.

        Cost:
            1 deletion; 1 get instead if nothing was stored.
        """
        with self._lock:
            if force:
                self._file.delete_anyway()
            else:
                self._file.delete()
            self._hold({})

    def _begin_autosave(self, *, is_new: bool) -> None:
        if is_new:
            self.save()
        elif not self._file.is_there:
            try:
                self._file.create(self._data)
            except ConflictError:  # somebody else has just made it
                self.load()
        self._autosave = True
        self._hold(self._data)

    def _save(self, data: dict[str, Any], *, if_changed: bool = False) -> None:
        """Save ``data``, and hold it, or what it was merged to."""
        saved = self._file.save(data, if_changed=if_changed)
        if saved is not self._data:
            self._hold(saved)

    def _hold(self, data: dict[str, Any]) -> None:
        """Have a copy of ``data`` as the dict itself; with autosave, one that tells of changes."""

        def changed() -> None:
            if self._data is not held:
                msg = "this is not in the S3Dict any more, which was read anew: take it out of that again"
                raise ValueError(msg)
            self._save(held, if_changed=True)

        if self._autosave:
            held = ObservedDict(data, changed, self._lock)
            self._data: dict[str, Any] = held
        else:
            self._data = plain(data)

    # From here on a dict: each method is one change, and saved as one.

    def __setitem__(self, key: str, item: Any) -> None:
        with self._lock:
            self._data[key] = item

    def __delitem__(self, key: str) -> None:
        with self._lock:
            del self._data[key]

    def __ior__(self, other: Any) -> Self:  # type: ignore[override]
        self.update(other)
        return self

    def __or__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        with self._lock:
            both = self._data | (other.data if isinstance(other, UserDict) else other)
            return plain(both)  # type: ignore[no-any-return]

    def __ror__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        with self._lock:
            return plain(other | self._data)  # type: ignore[no-any-return]

    def __copy__(self) -> dict[str, Any]:  # type: ignore[override]
        return self.copy()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (self.copy(),)

    def clear(self) -> None:
        """Remove all keys."""
        with self._lock:
            self._data.clear()

    def copy(self) -> dict[str, Any]:  # type: ignore[override]
        """Return what this holds, down to what is innermost, as a plain dict: nothing of it is saved."""
        with self._lock:
            return plain(self._data)  # type: ignore[no-any-return]

    @classmethod
    def fromkeys(cls, iterable: Iterable[str], value: Any = None) -> dict[str, Any]:  # type: ignore[override]
        """Return a plain dict with these keys; nothing is saved."""
        return dict.fromkeys(iterable, value)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value, or the default."""
        with self._lock:
            return self._data.pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove and return the key that was added last, and its value."""
        with self._lock:
            return self._data.popitem()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, which is set to the default if it is not there."""
        with self._lock:
            self._data.setdefault(key, default)
            return self._data[key]  # anew: a merge makes another dict

    def update(self, other: Any = (), /, **more: Any) -> None:
        """Set many keys at once."""
        with self._lock:
            self._data.update(other, **more)


class _Lock:
    """A reentrant lock, of no use after a fork: the thread that held it then is not there to release it."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        if self._pid != os.getpid():
            msg = "this was opened before a fork: open it again in each process"
            raise ValueError(msg)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _credentials(access_key_id: str | None, access_secret_key: str | None) -> S3Options:
    if (access_key_id is None) is not (access_secret_key is None):
        msg = "access_key_id and access_secret_key belong together: give both, or neither"
        raise ValueError(msg)
    if access_key_id is None or access_secret_key is None:
        return {}
    return {"aws_access_key_id": access_key_id, "aws_secret_access_key": access_secret_key}


def _mapping(name: str, value: Any) -> Any:
    if not isinstance(value, Mapping | None):
        msg = f"{name} must be a dict, not {type(value).__name__}"
        raise TypeError(msg)
    return value


def _opened(bucket_name: str | None, storage: Storage | str | None, session: Any, options: S3Options) -> Opened:
    if bucket_name is not None and storage is None:
        return Opened.bucket(bucket_name, session, **options)
    if storage is None or bucket_name is not None:
        msg = "bucket_name must be specified, or a storage, and not both"
        raise ValueError(msg)
    if session is not None or options:
        msg = "access keys, a session and options are those of a bucket; give them to the storage itself"
        raise ValueError(msg)
    if isinstance(storage, str):
        return Opened(open_storage(storage))
    check_storage(storage)
    return Opened(storage, is_mine=False)


def _key(file_name: str | None, storage: Storage) -> Key:
    """Return the key of the entry with this very name."""
    if not isinstance(file_name, str) or not file_name:
        msg = "file_name must be specified: a text that is not empty"
        raise ValueError(msg)
    if {".", ".."}.intersection(file_name.split("/")):
        msg = "file_name: no folder or file may be called . or .., which clients of S3 take for paths"
        raise ValueError(msg)
    size_bytes, limit_bytes = len(file_name.encode()), storage.capabilities.max_key_bytes
    if size_bytes > limit_bytes:
        raise KeyTooLongError(file_name, size_bytes, limit_bytes)
    return Key.from_text(file_name)
