"""Folders and SQLite files: absolute paths, and folders that are there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

__all__ = ["absolute", "absolute_url", "make_folder", "sqlite_file"]

_SQLITE = re.compile(r"(sqlite(?:\+[a-z0-9_]+)?:///)([^?]*)(.*)", re.DOTALL)


def absolute(path: Path | str) -> Path:
    """Return a path without ``..``, its links kept: a link to a folder can be swapped."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def absolute_url(url: str, folder: Path) -> str:
    """Return a URL with the file of an SQLite one as an absolute path.

    What a URL would read otherwise is percent-encoded, for ``folder`` may have any name.
    """
    match = _SQLITE.fullmatch(url)
    if match is None or match[2] in ("", ":memory:") or match[2].startswith("file:"):
        return url
    path = absolute(folder / unquote(match[2])).as_posix()
    return f"{match[1]}{path.replace('%', '%25').replace('?', '%3F')}{match[3]}"


def sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL, None for other URLs and for memory."""
    match = _SQLITE.fullmatch(url)
    if match is None or match[2] in ("", ":memory:") or match[2].startswith("file:"):
        return None
    return Path(unquote(match[2]))


def make_folder(folder: Path) -> str:
    """Create a folder; return why it cannot be had, or ""."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        return f"{folder} is a file; move it away or choose another folder"
    except NotADirectoryError:
        return f"{folder} cannot be made: a part of it is a file"
    except OSError as error:
        return f"{folder} cannot be made: {(error.strerror or 'unknown reason').lower()}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"{folder} cannot be written to"
    return ""
