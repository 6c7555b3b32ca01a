"""Limits in any SQL database that SQLAlchemy reaches with asyncio.

A hit first makes sure of its row, and so holds it to the end of its short transaction: hits
of one key queue up, those of different keys do not. The table is made by tornkit's own
migrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import CHAR, Column, Double, MetaData, Table, select, update

from tornkit._batches import Batches
from tornkit._transactions import Connect, Transactions, upsert
from tornkit.security.limits.base import LimitStore, Measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tornkit._rates import Rate

__all__ = ["SQLLimitStore", "limit_table", "metadata"]

metadata = MetaData()

limit_table = Table(
    "tornkit_limit",
    metadata,
    Column("key_hash", CHAR(64), primary_key=True),
    Column("expires_at", Double, nullable=False, index=True),
)

_limit = limit_table


class SQLLimitStore(LimitStore):
    """Keep limits in a table: a row for each key.

    Args:
        connect: gives a connection in a short transaction, as for
            `tornkit.sessions.sql.SQLStore`.
        one_writer: whether a transaction that writes waits for any other, as in SQLite. Hits
            are then not counted together, so that ``connect`` can refuse the one that was
            made inside a transaction and would wait for itself.
    """

    def __init__(self, connect: Connect, *, one_writer: bool = False) -> None:
        self._transactions = Transactions(connect, purpose="limit store")
        self._batches: Batches[Measure, float] | None = None
        if not one_writer:
            self._batches = Batches(self._count)

    async def ping(self) -> None:
        """Ask the database for an answer."""
        await self._transactions.read(select(_limit.c.key_hash).limit(1))

    async def hit(self, key: str, rate: Rate, now: float) -> float:
        """Count one and return 0.0, or return the seconds until it may be, and count nothing."""
        measure = Measure.of(rate, now)
        if self._batches is not None:
            return await self._batches.add(key, measure)
        return (await self._count(key, [measure]))[0]

    async def _count(self, key: str, measures: Sequence[Measure]) -> list[float]:
        mine = _limit.c.key_hash == key

        async def work(connection: AsyncConnection) -> list[float]:
            row = {"key_hash": key, "expires_at": measures[0].now}
            hold = upsert(connection.dialect.name, _limit, "expires_at", keep=True)
            await connection.execute(hold, row)
            found = await connection.execute(select(_limit.c.expires_at).where(mine))
            end = before = found.scalar_one()
            waits = []
            for measure in measures:
                wait, end = measure.hit(end)
                waits.append(wait)
            if end != before:
                await connection.execute(update(_limit).where(mine).values(expires_at=end))
            return waits

        return await self._transactions.write(work)

    async def forgive(self, key: str, rate: Rate, now: float) -> None:
        """Give one hit back."""
        less = _limit.c.expires_at - Measure.of(rate, now).interval

        async def work(connection: AsyncConnection) -> None:
            mine = update(_limit).where(_limit.c.key_hash == key)
            await connection.execute(mine.values(expires_at=less))

        await self._transactions.write(work)

    async def forget(self, key: str) -> None:
        """Give all hits back."""
        await self._transactions.delete(_limit.c.key_hash, _limit.c.key_hash == key)

    async def clear_expired(self, now: float) -> int:
        """Delete the keys that are as if they had never been hit; return how many."""
        return await self._transactions.clear(_limit.c.key_hash, _limit.c.expires_at <= now)
