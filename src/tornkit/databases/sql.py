"""One SQL database: its engines, its blocks, its health."""

from __future__ import annotations

import asyncio
import importlib.util
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tornkit.databases.base import SQLOptions
from tornkit.databases.bind import PING_TIMEOUT, Bind, missing_driver, options_of
from tornkit.databases.blocks import Block, open_block
from tornkit.databases.deadlines import late_by
from tornkit.databases.faults import explain
from tornkit.databases.migrations import Migrations
from tornkit.databases.pools import settle
from tornkit.databases.prompt import TIMEOUT, Prompt, TooLate
from tornkit.databases.queries import observe
from tornkit.databases.urls import backend_for, masked
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from sqlalchemy import MetaData
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

    from tornkit.databases.base import Engines

__all__ = ["SQLDatabase"]


class SQLDatabase(Bind):
    """A SQL database under its bind's name.

    Args:
        name: the bind, such as ``default``.
        url: ``sqlite:///…``, ``postgresql://…`` or ``mysql://…``.
        options: see `tornkit.databases.base.SQLOptions`.
        migrations: the folder of this bind's revisions, or None where it has none.
        metadata: the tables of this bind's models.
        library: whether the library's own tables belong here.

    Raises:
        DatabaseError: the URL is not one of a database, or an option is none.
    """

    kind = "SQL"
    reach = "self.db"

    def __init__(
        self,
        name: str,
        url: str,
        options: Mapping[str, Any] = {},
        *,
        migrations: Path | None = None,
        metadata: MetaData | None = None,
        library: bool = False,
    ) -> None:
        self.name = name
        self.backend = backend_for(name, url, options_of(SQLOptions, name, "SQL", options))
        self.url = masked(self.backend.url) if not self.backend.in_memory else "sqlite:///:memory:"
        self.dialect = self.backend.url.get_backend_name()
        self.migrations = Migrations(self, migrations, metadata, library=library)
        self._engines: Engines | None = None
        self._prompt: Prompt | None = None

    @property
    def is_open(self) -> bool:
        """Whether the engines exist in this process."""
        return self._engines is not None

    @property
    def engine(self) -> AsyncEngine:
        """The engine that writes."""
        return self._opened().writer

    @property
    def reader(self) -> AsyncEngine:
        """The engine whose transactions cannot write."""
        return self._opened().reader

    def _opened(self) -> Engines:
        if self._engines is None:
            raise self._not_open()
        return self._engines

    async def open(self) -> None:
        """Import the driver and make the engines; the first block connects.

        Raises:
            MissingDriver: the driver is not installed.
            DatabaseError: the folder of a SQLite file cannot be made.
        """
        if self._engines is not None:
            return
        backend = self.backend
        if importlib.util.find_spec(backend.package) is None:
            raise missing_driver(self.name, backend.package, backend.extra)
        try:
            await backend.prepare()
            self._engines, prompt = backend.engines(), backend.prompt_engines()
            self._prompt = Prompt(prompt, backend.cut) if prompt is not None else None
            self._observe()
        except OSError as error:
            raise DatabaseError(
                f"database {self.name!r}: the folder of {self.url} cannot be made: "
                f"{error.strerror}",
                hint="check the URL and who may write there",
            ) from error
        except ImportError as error:
            raise missing_driver(self.name, backend.package, backend.extra, error) from error

    def _observe(self) -> None:
        slow = self.backend.options.slow_query
        if slow is not None:
            engines = self._opened()
            for engine in (engines.writer, engines.reader):
                observe(engine, self.name, slow_query=slow)

    async def close(self) -> None:
        """Close every connection; a block still open loses its own."""
        engines, self._engines = self._engines, None
        prompt, self._prompt = self._prompt, None
        if engines is None:
            return
        await settle()
        await engines.dispose()
        if prompt is not None:
            await prompt.engines.dispose()
        await self.backend.release()

    def session(self, *, read_only: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a block: commit on leaving, roll back on an exception.

        A block inside a block of the same database and the same task joins it; only the
        outermost commits. Objects stay usable afterwards.

        Raises:
            DatabaseError: on entering, a writing block inside a read_only one; on leaving,
                the database failed, or an inner block did and its error was caught between.
        """
        return Block(self, read_only=read_only)

    @asynccontextmanager
    async def connect(
        self, *, write: bool, prompt: bool = False
    ) -> AsyncIterator[AsyncConnection]:
        """Open a connection with a short transaction of its own, apart from any block.

        Args:
            write: whether anything will be changed.
            prompt: on a server, take one of a few connections that are kept for this, and
                give up after 1.25 seconds in all. SQLite has no server that could be silent.

        Raises:
            DatabaseError: the database failed or gave no answer in time, or the transaction
                would wait for the block that it is opened in (SQLite has one writer).
        """
        block = open_block(self)
        if block is not None and block.session is not None and self.backend.one_writer:
            if write and (self.backend.in_memory or not block.read_only):
                raise DatabaseError(
                    f"database {self.name!r}: a second transaction that writes was opened inside"
                    " a block; SQLite has one writer, so it would wait for itself",
                    hint="do it before the block or after it",
                )
            if self.backend.in_memory:
                yield await block.session.connection()
                return
        try:
            async with self._begin(write=write, prompt=prompt) as connection:
                yield connection
        except TooLate as late:
            raise self._no_answer(TIMEOUT) from late
        except (SQLAlchemyError, OSError) as error:
            explained = self.explain(error)
            if explained is not None:
                raise explained from error
            raise

    def _begin(self, *, write: bool, prompt: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        engines = self._opened()
        if prompt and self._prompt is not None:
            return self._prompt.begin(write=write)
        return engines.engine(write=write).begin()

    @property
    def in_block(self) -> bool:
        """Whether the running task is inside a block of this database."""
        return open_block(self) is not None

    @property
    def writing(self) -> bool:
        """Whether the running task is in, or was started in, an open block that writes."""
        block = open_block(self, inherited=True)
        return block is not None and not block.read_only

    async def ping(self, timeout: float = PING_TIMEOUT) -> None:  # noqa: ASYNC109 - seconds, as in health
        """Ask the database for an answer within ``timeout`` seconds.

        Raises:
            DatabaseError: it gave none.
        """
        try:
            async with asyncio.timeout(timeout):
                try:
                    await self._select_one()
                except DatabaseError:
                    # It may have been a connection to a server that was restarted since.
                    await self._select_one()
        except TimeoutError as error:
            raise self._no_answer(timeout) from error

    async def _select_one(self) -> None:
        # Not from the pool of the blocks: one whose connections are all in use is busy, not dead.
        async with self.connect(write=False, prompt=True) as connection:
            await connection.execute(text("SELECT 1"))

    def explain(self, error: BaseException) -> DatabaseError | None:
        """Return what a driver's error means, or None where it is the caller's own affair."""
        silent_for = late_by(getattr(error, "orig", None) or error)
        if silent_for is not None:
            return self._no_answer(silent_for)
        return explain(error, name=self.name, backend=self.backend)
