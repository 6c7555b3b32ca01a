"""What is done outside of requests: a task that requests enqueue, and two that run by themselves.

tornkit finds this file by its name.
"""

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import CursorResult, Delete, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from tornkit.tasks import TaskContext, task

from number_service.models import Result, Summary
from number_service.search import Search

PIECE = 1_000_000
"""How many divisors are tried between two reports: about a twentieth of a second."""


@task(retries=2, timeout="5m")
async def factorise(ctx: TaskContext, n: int) -> list[int]:
    """Find the prime factors of a number, and keep them.

    The search has a process of its own, for it only computes; the database is at hand here.
    """
    began = time.monotonic()
    factors = await ctx.run(search, n)
    await keep(ctx, n, factors, time.monotonic() - began)
    return factors


@task(run_in="process")
def search(ctx: TaskContext, n: int) -> list[int]:
    """Find the prime factors of a number, and tell how far that is."""
    found = Search(n)
    while not found.is_done:
        ctx.progress(found.progress, f"tried divisors below {found.divisor:,}")
        found.go_on(PIECE)
    return found.factors


async def keep(ctx: TaskContext, n: int, factors: list[int], seconds: float) -> None:
    """Keep a result, once: a job whose worker was killed runs again from its start."""
    async with ctx.db() as session:
        if await session.scalar(select(Result.id).filter_by(job_id=ctx.job_id)) is None:
            session.add(
                Result(job_id=ctx.job_id, n=n, factors=factors, seconds=seconds, found_at=now())
            )


@task(every="10s")
async def summarise(ctx: TaskContext) -> None:
    """Write down how many results there are."""
    async with ctx.db() as session:
        counted = select(func.count(Result.id), func.coalesce(func.max(Result.seconds), 0.0))
        results, slowest = (await session.execute(counted)).one()
        session.add(Summary(taken_at=now(), results=results, slowest=slowest))


@task(cron="0 3 * * *")
async def clean_up(ctx: TaskContext) -> dict[str, int]:
    """Delete old results at night, and summaries of more than a day ago."""
    oldest = now() - timedelta(days=ctx.app.config.keep_days)
    yesterday = now() - timedelta(days=1)
    async with ctx.db() as session:
        return {
            "results": await remove(session, delete(Result).where(Result.found_at < oldest)),
            "summaries": await remove(
                session, delete(Summary).where(Summary.taken_at < yesterday)
            ),
        }


async def remove(session: AsyncSession, statement: Delete) -> int:
    """Delete rows; return how many."""
    done = await session.execute(statement)
    assert isinstance(done, CursorResult)
    return done.rowcount


def now() -> datetime:
    """Return the time in UTC, as the database has it: without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)
