"""Sessions in any SQL database that SQLAlchemy reaches with asyncio.

Every change first updates the row of its session and so holds it to the end of its short
transaction: changes to one session queue up, those to different sessions do not. Changes to
one session that come while a process is writing it are written together. The tables are made
by tornkit's own migrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CHAR,
    Column,
    Double,
    ForeignKey,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import mysql

from tornkit._batches import Batches
from tornkit._transactions import Connect, Transactions, upsert
from tornkit.sessions._changes import Change, Refused, fold
from tornkit.sessions.base import SessionStore, StoredSession

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = [
    "Connect",
    "SQLStore",
    "create_tables",
    "metadata",
    "session_key_table",
    "session_table",
]


def _exact_text(length: int) -> Any:
    # MySQL and MariaDB compare text without regard to case unless told otherwise.
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


metadata = MetaData()

session_table = Table(
    "tornkit_session",
    metadata,
    Column("id_hash", CHAR(64), primary_key=True),
    Column("user_id", _exact_text(64), nullable=True, index=True),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
    Column("meta", Text, nullable=False),
)

session_key_table = Table(
    "tornkit_session_key",
    metadata,
    Column(
        "id_hash",
        CHAR(64),
        ForeignKey("tornkit_session.id_hash", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("name", _exact_text(255), primary_key=True),
    Column("value", Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb"), nullable=False),
)

_GONE = object()  # the result of a change to a session that is not there
_session, _key = session_table, session_key_table
_LOAD = select(_session, _key.c.name, _key.c.value).select_from(_session.outerjoin(_key))


async def create_tables(connection: AsyncConnection) -> None:
    """Create both tables, for tests; sites get them from the migrations."""
    await connection.run_sync(metadata.create_all)


class SQLStore(SessionStore):
    """Keep sessions in two tables: a row for each session, a row for each of its keys.

    Args:
        connect: see `Connect`; an open ``SQLDatabase.connect`` fits. It raises
            `DatabaseError` when the database fails or keeps it waiting too long.
        one_writer: whether writers wait for each other anyway. Changes to one session are
            then not carried out together, so that ``connect`` can refuse the one that was
            asked for inside a block.
    """

    def __init__(self, connect: Connect, *, one_writer: bool = False) -> None:
        self._transactions = Transactions(connect, purpose="session store")
        self._one_writer = one_writer
        self._batches: Batches[Change, Any] = Batches(self._carry_out)

    async def load(self, id_hash: str) -> StoredSession | None:
        """Return the session with all its values, or None."""
        rows = await self._transactions.read(_LOAD.where(_session.c.id_hash == id_hash))
        if not rows:
            return None
        values = {row.name: row.value for row in rows if row.name is not None}
        return _stored(rows[0], values)

    async def create(self, stored: StoredSession) -> None:
        """Keep a session under an id that is new."""

        async def work(connection: AsyncConnection) -> None:
            await _insert(connection, stored)
            await _put(connection, stored.id_hash, stored.values)

        await self._transactions.write(work)

    async def apply(
        self,
        id_hash: str,
        *,
        put: Mapping[str, str],
        drop: Collection[str],
        seen_at: float,
        expires_at: float,
    ) -> bool:
        """Set and delete keys and renew the times; False if the session is gone."""
        change = Change(seen_at, expires_at, dict(put), frozenset(drop))
        return await self._change(id_hash, change) is not _GONE

    async def increment(
        self, id_hash: str, name: str, by: int, *, seen_at: float, expires_at: float
    ) -> int | None:
        """Add to an integer and return it; None if the session is gone."""
        number = await self._change(id_hash, Change(seen_at, expires_at, counts=(name, by)))
        return None if number is _GONE else number

    async def _change(self, id_hash: str, change: Change) -> Any:
        if not self._one_writer:
            return await self._batches.add(id_hash, change)
        (result,) = await self._carry_out(id_hash, [change])
        if isinstance(result, Exception):
            raise result
        return result

    async def _carry_out(self, id_hash: str, changes: Sequence[Change]) -> Sequence[Any]:
        counted = {change.counts[0] for change in changes if change.counts is not None}
        mine = (_key.c.id_hash == id_hash) & _key.c.name.in_(counted)

        async def work(connection: AsyncConnection) -> Sequence[Any]:
            last = changes[-1]
            if not await _touch(connection, id_hash, last.seen_at, last.expires_at):
                return [_GONE] * len(changes)
            counters: dict[str, str] = {}
            if counted:
                found = await connection.execute(select(_key.c.name, _key.c.value).where(mine))
                counters = {row.name: row.value for row in found}
            written, results = fold(changes, counters)
            await _drop(connection, id_hash, [n for n, text in written.items() if text is None])
            put = {name: text for name, text in written.items() if text is not None}
            await _put(connection, id_hash, put)
            return results

        try:
            return await self._transactions.write(work)
        except Refused as refused:
            return refused.results

    async def rotate(
        self, id_hash: str, successor: StoredSession, *, drop: Collection[str]
    ) -> bool:
        """Move a session to a new id in one step; False, and no successor, if it is gone."""

        async def work(connection: AsyncConnection) -> bool:
            held = await _touch(connection, id_hash, successor.seen_at, successor.expires_at)
            if not held:
                return False
            await _insert(connection, successor)
            moved = update(_key).where(_key.c.id_hash == id_hash)
            await connection.execute(moved.values(id_hash=successor.id_hash))
            await _drop(connection, successor.id_hash, drop)
            await _put(connection, successor.id_hash, successor.values)
            await connection.execute(delete(_session).where(_session.c.id_hash == id_hash))
            return True

        return await self._transactions.write(work)

    async def delete(self, id_hash: str) -> bool:
        """Delete a session; False if there is none."""
        return await self._delete(_session.c.id_hash == id_hash) > 0

    async def delete_user(self, user_id: str) -> int:
        """Delete every session of a user, also one that is being rotated; return how many."""
        deleted = 0
        mine = _session.c.user_id == user_id
        # A session in rotation moves to a row that a statement begun earlier cannot see, but
        # in every new look exactly one of the two is there: look until there is none.
        while True:
            found = await self._transactions.read(select(_session.c.id_hash).where(mine))
            if not found:
                return deleted
            for row in found:
                deleted += await self._delete((_session.c.id_hash == row.id_hash) & mine)

    async def list_user(self, user_id: str) -> list[StoredSession]:
        """Return a user's sessions without their values, the last seen first."""
        wanted = select(_session).where(_session.c.user_id == user_id)
        rows = await self._transactions.read(wanted.order_by(_session.c.seen_at.desc()))
        return [_stored(row, {}) for row in rows]

    async def clear_expired(self, now: float) -> int:
        """Delete the sessions with ``expires_at <= now``; return how many."""
        return await self._transactions.clear(_session.c.id_hash, _session.c.expires_at <= now)

    async def _delete(self, which: ColumnElement[bool]) -> int:
        return await self._transactions.delete(_session.c.id_hash, which)


