"""Turn pydantic's findings into problems in our words, without the values of secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornkit._text import printable
from tornkit.errors import SettingProblem
from tornkit.settings._masking import is_secret_name, scrub
from tornkit.settings._shape import root, step
from tornkit.settings._words import expected, found

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel, ValidationError

    from tornkit.settings._shape import Target
    from tornkit.settings._sources import Entry

__all__ = ["dotted", "origin_of", "problems_of", "variable"]

NOT_SET = "not set"


def dotted(path: Iterable[str]) -> str:
    """Return a path as one key; a part that is no plain name is quoted, as in TOML."""
    return ".".join(part if part.replace("-", "_").isidentifier() else repr(part) for part in path)


def variable(prefix: str, path: Iterable[str]) -> str:
    """Return the name of the environment variable of a path."""
    return prefix + "__".join(path).upper()


def origin_of(path: tuple[str, ...], entries: Mapping[tuple[str, ...], Entry]) -> str:
    """Return where a value came from: its own entry's origin or that of a table around it."""
    for length in range(len(path), 0, -1):
        entry = entries.get(path[:length])
        # An empty table says nothing about the keys that it does not hold.
        if entry is not None and (length == len(path) or entry.raw != {}):
            return entry.origin
    return "default"


def problems_of(
    cls: type[BaseModel],
    error: ValidationError,
    entries: Mapping[tuple[str, ...], Entry],
    prefix: str,
) -> list[SettingProblem]:
    """Return one problem for each bad key, in the order pydantic met them."""
    secrets = [entry.raw for entry in entries.values() if entry.secret]
    problems: dict[str, SettingProblem] = {}
    for item in error.errors(include_url=False):
        path, target = _place(cls, item["loc"])
        index = item["loc"][len(path)] if len(item["loc"]) > len(path) else None
        key = dotted(path) + (f"[{index}]" if isinstance(index, int) else "")
        if key in problems or item["type"] == "default_factory_not_called":
            continue  # the latter only follows from another problem
        if item["type"] == "missing":
            problems[key] = _missing(key, path, target, prefix)
            continue
        about_name = item["loc"][-1:] == ("[key]",)
        hidden = target.secret or any(is_secret_name(part) for part in path)
        bare = hidden or about_name or target.kind != "leaf"
        problems[key] = SettingProblem(
            key=key or cls.__name__,
            origin=origin_of(path, entries) if path else "all layers",
            found="" if bare else found(item["input"]),
            expected=_expected(item, target, secrets, hidden=hidden and not about_name),
        )
    return list(problems.values())


def _place(cls: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[tuple[str, ...], Target]:
    """Follow pydantic's location as far as it names keys; unions add tags of their own."""
    path: tuple[str, ...] = ()
    target = root(cls)
    for part in loc:
        if not isinstance(part, str) or target.kind == "open":
            break
        below = step(target, part)
        if below is None:
            break
        path, target = (*path, part), below
    return path, target


def _missing(key: str, path: tuple[str, ...], target: Target, prefix: str) -> SettingProblem:
    return SettingProblem(
        key=key,
        origin=NOT_SET,
        found="",
        expected=f"expected {expected(target)}",
        hint=f"set {key} in settings.toml or the variable {variable(prefix, path)}",
    )


def _expected(item: Any, target: Target, secrets: list[object], *, hidden: bool) -> str:
    """Return the words of the project's own validators, else ours for the type."""
    if item["type"] in ("value_error", "assertion_error") and not (hidden and target.name):
        message = scrub(str(item.get("ctx", {}).get("error", "")), secrets)
        if message:
            return printable(message.replace("\n", " "), limit=300)
    words = expected(target)
    detail = target.kind == "leaf" and words.startswith("a value")
    if detail and not hidden:
        return printable(scrub(str(item["msg"]), secrets), limit=300)
    return f"expected {words}"
