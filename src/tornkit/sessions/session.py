"""`Session`: what a handler sees of the visitor's session, and what changed in it.

A session only notes changes; `tornkit.sessions.manager.Sessions` carries them out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from tornkit.errors import SessionError
from tornkit.sessions import _values

if TYPE_CHECKING:
    from tornkit.sessions.base import StoredSession

__all__ = ["JSON", "Found", "Session"]

JSON: TypeAlias = Any
"""None, bool, int, finite float, str, list, or dict with str keys. ``Any`` to type checkers,
because what was stored by another request is not known to this one."""

_FLASHES = "_flash"
_ROLES = "_roles"
_MARK = "_mark"
_MUTABLE = (list, dict)  # a tuple: ``list | dict`` would be built anew at each look


def nobody() -> dict[str, str]:
    """Describe a visitor of whom nothing is known."""
    return {}


@dataclass(slots=True)
class Found:
    """A living session as the store has it; `Sessions.open` makes a `Session` of it.

    ``can_wait`` tells that nothing is to be done unless somebody asks for the session: no user
    is signed in, the cookie is signed with today's key, and the store has just heard of a visit.
    """

    raw_id: str
    stored: StoredSession
    remembered: bool
    is_current: bool
    can_wait: bool


class _Manager(Protocol):
    def now(self) -> float: ...

    async def increment(self, session: Session, name: str, by: int) -> int: ...

    def is_touch_due(self, seen_at: float, now: float) -> bool: ...


class Session(MutableMapping[str, JSON]):
    """Map names to JSON values that this visitor's next requests will see.

    A change inside a list or dict is noticed too. Names that start with ``_`` are reserved.

    Attributes:
        cookie: what the answer must do with the cookie: ``keep`` it as it is, ``set`` it to
            `id`, or ``clear`` it. Right at any time, once every change is saved.
        accessed: whether a handler has read or changed the session; `user_id` is not counted.
    """

    __slots__ = (
        "_changed",
        "_created_at",
        "_describe",
        "_dropped",
        "_gone",
        "_hash",
        "_id",
        "_manager",
        "_presented",
        "_remembered",
        "_revoked",
        "_rotation",
        "_sealed",
        "_seen_at",
        "_texts",
        "_user_id",
        "_values",
        "accessed",
        "cookie",
    )

    def __init__(
        self,
        manager: _Manager,
        presented: bool = False,
        describe: Callable[[], Mapping[str, str]] = nobody,
        found: Found | None = None,
    ) -> None:
        self._manager = manager
        self._presented = presented  # the visitor sent an id, ours or not
        self._describe = describe
        self.cookie: Literal["keep", "set", "clear"] = "keep"
        if found is None:
            self._id: str | None = None
            self._hash = ""
            self._user_id: str | None = None
            self._created_at = self._seen_at = 0.0
            self._remembered = False
            self._values: dict[str, JSON] = {}
            self._texts: dict[str, str] = {}  # the encodings that the store has
        else:
            stored = found.stored
            self._id, self._hash, self._user_id = found.raw_id, stored.id_hash, stored.user_id
            self._created_at, self._seen_at = stored.created_at, stored.seen_at
            self._remembered = found.remembered
            self._texts = dict(stored.values)
            self._values = {name: _values.parse(text) for name, text in self._texts.items()}
            if not found.is_current:
                self.cookie = "set"  # the same id, signed with today's key
        self._changed: set[str] = set()  # set, or handed out and mutable
        self._dropped: set[str] = set()
        self._revoked: list[str] = []  # hashes to delete
        self._rotation: Literal["", "sign-in", "same-user"] = ""
        self._gone = False
        self._sealed = False
        self.accessed = False

    def __repr__(self) -> str:
        who = "anonymous" if self._user_id is None else "signed in"
        return f"<Session {who}, {'new' if self.is_new else 'stored'}, {len(self._values)} keys>"

    # --- the mapping ---------------------------------------------------------------------

    def __getitem__(self, name: str) -> JSON:
        self.accessed = True
        value = self._values[name]
        if name.startswith("_"):
            raise KeyError(name)
        if isinstance(value, _MUTABLE):
            self._changed.add(name)
        return value

    def get(self, key: str, default: JSON = None) -> JSON:
        """Return the value of a key, or ``default``."""
        self.accessed = True
        # Mapping's own would raise and catch an error for every key that is missing.
        if key not in self._values or key.startswith("_"):
            return default
        return self[key]

    def __setitem__(self, name: str, value: JSON) -> None:
        self._put(_values.check_key(name), value)

    def __delitem__(self, name: str) -> None:
        self.accessed = True
        if name not in self._values or name.startswith("_"):
            raise KeyError(name)
        self._drop(name)

    def __iter__(self) -> Iterator[str]:
        self.accessed = True
        return iter([name for name in self._values if not name.startswith("_")])

    def __len__(self) -> int:
        self.accessed = True
        return sum(not name.startswith("_") for name in self._values)

    def __contains__(self, name: object) -> bool:
        self.accessed = True
        return name in self._values and not str(name).startswith("_")

    # --- who it belongs to ---------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """The secret id for the cookie, or None before the first save; never log it."""
        return self._id

    @property
    def handle(self) -> str | None:
        """The public name of this session in `Sessions.list_user`; it opens nothing."""
        return self._hash or None

    @property
    def user_id(self) -> str | None:
        """The id of the user who is signed in, or None."""
        return self._user_id

    @property
    def roles(self) -> frozenset[str]:
        """The roles given to `sign_in`; only for sites without a ``user_model``."""
        return frozenset(self._values.get(_ROLES, ()))

    @property
    def signed_in_at(self) -> float | None:
        """When the user proved who they are, in seconds since the epoch, or None."""
        if self._user_id is None:
            return None
        return self._manager.now() if self._rotation == "sign-in" else self._created_at

    @property
    def remembered(self) -> bool:
        """Whether the user asked to stay signed in beyond this visit."""
        return self._remembered

    @property
    def mark(self) -> str:
        """What `sign_in` was told of the user, to be compared with what holds now."""
        return str(self._values.get(_MARK, ""))

    def sign_in(
        self,
        user_id: str | int,
        roles: Iterable[str] | None = None,
        *,
        mark: str = "",
        remember: bool = False,
    ) -> None:
        """Note that a user signs in; saving gives the session a new id.

        What the visitor stored while anonymous stays; what another user stored does not.

        Args:
            user_id: who it is.
            roles: what the user may enter, where nothing else knows.
            mark: kept, for whoever wants to notice later that the user has changed.
            remember: let the session live on for ``remember_timeout``, also when the browser
                is closed.

        Raises:
            SessionError: the user's id cannot be stored, or the headers have left.
        """
        user = _values.check_user_id(user_id)
        self._check_unsealed()
        self.accessed = True
        if self._user_id not in (None, user):
            self._leave()
        self._user_id, self._rotation, self._gone = user, "sign-in", False
        self._remembered = remember
        self._keep(_ROLES, None if roles is None else sorted(roles))
        self._keep(_MARK, mark or None)

    def renew(self, mark: str) -> None:
        """Note that the user is another than at sign-in, such as by their roles: a new id.

        Raises:
            SessionError: the headers have left.
        """
        self.rotate()
        self._keep(_MARK, mark or None)

    def _keep(self, name: str, value: JSON) -> None:
        if value is not None:
            self._put(name, value)
        elif name in self._values:
            self._drop(name)

    def sign_out(self) -> None:
        """Note that the visitor signs out; the session is empty and anonymous from here.

        `Sessions.revoke` deletes it at once, saving does so too. What is stored after this
        goes into a session of its own.
        """
        self.accessed = True
        self._leave()
        self._gone = False
        self.cookie = "clear" if self._presented else "keep"

    def rotate(self) -> None:
        """Note that the session needs a new id, as after a change of the user's roles.

        Raises:
            SessionError: the headers have left.
        """
        self._check_unsealed()
        if self._id is not None and not self._rotation:
            self._rotation = "same-user"

    # --- conveniences --------------------------------------------------------------------

    def flash(self, message: str, category: str = "info") -> None:
        """Leave a message for the next page that shows messages."""
        entry = {"message": str(message), "category": str(category)}
        self._put(_FLASHES, [*self._values.get(_FLASHES, ()), entry])

    def pop_flashes(self) -> list[dict[str, str]]:
        """Take the waiting messages, oldest first, each with ``message`` and ``category``."""
        self.accessed = True
        waiting: list[dict[str, str]] = self._values.get(_FLASHES, [])
        if waiting:
            self._drop(_FLASHES)
        return waiting

    async def increment(self, name: str, by: int = 1) -> int:
        """Add to a counter at once, whatever becomes of this request, and return it.

        It is exact when requests count at the same time; a missing key counts from 0.

        Raises:
            SessionError: the key holds something else than an integer.
            StoreUnavailable: the store does not answer.
        """
        _values.check_key(name)
        if isinstance(by, bool) or not isinstance(by, int):
            raise SessionError(f"increment({name!r}): by is {by!r}; expected an integer")
        self.accessed = True
        return await self._manager.increment(self, name, by)

    # --- for whoever saves ---------------------------------------------------------------

    @property
    def is_new(self) -> bool:
        """Whether the store has no session of this visitor (yet)."""
        return self._id is None

    @property
    def must_revoke(self) -> bool:
        """Whether an old id waits to be deleted: do it at once, even before an error."""
        return bool(self._revoked)

    def needs_save(self, now: float) -> bool:
        """Tell whether saving would reach the store, ``now`` in seconds since the epoch."""
        if self._revoked or self._rotation:
            return True
        if self._gone:
            return False
        if self._id is None:
            return bool(self._values)
        if self._manager.is_touch_due(self._seen_at, now):
            return True
        return bool(self._changed or self._dropped) and any(self._changes())

    def seal_cookie(self) -> None:
        """Note that the headers have left: what needs a new cookie raises from here.

        Raises then: SessionError.
        """
        self._sealed = True
        self.cookie = "keep"

    def _changes(self) -> tuple[dict[str, str], set[str]]:
        """Return the texts to put and the names to drop."""
        put = {}
        for name in self._changed:
            text = _values.dump(name, self._values[name])
            if text != self._texts.get(name):
                put[name] = text
        return put, self._dropped & self._texts.keys()

    def _issue(self, raw_id: str, id_hash: str, created_at: float) -> None:
        """Note that the store has this session under a new id."""
        self._id, self._hash, self._created_at = raw_id, id_hash, created_at
        self._rotation, self._gone, self._presented = "", False, True
        self.cookie = "set"

    def _settle(self, put: dict[str, str], dropped: Iterable[str], seen_at: float) -> None:
        """Note that the store has these changes."""
        self._texts.update(put)
        for name in dropped:
            self._texts.pop(name, None)
        self._dropped.difference_update(dropped)  # others were dropped while this was saved
        self._seen_at = seen_at

    def _settle_number(self, name: str, number: int) -> None:
        self._values[name] = number
        self._texts[name] = str(number)
        self._changed.discard(name)
        self._dropped.discard(name)

    def _vanish(self) -> None:
        """Note that somebody else ended this session meanwhile: it stays ended."""
        self._forget()
        self._gone = True

    def _leave(self) -> None:
        if self._id is not None:
            self._revoked.append(self._hash)
        self._forget()

    def _forget(self) -> None:
        self._id, self._hash, self._user_id, self._rotation = None, "", None, ""
        self._remembered = False
        for holder in (self._values, self._texts):
            holder.clear()
        for names in (self._changed, self._dropped):
            names.clear()

    def _put(self, name: str, value: JSON) -> None:
        self.accessed = True
        if self._id is None and not self._gone:
            self._check_unsealed()
        _values.dump(name, value)  # refused here, where the traceback shows the culprit
        self._values[name] = value
        self._changed.add(name)
        self._dropped.discard(name)

    def _drop(self, name: str) -> None:
        self.accessed = True
        del self._values[name]
        self._changed.discard(name)
        self._dropped.add(name)

    def _check_unsealed(self) -> None:
        if self._sealed:
            raise SessionError(
                "the session needs a new cookie, but the headers have left",
                hint="change it before the first flush()",
            )