async def _insert(connection: AsyncConnection, stored: StoredSession) -> None:
    await connection.execute(
        insert(_session).values(
            id_hash=stored.id_hash,
            user_id=stored.user_id,
            created_at=stored.created_at,
            seen_at=stored.seen_at,
            expires_at=stored.expires_at,
            meta=stored.meta,
        )
    )


async def _touch(
    connection: AsyncConnection, id_hash: str, seen_at: float, expires_at: float
) -> bool:
    """Renew the times and so lock the session; False if it is gone."""
    mine = update(_session).where(_session.c.id_hash == id_hash)
    touched = await connection.execute(mine.values(seen_at=seen_at, expires_at=expires_at))
    return touched.rowcount > 0


async def _put(connection: AsyncConnection, id_hash: str, values: Mapping[str, str]) -> None:
    if values:
        rows = [{"id_hash": id_hash, "name": n, "value": text} for n, text in values.items()]
        await connection.execute(upsert(connection.dialect.name, _key, "value"), rows)


async def _drop(connection: AsyncConnection, id_hash: str, names: Collection[str]) -> None:
    if names:
        mine = (_key.c.id_hash == id_hash) & _key.c.name.in_(names)
        await connection.execute(delete(_key).where(mine))


def _stored(row: Row[Any], values: Mapping[str, str]) -> StoredSession:
    return StoredSession(
        id_hash=row.id_hash,
        user_id=row.user_id,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        meta=row.meta,
        values=values,
    )
