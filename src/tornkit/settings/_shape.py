"""What a key may hold: the settings class read as a tree of tables and values."""

from __future__ import annotations

import datetime
import json
import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typing_extensions
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tornkit.settings._masking import SECRET_TYPES, is_secret_name

__all__ = ["Target", "decode", "resolve", "root", "step", "step_variable", "tables"]

Kind = Literal["model", "table", "open", "leaf"]

# ``type X = ...`` is the language's from Python 3.12 on; before, typing_extensions has it.
_ALIASES: tuple[type, ...] = (
    typing_extensions.TypeAliasType,
    getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType),
)


@dataclass(frozen=True, slots=True)
class Target:
    """One place in the tree.

    ``model`` has known keys, ``table`` any key with values of one type, ``open`` is not
    looked into (``Any``, unions of tables), ``leaf`` is one value.
    """

    name: str
    kind: Kind
    members: tuple[Any, ...]  # the members of a union, without None and Annotated
    metadata: tuple[Any, ...]
    optional: bool
    secret: bool


@cache
def root(cls: type[BaseModel]) -> Target:
    """Return the top of a settings class."""
    return Target("", "model", (cls,), (), optional=False, secret=False)


def step(target: Target, part: str) -> Target | None:
    """Return what lies below under this key, or None if nothing may."""
    if target.kind == "model":
        field = target.members[0].model_fields.get(part)
        return None if field is None else _target(part, field.annotation, tuple(field.metadata))
    if target.kind == "table":
        value = (get_args(target.members[0]) or (str, Any))[1]
        return _target(part, value, (), secret=target.secret)
    if target.kind == "open":
        return _target(part, Any, (), secret=target.secret)
    return None


def step_variable(target: Target, part: str) -> tuple[str, Target] | None:
    """Return the key that a variable's part names, and what lies there."""
    name = part.lower()
    if target.kind == "model":
        fields = target.members[0].model_fields
        name = next((field for field in fields if field.lower() == name), name)
    below = step(target, name) if name else None
    return None if below is None else (name, below)


def resolve(cls: type[BaseModel], path: tuple[str, ...]) -> Target | None:
    """Return what lies at a path, or None if nothing may."""
    target: Target | None = root(cls)
    for part in path:
        target = step(target, part) if target else None
    return target


def tables(cls: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted key of every setting that the class declares."""
    keys: list[str] = []
    for name in cls.model_fields:
        target = step(root(cls), name)
        keys.append(prefix + name)
        if target is not None and target.kind == "model":
            keys += tables(target.members[0], f"{prefix}{name}.")
    return keys


def decode(target: Target, text: str) -> object:
    """Return the value that a variable's text stands for; text stays text.

    Only lists, tables and ``Any`` are looked into: JSON, and for lists also commas.

    Raises:
        ValueError: the text is not the JSON that this key needs; it never holds the text.
    """
    if target.kind != "leaf":
        return _decode_table(target, text)
    if not text and target.optional and not _takes_text(target):
        return None
    if datetime.timedelta in target.members and text.strip().replace(".", "", 1).isdigit():
        return float(text)
    if any(_is_list(member) for member in target.members) and not _takes_text(target):
        return _decode_list(text)
    return text


def _decode_table(target: Target, text: str) -> object:
    if not text and target.optional:
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, dict):
        return value
    if target.kind == "open":
        return text if _takes_text(target) and not isinstance(value, list) else value
    raise ValueError


def _decode_list(text: str) -> list[object]:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list):
        raise ValueError from None
    return value


def _takes_text(target: Target) -> bool:
    return any(member is str or member in SECRET_TYPES for member in target.members)


def _is_list(member: Any) -> bool:
    origin = get_origin(member) or member
    return (
        isinstance(origin, type) and issubclass(origin, Collection) and origin not in (str, bytes)
    )


def _target(
    name: str, annotation: Any, metadata: tuple[Any, ...], *, secret: bool = False
) -> Target:
    found: list[Any] = []
    notes = list(_flat(metadata))
    _members(annotation, found, notes)
    members = tuple(member for member in found if member is not type(None))
    return Target(
        name=name,
        kind=_kind(members),
        members=members,
        metadata=tuple(notes),
        optional=len(members) < len(found),
        secret=secret or _holds_secret(members) or (is_secret_name(name) and _texty(members)),
    )


def _flat(metadata: tuple[Any, ...]) -> list[Any]:
    flat: list[Any] = []
    for note in metadata:
        flat += note.metadata if isinstance(note, FieldInfo) else [note]
    return flat


def _members(annotation: Any, found: list[Any], notes: list[Any]) -> None:
    """Collect the members of nested unions, aliases and Annotated."""
    origin = get_origin(annotation)
    if isinstance(annotation, TypeVar):
        _members(annotation.__bound__ or Any, found, notes)
    elif isinstance(annotation, _ALIASES):
        _members(annotation.__value__, found, notes)  # type: ignore[attr-defined]
    elif origin is Annotated:
        inner, *rest = get_args(annotation)
        notes += _flat(tuple(rest))
        _members(inner, found, notes)
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            _members(member, found, notes)
    else:
        found.append(annotation)


def _kind(members: tuple[Any, ...]) -> Kind:
    if any(member in (Any, object) for member in members):
        return "open"
    if len(members) == 1:
        if _is_model(members[0]):
            return "model"
        return "table" if _is_mapping(members[0]) else "leaf"
    holds_table = any(_is_model(member) or _is_mapping(member) for member in members)
    return "open" if holds_table else "leaf"


def _is_model(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, BaseModel)


def _is_mapping(member: Any) -> bool:
    origin = get_origin(member) or member
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _holds_secret(members: tuple[Any, ...]) -> bool:
    for member in members:
        origin = get_origin(member) or member
        if isinstance(origin, type) and issubclass(origin, SECRET_TYPES):
            return True
        inner: list[Any] = []
        for argument in get_args(member):
            _members(argument, inner, [])
        if inner and get_origin(member) is not Literal and _holds_secret(tuple(inner)):
            return True
    return False


def _texty(members: tuple[Any, ...]) -> bool:
    """Tell whether a key named like a secret could hold one: ``token_lifetime: int`` cannot."""
    return any(member not in (int, float, bool) for member in members)
