"""A site that answers with all rows of a table while it reads them; run in a process of its own.

Prints by how many megabytes the process grew, at most, while it and its client worked.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx
from sqlalchemy import String, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.testing import bind_unused_port

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path

ROWS = int(os.environ.get("ROWS", "100000"))
WARM = 2000
LEAVING = 12  # more than a pool has connections
LEFT: asyncio.Queue[None] = asyncio.Queue()


class Base(DeclarativeBase):
    pass


class Line(Base):
    __tablename__ = "lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(String(200))


class Export(BaseHandler):
    application: Application

    async def get(self, way: str, count: int) -> None:
        statement = select(Line).where(Line.id <= count).order_by(Line.id)
        left = False
        database = self.application.databases.sql["default"]
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        async with database.session(read_only=True) as session:
            if way == "whole":
                for line in await session.scalars(statement):
                    self.write(f"{line.id} {line.words}\n")
            else:
                lines = await session.stream_scalars(statement.execution_options(yield_per=500))
                try:
                    async for part in lines.partitions():
                        self.write("".join(f"{line.id} {line.words}\n" for line in part))
                        await self.flush()
                except StreamClosedError:
                    left = True
                finally:
                    await lines.close()
        if left:
            LEFT.put_nowait(None)


def grown() -> float:
    """Return the greatest size of this process so far, in megabytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def fill(application: Application) -> None:
    async with application.databases.sql["default"].connect(write=True) as connection:
        await connection.run_sync(Base.metadata.create_all)
        for start in range(1, ROWS + 1, 10_000):
            numbers = range(start, min(start + 10_000, ROWS + 1))
            await connection.execute(
                insert(Line), [{"id": n, "words": f"{n:06}" * 30} for n in numbers]
            )


async def read(client: httpx.AsyncClient, way: str, count: int) -> int:
    """Return how many lines came, each the one it should be."""
    lines = 0
    async with client.stream("GET", f"/export/{way}/{count}") as answer:
        async for line in answer.aiter_lines():
            lines += 1
            assert line.startswith(f"{lines} {lines:06}"), line
    return lines


async def leave(client: httpx.AsyncClient) -> None:
    """Ask for everything, and go away after the first lines."""
    async with client.stream("GET", f"/export/parts/{ROWS}") as answer:
        async for _ in answer.aiter_lines():
            break


async def main(url: str, way: str, filled: str) -> None:
    overrides = {"databases.default": url, "session.store": "memory://"}
    settings = Settings.load("testing", overrides=overrides)
    routes = [path("/export/{way}/{count:int}", Export)]
    home = Module(name="home", access=PUBLIC, routes=routes)
    application = Application(settings, modules=[home])
    async with application:
        if filled == "fill":
            await fill(application)
            return
        listening, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_socket(listening)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            assert await read(client, way, WARM) == WARM
            before = grown()
            assert await read(client, way, ROWS) == ROWS
            after = grown()
            if way == "parts":
                for _ in range(LEAVING):
                    await leave(client)
                async with asyncio.timeout(60):
                    for _ in range(LEAVING):
                        await LEFT.get()
            assert await read(client, way, WARM) == WARM
        server.stop()
        await server.close_all_connections()
    print(f"{after - before:.1f}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
