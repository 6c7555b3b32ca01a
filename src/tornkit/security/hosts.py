"""Which hosts this site answers for: matching the ``Host`` header with patterns.

A pattern is a name (``school.example``), a name with a leading dot, which also stands for
all its subdomains (``.school.example``), an IP address (``127.0.0.1``, ``[::1]``) or ``*``.
Ports, upper case and one trailing dot make no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HostRule", "allowed", "host_name"]

_NAME_AND_PORT = re.compile(r"([A-Za-z0-9._-]+)(?::([0-9]{0,5}))?")
_IPV6_AND_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{0,5}))?")
_LONGEST = 262  # characters: a name, brackets, a port
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def host_name(header: str | None) -> str | None:
    """Return the host of a ``Host`` header, lower-case and without its port, or None.

    An IPv6 address comes back bracketed, in its shortest form. None stands for a missing
    or malformed header.

    Example:
        >>> host_name("School.Example.:8888")
        'school.example'
        >>> host_name("[0:0:0:0:0:0:0:1]:80")
        '[::1]'
    """
    if header is None or len(header) > _LONGEST:
        return None
    found = _IPV6_AND_PORT.fullmatch(header)
    bracketed = found is not None
    found = found or _NAME_AND_PORT.fullmatch(header)
    if found is None or int(found[2] or 0) > 65535:
        return None
    return _ipv6(found[1]) if bracketed else _dns_name(found[1])


def _ipv6(text: str) -> str | None:
    try:
        return f"[{IPv6Address(text).compressed}]"
    except ValueError:
        return None


@lru_cache(maxsize=256)  # most requests are for the same one
def _dns_name(text: str) -> str | None:
    name = text.lower().removesuffix(".")
    well_formed = len(name) <= 253 and all(_LABEL.fullmatch(part) for part in name.split("."))
    return name if well_formed else None


@dataclass(frozen=True, slots=True)
class HostRule:
    """One pattern, read; build it with `parse`."""

    name: str
    subdomains: bool = False

    @classmethod
    def parse(cls, pattern: str) -> HostRule:
        """Read a pattern; international names may be written as they are.

        Raises:
            ValueError: it is not a pattern, or carries a port.
        """
        if pattern == "*":
            return cls("*")
        subdomains = pattern.startswith(".")
        text = pattern.removeprefix(".")
        if not text.isascii():
            try:
                text = text.encode("idna").decode("ascii")
            except UnicodeError:
                text = ""
        bare = host_name(f"[{text}]") if text.count(":") > 1 and text[0] != "[" else None
        name = bare or host_name(text)
        has_port = bare is None and ":" in text.rpartition("]")[2]
        if name is None or has_port or (subdomains and name.startswith("[")):
            raise ValueError(
                f"{printable(pattern)!r} is not a host pattern; "
                "expected a name without a port, .name for its subdomains too, or *"
            )
        return cls(name, subdomains)

    def admits(self, name: str) -> bool:
        """Tell whether a name, as `host_name` returns it, fits."""
        if self.name in ("*", name):
            return True
        return self.subdomains and name.endswith(f".{self.name}")


def allowed(host: str | None, patterns: Iterable[str]) -> bool:
    """Tell whether a ``Host`` header fits one of the patterns; a malformed one never does.

    Raises:
        ValueError: a pattern is malformed.
    """
    if host is not None and len(host) > _LONGEST:
        return False
    return _allowed(host, tuple(patterns))


@lru_cache(maxsize=256)  # most requests are for the same one
def _allowed(host: str | None, patterns: tuple[str, ...]) -> bool:
    rules = [_parse(pattern) for pattern in patterns]
    name = host_name(host)
    return name is not None and any(rule.admits(name) for rule in rules)


_parse = lru_cache(maxsize=256)(HostRule.parse)
