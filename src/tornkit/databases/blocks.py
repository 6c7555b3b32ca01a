"""A block: one transaction, opened and closed by ``async with``.

The outermost block of a task owns the session; blocks of the same bind inside it, in the
same task, join it. A task made inside a block has a session of its own, for two tasks on
one connection would end each other's transactions.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from tornkit.databases.faults import annotate
from tornkit.databases.pools import shielded
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from tornkit.databases.sql import SQLDatabase

__all__ = ["Block", "open_block"]

_blocks: ContextVar[tuple[Block, ...]] = ContextVar("tornkit_blocks", default=())


def open_block(database: SQLDatabase, *, inherited: bool = False) -> Block | None:
    """Return the outermost block of ``database`` that the running task is inside of.

    Args:
        database: whose block.
        inherited: count also a block that this task was started in, by another one.
    """
    blocks = _blocks.get()
    if not blocks:
        return None
    task = asyncio.current_task()
    for block in blocks:
        mine = inherited or block.task is task
        if block.database is database and mine and block.is_open:
            return block
    return None


def _leave(left: Block) -> None:
    blocks = _blocks.get()
    alone = len(blocks) == 1 and blocks[0] is left
    _blocks.set(() if alone else tuple(block for block in blocks if block is not left))


async def _give_up(session: AsyncSession) -> None:
    """Roll back; an error is on its way already, which a failure of this must not replace."""
    try:
        await session.close()
    except Exception:  # noqa: BLE001 - as above
        await session.invalidate()


class Block:
    """What ``database.session()`` returns; enter it to get the session."""

    __slots__ = ("_outer", "database", "failure", "is_open", "read_only", "session", "task")

    def __init__(self, database: SQLDatabase, *, read_only: bool) -> None:
        self.database = database
        self.read_only = read_only
        self.session: AsyncSession | None = None
        self.task: asyncio.Task[Any] | None = None
        self.failure: BaseException | None = None
        self.is_open = False
        self._outer: Block | None = None

    async def __aenter__(self) -> AsyncSession:
        if self.is_open or self._outer is not None:
            raise DatabaseError("a block is entered twice", hint="call session() for each block")
        outer = open_block(self.database)
        if outer is not None and outer.session is not None:
            self._join(outer)
            return outer.session
        self.session = AsyncSession(
            self.database.reader if self.read_only else self.database.engine,
            expire_on_commit=False,
        )
        self.task = asyncio.current_task()
        self.is_open = True
        _blocks.set((*_blocks.get(), self))
        return self.session

    def _join(self, outer: Block) -> None:
        place = f"database {self.database.name!r}"
        if outer.read_only and not self.read_only:
            raise DatabaseError(
                f"{place}: a block that writes was opened inside a read_only one",
                hint="open the outer block without read_only",
            )
        if outer.failure is not None:
            raise DatabaseError(
                f"{place}: a block was opened after an inner block had failed",
                hint="let the inner block's error leave the outer one",
            ) from outer.failure
        self._outer = outer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._outer is not None:
            if error is not None and not self.read_only:
                self._outer.failure = self._outer.failure or error
            self._outer = None
        else:
            await self._end(error)
        if error is not None:
            self._explain(error)

    async def _end(self, error: BaseException | None) -> None:
        session = self.session
        if session is None:
            return
        try:
            if error is None:
                await self._commit(session)
        except Exception as failed:
            self._explain(failed)
            raise
        finally:
            self.is_open = False
            self.session = self.task = self.failure = None
            _leave(self)
            if session.in_transaction():
                # The connection goes back whatever happens to this task meanwhile.
                await shielded(_give_up(session))
            else:
                await session.close()  # the connection is back; nothing is awaited

    async def _commit(self, session: AsyncSession) -> None:
        place = f"database {self.database.name!r}"
        if self.read_only:
            if session.new or session.deleted or any(map(session.is_modified, session.dirty)):
                raise DatabaseError(
                    f"{place}: objects were changed in a read_only block",
                    hint="open the block without read_only",
                )
        elif self.failure is not None:
            raise DatabaseError(
                f"{place}: an inner block failed with {type(self.failure).__name__} and its"
                " error was caught inside the outer block: nothing was committed",
                hint="catch the error outside of the outermost block",
            ) from self.failure
        await session.commit()

    def _explain(self, error: BaseException) -> None:
        annotate(error)
        explained = self.database.explain(error)
        if explained is not None:
            raise explained from error
