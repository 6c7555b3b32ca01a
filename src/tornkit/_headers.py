"""Headers that many messages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SharedHeaders"]


class SharedHeaders(HTTPHeaders):
    """Headers made at once of fields that others are made of, too.

    Where Tornado keeps lists of values these keep tuples: what is shared must not change.
    """

    _as_list: dict[str, Any]

    def __init__(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        """Take the values of each field by its name, as HTTPHeaders would write it."""
        self._as_list = dict(fields)
        self._combined_cache = {}

    def put(self, name: str, value: str) -> None:
        """Set a field whose name and value are known to be well written."""
        self._as_list[name] = (value,)
        if self._combined_cache:
            self._combined_cache.pop(name, None)

    def begin(self, name: str, value: str) -> bool:
        """Set such a field unless it is there; tell whether it was set."""
        if name in self._as_list:
            return False
        self._as_list[name] = (value,)
        return True

    def add(self, name: str, value: str, **options: Any) -> None:
        """Add a line, beside those of the same name."""
        before = super().get_list(name)
        if isinstance(before, tuple):
            (known,) = (key for key, values in self._as_list.items() if values is before)
            self._as_list[known] = list(before)
        super().add(name, value, **options)

    def get_list(self, name: str) -> list[str]:
        """Return the values of a field, a line each."""
        return list(super().get_list(name))

    def get_all(self) -> Iterable[tuple[str, str]]:
        """Return the lines, as a list: a generator is resumed for each of them."""
        return [(name, value) for name, values in self._as_list.items() for value in values]
