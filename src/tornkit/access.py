"""Who may pass a door: `PUBLIC`, `SIGNED_IN` and `roles()`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["PUBLIC", "SIGNED_IN", "Access", "roles"]


@dataclass(frozen=True, slots=True)
class Access:
    """A rule of entry; write `PUBLIC`, `SIGNED_IN` or `roles(...)` instead of building one."""

    kind: Literal["public", "signed-in", "roles"]
    roles: tuple[str, ...] = ()

    def admits(self, held: Collection[str]) -> bool:
        """Tell whether somebody who is signed in and holds these roles may pass."""
        return self.kind != "roles" or not set(self.roles).isdisjoint(held)

    def __str__(self) -> str:
        return f"roles({', '.join(self.roles)})" if self.kind == "roles" else self.kind


_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,63}")

PUBLIC = Access("public")
SIGNED_IN = Access("signed-in")


def roles(*names: str) -> Access:
    """Admit whoever is signed in and holds at least one of these roles.

    Example:
        >>> roles("teacher", "principal").admits({"principal"})
        True

    Raises:
        ValueError: no role, or one that is not up to 64 lower-case letters, digits, ``-`` and
            ``_``, a letter first.
    """
    if not names:
        raise ValueError("roles() needs at least one role; for everybody signed in use SIGNED_IN")
    for name in names:
        if not _ROLE.fullmatch(name):
            raise ValueError(
                f"roles(): {name!r} is not a role's name; use lower-case letters, digits, - and _"
            )
    return Access("roles", tuple(dict.fromkeys(names)))
