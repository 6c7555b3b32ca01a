"""What the behaviours share: made-up sessions, and an ``expect`` that says what went wrong."""

from __future__ import annotations

import hashlib
import json
import reprlib
from typing import TYPE_CHECKING, Any, Final

from tornkit.sessions import StoredSession

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["LATER", "T0", "A", "B", "C", "digest", "expect", "stored", "values_of"]

T0: Final = 1_700_000_000.25
LATER: Final[Any] = {"seen_at": T0 + 60, "expires_at": T0 + 4000}

_short = reprlib.Repr()
_short.maxstring, _short.maxother = 120, 300
_short.maxdict = _short.maxlist = 8
_short.maxlevel = 4


def digest(name: str) -> str:
    """Return the hash of an id that has this name in a test."""
    return hashlib.sha256(name.encode()).hexdigest()


A: Final = digest("a")
B: Final = digest("b")
C: Final = digest("c")


def stored(id_hash: str = A, user_id: str | None = None, **values: object) -> StoredSession:
    """Return a session with these values."""
    texts = {name: json.dumps(value) for name, value in values.items()}
    return StoredSession(id_hash, user_id, T0, T0 + 1, T0 + 3600, '{"ip": "::1"}', texts)


async def values_of(store: SessionStore, id_hash: str = A) -> dict[str, Any]:
    """Return the values of a session that has to be there."""
    __tracebackhide__ = True
    found = await store.load(id_hash)
    if found is None:
        raise AssertionError("load() found no session where there must be one")
    return {name: json.loads(text) for name, text in found.values.items()}


def expect(found: object, wanted: object, claim: str) -> None:
    """Fail with the broken claim, and what was found in place of what."""
    __tracebackhide__ = True
    if found != wanted:
        shown, asked = _short.repr(found), _short.repr(wanted)
        raise AssertionError(f"{claim}: expected {asked}, found {shown}")
