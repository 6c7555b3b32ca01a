"""The highest layer: what the command line says, for the whole process."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CommandLine", "command_line", "current"]


class CommandLine(NamedTuple):
    """What was given: dotted keys with their values, and the environment."""

    values: Mapping[str, object]
    environment: str | None


# Replaced whole, never changed: a load in another thread sees the old one or the new one.
_current = CommandLine(MappingProxyType({}), None)


def command_line(values: Mapping[str, object], environment: str | None) -> None:
    """Set the layer that wins over all others in every later `Settings.load`.

    Keys may be dotted (``session.idle_timeout``); a value of None means "not given".
    ``command_line({}, None)`` takes it away again.
    """
    global _current  # noqa: PLW0603 - the process has one command line
    given = {key: value for key, value in values.items() if value is not None}
    _current = CommandLine(MappingProxyType(given), environment)


def current() -> CommandLine:
    """Return what `command_line` was last given."""
    return _current
