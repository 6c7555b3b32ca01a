"""Migrate one database: the library's own tables first, then the project's.

Alembic does the work, driven from here: a project holds only its revisions, in
``<package>/migrations/<bind>/0001_create_users.py`` and so on, without any configuration.
Every revision runs in a transaction of its own under a lock, and looks again at what the
database holds: of two processes that upgrade at once, one works and the other waits.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from tornkit.databases._history import History, Step
from tornkit.databases._revision import write_revision
from tornkit.databases.faults import first_line
from tornkit.errors import DatabaseError, MigrationsPending, TornkitError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection, MetaData
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tornkit.databases.sql import SQLDatabase

__all__ = ["HistoryStatus", "MigrationStatus", "Migrations"]

_LIBRARY = Path(__file__).with_name("library")


@dataclass(frozen=True, slots=True)
class HistoryStatus:
    """How far one history has come; ``unknown`` is what the database has and the code lacks."""

    name: str
    current: str | None
    head: str | None
    applied: tuple[str, ...]
    pending: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """How far a database has come, the library's history first."""

    database: str
    histories: tuple[HistoryStatus, ...]

    @property
    def pending(self) -> tuple[str, ...]:
        """The revisions to apply, in order."""
        return tuple(revision for history in self.histories for revision in history.pending)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The revisions that the database has and the code lacks."""
        return tuple(revision for history in self.histories for revision in history.unknown)

    @property
    def is_current(self) -> bool:
        """Whether the database's revision is the code's."""
        return not self.pending and not self.unknown


class Migrations:
    """The migrations of one database; its methods need the database open.

    Args:
        database: the one to migrate.
        folder: where the project's revisions are; it need not exist.
        metadata: the tables that the models declare, for writing revisions.
        library: whether the library's own tables belong here.
    """

    def __init__(
        self,
        database: SQLDatabase,
        folder: Path | None,
        metadata: MetaData | None,
        *,
        library: bool,
    ) -> None:
        self.folder = folder
        self.metadata = metadata
        self._database = database
        self._project = History("project", folder, "alembic_version", database.name)
        self._histories = [self._project]
        if library:
            own = History("tornkit", _LIBRARY, "tornkit_alembic_version", database.name)
            self._histories.insert(0, own)

    async def status(self) -> MigrationStatus:
        """Compare the database with the revisions; nothing is changed.

        Raises:
            DatabaseError: the database fails, or two revisions follow the same one.
            UserCodeError: a revision raised while it was imported.
        """
        await self._load()
        async with self._database.connect(write=False) as connection:
            found = [await connection.run_sync(history.current) for history in self._histories]
        histories = []
        for history, current in zip(self._histories, found, strict=True):
            known = history.revisions
            applied = history.applied(current)
            histories.append(
                HistoryStatus(
                    name=history.name,
                    current=current[0] if current else None,
                    head=known[-1] if known else None,
                    applied=applied,
                    pending=tuple(revision for revision in known if revision not in applied),
                    unknown=tuple(revision for revision in current if revision not in known),
                )
            )
        return MigrationStatus(self._database.name, tuple(histories))

    async def check(self) -> None:
        """Refuse a database whose revision is not the code's.

        Raises:
            MigrationsPending: it is older, or newer.
        """
        status = await self.status()
        name = self._database.name
        if status.unknown:
            raise self._too_new(status.unknown[0])
        if status.pending:
            count = len(status.pending)
            raise MigrationsPending(
                f"database {name!r} has {count} pending migration{'s' if count > 1 else ''}: "
                + ", ".join(status.pending),
                hint="run `tornkit db upgrade`",
                check_id="databases.pending",
            )

    async def upgrade(self, revision: str = "head") -> list[str]:
        """Apply the pending revisions up to ``revision``; return those that were applied here.

        Any revision but ``head`` is the project's; the library's are always applied in full.

        Raises:
            DatabaseError: a revision failed; those before it stay applied.
        """
        await self._load()
        applied = []
        async with self._connection() as connection:
            for history in self._histories:
                target = revision if history is self._project else "head"
                target = history.resolve(target)
                while step := await self._take(connection, history, history.next_up, target):
                    applied.append(step.revision)
        return applied

    async def downgrade(self, revision: str = "-1") -> list[str]:
        """Take back the project's revisions down to ``revision``; return those taken back.

        ``-2`` takes back two, ``base`` all of them. The library's tables stay.

        Raises:
            DatabaseError: no such revision, or one of them failed.
        """
        await self._load()
        taken_back = []
        async with self._connection() as connection:
            current = await connection.run_sync(self._project.current)
            await connection.rollback()
            self._refuse_unknown(self._project, current)
            for planned in self._project.way_down(revision, current):
                step = await self._take(
                    connection, self._project, self._project.next_down, planned
                )
                if step is not None:
                    taken_back.append(step.revision)
        return taken_back

    async def revision(
        self, message: str, *, autogenerate: bool = True, empty: bool = False
    ) -> Path | None:
        """Write the next revision file and return its path.

        It holds what the models have and the database lacks. Where there is no difference,
        None is returned and nothing is written, unless ``empty`` (or no ``autogenerate``)
        asks for a file to fill in by hand.

        Raises:
            DatabaseError: the bind has no folder or no models, or revisions are pending.
        """
        folder, name = self.folder, self._database.name
        if folder is None:
            raise DatabaseError(f"database {name!r} has no folder for migrations")
        await self._load()
        if not autogenerate:
            return await asyncio.to_thread(write_revision, folder, self._project, message, None)
        metadata = self.metadata
        if metadata is None:
            raise DatabaseError(
                f"database {name!r}: no models are bound to it",
                hint="declare them in <package>/models.py, or ask for an empty revision",
            )
        async with self._database.connect(write=False) as connection:
            await connection.run_sync(self._refuse_old)
            changes = await connection.run_sync(self._project.compare, metadata)
        if changes is None and not empty:
            return None
        return await asyncio.to_thread(write_revision, folder, self._project, message, changes)

    async def differences(self) -> tuple[str, ...]:
        """Return where the models and the database differ, a line for each difference.

        What `revision` would write, in words. A bind without models has none.

        Raises:
            MigrationsPending: the database is not at its newest revision.
            DatabaseError: the database fails.
        """
        metadata = self.metadata
        if metadata is None:
            return ()
        await self._load()
        async with self._database.connect(write=False) as connection:
            await connection.run_sync(self._refuse_old)
            return await connection.run_sync(self._project.differences, metadata)

    # --- steps ---------------------------------------------------------------------------

    async def _load(self) -> None:
        for history in self._histories:
            await asyncio.to_thread(history.load)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """Connect apart from the pools, under the lock where that spans transactions."""
        self._database.engine  # noqa: B018 - raises where the database is not open
        engine = self._database.backend.migration_engine()
        try:
            async with (
                engine.connect() as connection,
                self._database.backend.migration_lock(connection),
            ):
                yield connection
        except SQLAlchemyError as error:
            explained = self._database.explain(error)
            if explained is None:
                raise
            raise explained from error
        finally:
            await engine.dispose()

    async def _take(
        self,
        connection: AsyncConnection,
        history: History,
        choose: Callable[[tuple[str, ...], str], Step | None],
        target: str,
    ) -> Step | None:
        """Run the next step towards ``target`` in a transaction; None where there is none."""
        backend = self._database.backend
        async with connection.begin():
            await backend.lock_transaction(connection)
            current = await connection.run_sync(history.current)
            self._refuse_unknown(history, current)
            step = choose(current, target)
            if step is None:
                return None
            before = await backend.violations(connection)
            await self._run(connection, history, step)
            broken = await backend.violations(connection) - before
            if broken:
                raise DatabaseError(
                    f"{self._place(step)} would leave {len(broken)} rows that point nowhere"
                    f" (the first: {min(map(str, broken))})",
                    hint="change those rows in the same revision",
                    file=step.file,
                )
        return step

    async def _run(self, connection: AsyncConnection, history: History, step: Step) -> None:
        def work(connection: Connection) -> None:
            history.run(connection, step, batch=self._database.backend.batch)

        try:
            await connection.run_sync(work)
        except TornkitError:
            raise
        except SQLAlchemyError as error:
            reason = self._database.explain(error)
            words = str(reason) if reason else first_line(error, self._database.backend)
            raise DatabaseError(
                f"{self._place(step)} failed: {words}",
                hint="" if reason else "mend it and upgrade again",
                file=step.file,
            ) from error
        except Exception as error:
            raise UserCodeError(
                f"{self._place(step)} failed: {type(error).__name__}: {error}", file=step.file
            ) from error

    def _place(self, step: Step) -> str:
        return f"database {self._database.name!r}: revision {step.revision}"

    def _refuse_unknown(self, history: History, current: tuple[str, ...]) -> None:
        for revision in current:
            if revision not in history.revisions:
                raise self._too_new(revision)

    def _refuse_old(self, connection: Connection) -> None:
        current = self._project.current(connection)
        self._refuse_unknown(self._project, current)
        if self._project.revisions[-1:] != current:
            raise MigrationsPending(
                f"database {self._database.name!r} is not at its newest revision",
                hint="run `tornkit db upgrade` first",
                check_id="databases.pending",
            )

    def _too_new(self, revision: str) -> MigrationsPending:
        return MigrationsPending(
            f"database {self._database.name!r} is at revision {revision!r}, which this code does"
            " not have",
            hint="run the code that made it, or bring its revision files here",
            check_id="databases.unknown-revision",
        )
