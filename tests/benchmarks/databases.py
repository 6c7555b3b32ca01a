"""What ``self.db()`` adds to bare SQLAlchemy: ``python -m tests.benchmarks.databases``.

In one process, inside one handler, rounds alternate between blocks of tornkit and bare
``AsyncSession``s on an engine of SQLAlchemy's defaults (on SQLite with the same pragmas and the
same ``BEGIN``), both on the same database and the same statement. Medians of the process's CPU
time for each block, in microseconds, its threads included; what tornkit adds is the median of the
rounds' own ratios, for the machine may be busy. Not a test.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import event, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests import services
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.server import new_event_loop, serve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 31
BLOCKS = 100
WARM_UP = 50


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]


READ = select(Note.number).where(Note.id == 1)
WRITE = update(Note).where(Note.id == 1).values(number=Note.number + 1)
WORK = {"read": READ, "write": WRITE}


class Measure(BaseHandler):
    """Run many blocks of one side, and answer with the CPU seconds that they took."""

    bare: dict[str, AsyncEngine]

    async def get(self, side: str, work: str, number: int) -> None:
        block: Callable[[], Awaitable[None]] = getattr(self, f"_{side}_{work}")
        gc.collect()
        began = time.process_time()
        for _ in range(number):
            await block()
        self.response_json(seconds=time.process_time() - began)

    async def _tornkit_read(self) -> None:
        async with self.db(read_only=True) as session:
            await session.execute(READ)

    async def _tornkit_write(self) -> None:
        async with self.db() as session:
            await session.execute(WRITE)

    async def _bare_read(self) -> None:
        engine = self.bare["read"]
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            await session.execute(READ)

    async def _bare_write(self) -> None:
        engine = self.bare["write"]
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            await session.execute(WRITE)


def bare_engines(url: str) -> dict[str, AsyncEngine]:
    """Make what a careful user of SQLAlchemy makes: one engine, on SQLite one for each way."""
    scheme, _, rest = url.partition("://")
    if scheme == "postgresql":
        engine = create_async_engine(f"postgresql+psycopg://{rest}")
        return {"read": engine, "write": engine}
    if scheme == "mysql":
        engine = create_async_engine(f"mysql+asyncmy://{rest}?charset=utf8mb4")
        return {"read": engine, "write": engine}
    return {
        "read": _sqlite(rest, "BEGIN", ("foreign_keys = ON", "query_only = ON")),
        "write": _sqlite(rest, "BEGIN IMMEDIATE", ("foreign_keys = ON",)),
    }


def _sqlite(rest: str, begin: str, pragmas: tuple[str, ...]) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite://{rest}", connect_args={"isolation_level": None, "timeout": 30}
    )

    def on_connect(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", *pragmas):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", lambda opened: opened.exec_driver_sql(begin))
    return engine


async def measure(url: str, folder: Path) -> dict[str, dict[str, list[float]]]:
    """Return the microseconds of each round, by work and side."""
    settings = Settings.load(
        "testing",
        project_dir=folder,
        overrides={"databases.default": url, "session.store": "memory://"},
    )
    routes = [path("/{side}/{work}/{number:int}", Measure)]
    application = Application(
        settings, modules=[Module(name="home", access=PUBLIC, routes=routes)]
    )
    taken: dict[str, dict[str, list[float]]] = {
        work: {side: [] for side in ("bare", "tornkit")} for work in WORK
    }
    Measure.bare = bare_engines(url)
    async with (
        serve([(application, 0)]) as (port,),
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=None
        ) as client,
    ):
        async with application.db() as session:
            connection = await session.connection()
            await connection.run_sync(Base.metadata.create_all)
            await session.execute(text("INSERT INTO notes VALUES (1, 0)"))

        async def ask(side: str, work: str, number: int) -> float:
            answer = await client.get(f"/{side}/{work}/{number}")
            return float(answer.raise_for_status().json()["seconds"]) / number * 1e6

        for work, sides in taken.items():
            for side in sides:
                await ask(side, work, WARM_UP)
            for _ in range(ROUNDS):
                for side, found in sides.items():
                    found.append(await ask(side, work, BLOCKS))
        for engine in set(Measure.bare.values()):
            await engine.dispose()
    return taken


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        places = {
            "SQLite": lambda: f"sqlite:///{folder}/notes.db",
            "PostgreSQL": lambda: stack.enter_context(services.fresh_database("postgresql")),
            "MariaDB": lambda: stack.enter_context(services.fresh_database("mysql")),
        }
        wanted = sys.argv[1:] or list(places)
        print(f"{'CPU of a block, µs':22}{'bare':>8}{'tornkit':>10}{'more':>8}")
        for name in wanted:
            url = places[name]()
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                taken = runner.run(measure(url, folder))
            for work, sides in taken.items():
                bare, ours = (statistics.median(sides[side]) for side in ("bare", "tornkit"))
                pairs = zip(sides["bare"], sides["tornkit"], strict=True)
                ratio = statistics.median(after / before for before, after in pairs)
                more = f"{(ratio - 1) * 100:+7.1f}%"
                print(f"{name + ', ' + work:22}{bare:8.0f}{ours:10.0f}{more:>8}", flush=True)


if __name__ == "__main__":
    main()
