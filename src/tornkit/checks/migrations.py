"""Whether the databases are at the code's revision, and bringing them there in development."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.checks.messages import Message, from_error
from tornkit.errors import MigrationsPending, TornkitError

if TYPE_CHECKING:
    from tornkit.application import Application

__all__ = ["bring_up_to_date", "look_at_migrations"]


async def look_at_migrations(application: Application) -> list[Message]:
    """Return a finding for each open database whose revision, or schema, is not the code's.

    An old revision is a warning where ``tornkit run`` would migrate by itself. Where only
    the schema differs it always is: the site starts, and an index more may be meant.
    """
    messages: list[Message] = []
    for name, database in application.databases.sql.items():
        try:
            await database.migrations.check()
            messages += [
                Message(
                    "databases.differs",
                    "warning",
                    f"database {name!r}: {line}",
                    "to write a revision that brings them together: tornkit db revision MESSAGE",
                    object=name,
                )
                for line in await database.migrations.differences()
            ]
        except TornkitError as error:
            older = isinstance(error, MigrationsPending) and error.check_id == "databases.pending"
            automatic = older and _automatic(application, name)
            messages += [
                Message(
                    found.id,
                    "warning" if automatic else "error",
                    found.message,
                    "`tornkit run` applies them" if automatic else found.hint,
                    object=name,
                )
                for found in from_error(error)
            ]
    return messages


async def bring_up_to_date(application: Application) -> list[str]:
    """Apply pending migrations where that is done unasked: SQLite in development.

    Returns:
        A line for each database that was migrated.

    Raises:
        MigrationsPending: another database is not at the code's revision.
    """
    lines: list[str] = []
    for name, database in application.databases.sql.items():
        migrations = database.migrations
        if not _automatic(application, name):
            await migrations.check()
            continue
        applied = await migrations.upgrade()
        if applied:
            lines.append(f"Applied to the database {name!r}: {', '.join(applied)}.")
    return lines


def _automatic(application: Application, name: str) -> bool:
    sqlite = application.databases.sql[name].dialect == "sqlite"
    return sqlite and application.config.environment == "development"
