"""Keep Tornado's reloader from starting: one is enough, and ours outlives a syntax error.

It is not imported for this: most programs never ask for it, and it takes its time.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

__all__ = ["keep_out"]

_NAME = "tornado.autoreload"


def keep_out() -> None:
    """Let ``tornado.autoreload.start`` do nothing, whenever it is imported."""
    if _NAME in sys.modules:
        _disarm(sys.modules[_NAME])
    else:
        sys.meta_path.insert(0, _Finder())


def _disarm(module: ModuleType) -> None:
    module.start = lambda check_time=500: None  # type: ignore[attr-defined]


class _Finder:
    """Finds one module, as Python does, and disarms it after it has run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name == _NAME else None
        loader = spec.loader if spec else None
        if loader is None:
            return None
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _disarm(module)

        loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
