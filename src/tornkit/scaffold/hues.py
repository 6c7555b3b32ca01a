"""Choose a colour for every module, so that no two of a project look alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.scaffold.answers import ModuleAnswers

__all__ = ["HUES", "SITE_HUE", "coloured", "free_hue"]

SITE_HUE = 268
"""The angle, in degrees of OKLCH, of the pages that belong to no module."""
HUES = range(0, 360, 15)
"""What a module may have; the stylesheet's contrast is tested with every one."""

_DANGER_HUE = 25  # that of errors: a module in this colour would look like one


def free_hue(taken: Iterable[int]) -> int:
    """Return the hue farthest from those taken; where all are equally near, the rarest."""
    used = [*taken]
    avoided = [SITE_HUE, _DANGER_HUE, *used]
    return max(
        HUES, key=lambda hue: (min(_distance(hue, other) for other in avoided), -used.count(hue))
    )


def coloured(modules: Iterable[ModuleAnswers]) -> tuple[ModuleAnswers, ...]:
    """Return the modules of a new project, each with a hue of its own."""
    found: list[ModuleAnswers] = []
    for module in modules:
        found.append(replace(module, hue=free_hue(each.hue for each in found)))
    return tuple(found)


def _distance(one: int, other: int) -> int:
    apart = abs(one - other) % 360
    return min(apart, 360 - apart)
