"""Flatten settings into rows for people and machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from tornkit.settings._masking import SECRET_TYPES, is_secret_name, mask_urls
from tornkit.settings._problems import dotted
from tornkit.settings._shape import root, step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tornkit.settings._shape import Target

__all__ = ["SettingRow", "rows"]

Path = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting: its dotted key, JSON-able value (None if ``secret``) and origin."""

    key: str
    value: Any
    origin: str
    secret: bool


def rows(settings: BaseModel, origin: Callable[[Path], str]) -> Iterator[SettingRow]:
    """Yield a row for each value, in the order of the fields."""
    for path, value, secret in _flatten(settings, root(type(settings)), (), secret=False):
        if path[0] == "databases" and len(path) > 1:
            # A bind is worth seeing; only its password is secret.
            shown: object = mask_urls(_text(value))
            yield SettingRow(dotted(path), shown, origin(path), secret=False)
        else:
            shown = None if secret else _plain(value)
            yield SettingRow(dotted(path), shown, origin(path), secret=secret)


def _flatten(
    value: object, target: Target | None, path: Path, *, secret: bool
) -> Iterator[tuple[Path, object, bool]]:
    secret = secret or isinstance(value, SECRET_TYPES)
    items: dict[str, Any] | None = None
    if isinstance(value, BaseModel):
        items = {name: getattr(value, name) for name in type(value).model_fields}
        target = root(type(value))
    elif isinstance(value, Mapping) and value:
        items = {str(key): below for key, below in value.items()}
    if items is None:
        yield path, value, secret
        return
    for name, below in items.items():
        inner = step(target, name) if target else None
        # A target's own mark covers names and types; below an open table only names are left.
        hidden = inner.secret if inner else is_secret_name(name)
        yield from _flatten(below, inner, (*path, name), secret=secret or hidden)


def _text(value: object) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _plain(value: object) -> object:
    """Return a value that JSON carries, with nothing secret in it."""
    if isinstance(value, SECRET_TYPES):
        return None
    table = _table(value)
    if table is not None:
        return {
            key: None if is_secret_name(key) else _plain(below) for key, below in table.items()
        }
    if isinstance(value, AbstractSet):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    plain = to_jsonable_python(value, fallback=str, inf_nan_mode="null")
    return mask_urls(plain) if isinstance(plain, str) else plain


def _table(value: object) -> dict[str, object] | None:
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): below for key, below in value.items()}
    return None
