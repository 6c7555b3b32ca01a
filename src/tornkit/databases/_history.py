"""One line of revisions in one folder, and where a database stands on it."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from tornkit._text import did_you_mean, printable
from tornkit.databases._autogenerate import Changes, compare, differences
from tornkit.errors import DatabaseError, UserCodeError

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationStep
    from sqlalchemy import Connection, MetaData

__all__ = ["History", "Step"]

# Alembic tells at INFO what the caller tells better.
logging.getLogger("alembic").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Step:
    """One revision to apply or take back."""

    revision: str
    file: str
    up: bool


class History:
    """The revisions of a folder, oldest first, under one version table."""

    def __init__(self, name: str, folder: Path | None, version_table: str, database: str) -> None:
        self.name = name
        self.folder = folder
        self.version_table = version_table
        self.database = database
        self.revisions: tuple[str, ...] = ()
        self._script: ScriptDirectory | None = None

    def load(self) -> None:
        """Read the folder; blocks, so call it in a thread.

        Raises:
            DatabaseError: the revisions do not form one line.
            UserCodeError: one of them raised while it was imported.
        """
        self.revisions, self._script = (), None
        if self.folder is None or not self.folder.is_dir():
            return
        script = ScriptDirectory(self.folder, version_locations=[self.folder])
        place = f"the migrations of database {self.database!r} ({self.folder})"
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", message="Revision .* is present more than once")
                warnings.filterwarnings("error", message="Revision .* is not present")
                heads = script.get_heads()
                ordered = [found.revision for found in script.walk_revisions()][::-1]
        except (CommandError, UserWarning, KeyError) as error:
            raise DatabaseError(
                f"{place} do not form one line: {printable(error, limit=200)}",
                hint="each revision's down_revision must name the one before it",
            ) from error
        except Exception as error:
            raise UserCodeError(
                f"{place} could not be imported: {type(error).__name__}: {error}",
                file=_file_of(error, self.folder),
            ) from error
        if len(heads) > 1:
            raise DatabaseError(
                f"{place} end in {len(heads)} revisions: {', '.join(sorted(heads))}",
                hint="renumber one of them to follow the other, in its file name, revision and"
                " down_revision",
                check_id="databases.two-heads",
            )
        self.revisions, self._script = tuple(ordered), script

    def current(self, connection: Connection) -> tuple[str, ...]:
        """Return what the version table holds."""
        return tuple(sorted(self._context(connection).get_current_heads()))

    def applied(self, current: tuple[str, ...]) -> tuple[str, ...]:
        """Return the revisions up to the current one."""
        known = [self.revisions.index(found) for found in current if found in self.revisions]
        return self.revisions[: max(known, default=-1) + 1]

    def resolve(self, target: str) -> str:
        """Return the full name of a revision given as ``head`` or by its beginning, or "".

        Raises:
            DatabaseError: no revision, or several, begin so.
        """
        if target == "head":
            return self.revisions[-1] if self.revisions else ""
        if target in self.revisions:
            return target
        found = [revision for revision in self.revisions if revision.startswith(target)]
        if len(found) == 1 and target:
            return found[0]
        raise DatabaseError(
            f"database {self.database!r}: {len(found) or 'no'} revisions are called"
            f" {printable(target)!r}",
            hint=did_you_mean(target, self.revisions) or "see `tornkit db status`",
        )

    def next_up(self, current: tuple[str, ...], target: str) -> Step | None:
        """Return the next revision on the way to ``target``."""
        done = len(self.applied(current))
        if not target or done > self.revisions.index(target):
            return None
        return self._step(self.revisions[done], up=True)

    def next_down(self, current: tuple[str, ...], planned: str) -> Step | None:
        """Return ``planned`` where the database still stands there."""
        return self._step(planned, up=False) if current == (planned,) else None

    def way_down(self, target: str, current: tuple[str, ...]) -> tuple[str, ...]:
        """Return the applied revisions to take back, newest first."""
        applied = self.applied(current)
        if target == "base":
            keep = 0
        elif target.startswith("-") and target[1:].isdecimal():
            keep = len(applied) - int(target[1:])
        else:
            keep = self.revisions.index(self.resolve(target)) + 1
        if keep < 0:
            raise DatabaseError(
                f"database {self.database!r}: {target} revisions are asked for, but only"
                f" {len(applied)} applied"
            )
        return applied[keep:][::-1]

    def _step(self, revision: str, *, up: bool) -> Step:
        return Step(revision, self._found(revision).path, up)

    def _found(self, revision: str) -> Any:
        if self._script is None:
            raise DatabaseError(f"the migrations of database {self.database!r} are not loaded")
        return self._script.get_revision(revision)

    def run(self, connection: Connection, step: Step, *, batch: bool) -> None:
        """Apply or take back one revision, inside the connection's transaction."""
        script = self._script
        if script is None:
            raise DatabaseError(f"the migrations of database {self.database!r} are not loaded")

        def steps(heads: Any, context: MigrationContext) -> list[MigrationStep]:
            found = self._found(step.revision)
            if step.up:
                return list(script._upgrade_revs(step.revision, heads))
            return list(script._downgrade_revs(found.down_revision or "base", heads))

        context = self._context(connection, fn=steps, script=script, render_as_batch=batch)
        with Operations.context(context):
            context.run_migrations()

    def compare(self, connection: Connection, metadata: MetaData) -> Changes | None:
        """Return what the models have and the database lacks."""
        return compare(connection, metadata, version_table=self.version_table)

    def differences(self, connection: Connection, metadata: MetaData) -> tuple[str, ...]:
        """Return the same in words, a line for each difference."""
        return differences(connection, metadata, version_table=self.version_table)

    def _context(self, connection: Connection, **options: Any) -> MigrationContext:
        options["version_table"] = self.version_table
        return MigrationContext.configure(connection, opts=options)


def _file_of(error: BaseException, folder: Path) -> str | None:
    """Return the revision file that the traceback, or a syntax error, points to."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename
    found = None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if Path(name).parent == folder:
            found = name
        trace = trace.tb_next
    return found
