"""Where static files lie, and the addresses that change with their content.

``/static/teacher/teacher.css`` is ``<package>/static/teacher/teacher.css`` where that
exists, else ``teacher.css`` in the ``static`` folder of the module ``teacher``. Nothing is
linked or copied, so Tornado's rule that a file must not leave its root holds.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from tornado.web import StaticFileHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOWHERE", "StaticFiles"]

NOWHERE = Path("/nonexistent")
_MOST = 10_000  # addresses that are remembered


def _is_file(path: Path) -> bool:
    # Unlike Path.is_file(), False also for names that no file system takes.
    return os.path.isfile(path)  # noqa: PTH113


class StaticFiles:
    """Find the files under ``/static/`` and give them addresses that change with them."""

    def __init__(
        self,
        folder: Path | None,
        modules: Mapping[str, Path],
        *,
        prefix: str,
        changing: bool = False,
    ) -> None:
        """Take where files are, and whether they may change while the site runs."""
        self._folder = folder
        self._modules = sorted(modules.items(), key=lambda item: -len(item[0]))
        self._prefix = prefix
        self._versions: dict[Path, tuple[tuple[int, int], str]] = {}
        self._urls: dict[str, str] | None = None if changing else {}

    def locate(self, path: str) -> tuple[Path, str]:
        """Return the root folder that holds ``path``, and the path within it.

        A path that nobody holds is placed where it would be looked for first.
        """
        parts = PurePosixPath(path).parts
        clean = ".." not in parts and not path.startswith("/") and "\0" not in path
        if clean and self._folder is not None and _is_file(self._folder / path):
            return self._folder, path
        for namespace, folder in self._modules:
            if path.startswith(f"{namespace}/"):
                return folder, path.removeprefix(f"{namespace}/")
        return self._folder or NOWHERE, path

    def url(self, path: str) -> str:
        """Return the address of a file; without a hash where the file does not exist."""
        known = self._urls.get(path) if self._urls else None
        if known is not None:
            return known
        root, inside = self.locate(path)
        version = self._version(root / inside) if ".." not in PurePosixPath(inside).parts else ""
        address = self._prefix + quote(path)
        if not version:
            return address
        address = f"{address}?v={version}"
        if self._urls is not None and len(self._urls) < _MOST:
            self._urls[path] = address
        return address

    def _version(self, file: Path) -> str:
        try:
            stat = file.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            known = self._versions.get(file)
            if known is None or known[0] != stamp:
                known = (stamp, StaticFileHandler.get_content_version(str(file))[:16])
                self._versions[file] = known
        except OSError:
            return ""
        return known[1]
