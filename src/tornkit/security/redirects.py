"""Where a ``next`` parameter may lead: to paths of this site and nowhere else."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

__all__ = ["MAX_LENGTH", "local_path"]

MAX_LENGTH = 2000
"""Longer targets are refused; every browser and proxy carries this many characters."""

# Browsers drop tabs and newlines and read "\\" as "/", so neither is ever let through.
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")
_UNSAFE_DECODED = re.compile(r"[\x00-\x1f\x7f\\]")
# Joined to a base URL, "/.//evil" and "/a/..//evil" become "//evil". Browsers resolve dot
# segments before they ask, so no page of this site ever has one in its address.
_DOTS = frozenset({".", ".."})
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def local_path(target: str | None, default: str = "/") -> str:
    """Return ``target`` if it is a path on this site, percent-encoded; else ``default``.

    Example:
        >>> local_path("/courses/3?tab=grades")
        '/courses/3?tab=grades'
        >>> local_path("//evil.example", default="/home")
        '/home'
    """
    if not isinstance(target, str) or len(target) > MAX_LENGTH or not _is_local(target):
        return default
    return quote(target, safe=_ASCII)


def _is_local(target: str) -> bool:
    if not target.startswith("/") or _UNSAFE.search(target):
        return False
    try:
        target.encode()
    except UnicodeEncodeError:
        return False
    # A server that decodes the path and redirects again must not be led away either.
    path = unquote(re.split(r"[?#]", target, maxsplit=1)[0])
    if path.startswith("//") or _UNSAFE_DECODED.search(path):
        return False
    return _DOTS.isdisjoint(path.split("/"))
