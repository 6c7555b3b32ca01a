"""What other users of this machine may do to a file; on Windows nothing is said."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["others_may_read", "others_may_write"]


def others_may_read(path: Path) -> bool:
    """Tell whether everybody can reach a file and read it."""
    return _allows(path, stat.S_IROTH) and _is_reachable(path)


def others_may_write(path: Path) -> bool:
    """Tell whether everybody can reach a file or folder and change it, or replace it."""
    if not _is_reachable(path):
        return False
    # In a folder with the sticky bit nobody can replace what is somebody else's.
    folder = path.parent
    return _allows(path, stat.S_IWOTH) or (
        _allows(folder, stat.S_IWOTH) and not _mode(folder) & stat.S_ISVTX
    )


def _is_reachable(path: Path) -> bool:
    return all(_allows(folder, stat.S_IXOTH) for folder in path.parents)


def _allows(path: Path, bit: int) -> bool:
    return os.name != "nt" and bool(_mode(path) & bit)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except OSError:
        return 0  # not there, or not to be seen even by us
