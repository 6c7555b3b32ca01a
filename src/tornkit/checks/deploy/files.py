"""Files of the site that everybody may fetch, or change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tornkit.checks.deploy.findings import about
from tornkit.checks.deploy.modes import others_may_write
from tornkit.settings._folders import sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message

__all__ = ["CHECKS"]


def _sqlite_files(application: Application) -> Iterator[tuple[str, Path]]:
    for name, url in application.config.database_urls().items():
        file = sqlite_file(url)
        if file is not None:
            yield f"databases.{name}", file
    if application.tasks is not None:
        file = sqlite_file(application.tasks.queue.place)
        if file is not None:
            yield "tasks.queue", file


def _served_folders(application: Application) -> list[Path]:
    """Return every folder whose files anybody may fetch under ``/static/``."""
    folders = [module.static for module in application.modules if module.static]
    if application.site.static is not None:
        folders.append(application.site.static.locate("")[0])
    if application.settings.get("static_path"):
        folders.append(Path(application.settings["static_path"]))
    return [folder.resolve() for folder in folders]


def _serving(application: Application, path: Path) -> Path | None:
    """Return the served folder that holds a path, if one does."""
    found = path.resolve()
    return next(
        (each for each in _served_folders(application) if found.is_relative_to(each)), None
    )


def private_files(application: Application) -> Iterator[Message]:
    """What lies below a static folder can be fetched by whoever guesses its name."""
    settings = application.config
    private = [("paths.data", settings.paths.data), ("paths.log", settings.paths.log)]
    for key, path in [*private, *_sqlite_files(application)]:
        folder = _serving(application, path)
        if folder is not None:
            yield about(
                settings,
                key,
                "deploy.private-files",
                f"{path} lies below {folder}, which everybody may fetch files from",
                "move it out of there",
                level="error",
            )


def public_uploads(application: Application) -> Iterator[Message]:
    """A page that a visitor uploads would speak in the name of the site."""
    settings = application.config
    folder = _serving(application, settings.paths.upload)
    if folder is not None:
        yield about(
            settings,
            "paths.upload",
            "deploy.public-uploads",
            f"what visitors send lies below {folder}, and is served as the site's own pages",
            "move it out of there, and let a handler serve it",
        )


def writable_database(application: Application) -> Iterator[Message]:
    """Who may write the database makes themselves a principal."""
    for key, file in _sqlite_files(application):
        if others_may_write(file):
            yield about(
                application.config,
                key,
                "deploy.writable-database",
                f"every user of this machine can change {file}",
                f"chmod o-w {file} {file.parent}",
                level="error",
            )


CHECKS = (private_files, public_uploads, writable_database)
