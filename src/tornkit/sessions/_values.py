"""Session ids, keys and values: which are accepted, and how they are written."""

from __future__ import annotations

import hashlib
import json
import math
import re
import secrets
from functools import lru_cache
from typing import Any

import msgspec

from tornkit._text import printable
from tornkit.errors import SessionError

MAX_COOKIE = 256
MAX_KEY = 255
MAX_USER_ID = 64
MAX_DEPTH = 100
_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_read = msgspec.json.Decoder().decode
_dump = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def make_id() -> str:
    """Return an id of 256 random bits, as 43 characters that are safe in a cookie."""
    return secrets.token_urlsafe(32)


def is_id(raw: object) -> bool:
    """Tell whether this could be an id of ours; anything else never reaches a store."""
    return isinstance(raw, str) and _ID.fullmatch(raw) is not None


@lru_cache(maxsize=4096)  # a visitor sends the same one with each request
def hash_id(raw: str) -> str:
    """Return the only form of an id that is ever stored: its SHA-256 in hex."""
    return hashlib.sha256(raw.encode("ascii")).hexdigest()


def dump(name: str, value: object) -> str:
    """Return a value as JSON in ASCII, which every database stores alike.

    Raises:
        SessionError: it is not JSON, and would come back as something else.
    """
    problem = _problem(value, 0)
    if problem:
        raise SessionError(
            f"session key {printable(name)!r} holds {problem}",
            hint="sessions hold None, bool, int, finite float, str, list and dict with str keys",
        )
    try:
        return _dump(value)
    except ValueError as error:  # an integer beyond Python's limit of digits
        raise SessionError(
            f"session key {printable(name)!r} cannot be written: {error}"
        ) from error


def parse(text: str) -> Any:
    """Return the value of a stored text.

    Raises:
        ValueError: it is not JSON, or nested too deep.
    """
    try:
        return _read(text)
    except msgspec.DecodeError:
        pass  # it refuses lone surrogates, which sessions may hold
    except RecursionError:
        raise ValueError("nested too deep") from None
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _problem(value: object, depth: int) -> str:
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return ""
    if depth > MAX_DEPTH:
        return f"a value nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a float that is not finite"
    if isinstance(value, dict):
        return _problem_of_dict(value, depth)
    if isinstance(value, list | tuple):
        return next(filter(None, (_problem(item, depth + 1) for item in value)), "")
    return "" if isinstance(value, str | int) else f"a {kind.__name__}"


def _problem_of_dict(value: dict[Any, Any], depth: int) -> str:
    for key in value:
        if not isinstance(key, str):
            return f"a dict with a key of type {type(key).__name__}"
    return next(filter(None, (_problem(item, depth + 1) for item in value.values())), "")


def check_key(name: object) -> str:
    """Return a key that handlers may use.

    Raises:
        SessionError: it is empty, too long, starts with ``_`` or is not plainly printable;
            databases disagree about such text.
    """
    if not isinstance(name, str) or not _is_clean(name, MAX_KEY):
        raise SessionError(
            f"session key {printable(repr(name))} cannot be used",
            hint=f"use 1 to {MAX_KEY} printable characters without surrounding blanks",
        )
    if name.startswith("_"):
        raise SessionError(
            f"session key {name!r} is reserved", hint="choose a name that does not start with _"
        )
    return name


def check_user_id(user_id: object) -> str:
    """Return a user's id as text.

    Raises:
        SessionError: it is empty, longer than 64 characters or not plainly printable.
    """
    text = str(user_id)
    if isinstance(user_id, bool) or not isinstance(user_id, str | int):
        raise SessionError(f"a user id is text or an integer, not {type(user_id).__name__}")
    if not _is_clean(text, MAX_USER_ID):
        raise SessionError(
            f"user id {printable(text)!r} cannot be used",
            hint=f"use 1 to {MAX_USER_ID} printable characters without surrounding blanks",
        )
    return text


def _is_clean(text: str, limit: int) -> bool:
    return 0 < len(text) <= limit and text.isprintable() and text == text.strip()


def add(value: object, by: int, name: str) -> int:
    """Return a counter's next value; a missing one counts from 0.

    Raises:
        SessionError: the key holds something else than an integer.
    """
    if value is None:
        return by
    if isinstance(value, bool) or not isinstance(value, int):
        raise SessionError(
            f"session key {printable(name)!r} holds a {type(value).__name__}, not an integer",
            hint="count under another key",
        )
    return value + by


def add_to_text(text: str | None, by: int, name: str) -> int:
    """Return the next value of a stored counter; what cannot be read is no counter.

    Raises:
        SessionError: the key holds something else than an integer.
    """
    try:
        value = None if text is None else parse(text)
    except ValueError:
        value = text
    if text is not None and value is None:
        value = text  # a stored null is not a missing key
    return add(value, by, name)
