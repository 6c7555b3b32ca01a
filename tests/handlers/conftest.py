"""A small site on a real socket, put together from the modules that a test hands in."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tornkit import Application, Settings, UserMixin
from tornkit.testing import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tornkit import Module


class Base(DeclarativeBase):
    pass


class User(Base, UserMixin):
    __tablename__ = "users"


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


class StartSite(Protocol):
    async def __call__(
        self,
        *modules: Module,
        overrides: dict[str, object] | None = None,
        user_model: type[Any] | None = User,
        environment: str = "testing",
        migrate: Sequence[str] | None = None,
        **tornado_settings: Any,
    ) -> Client: ...


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[StartSite]:
    """Return a function that starts a site and gives a client of it."""
    async with contextlib.AsyncExitStack() as stack:

        async def start_site(
            *modules: Module,
            overrides: dict[str, object] | None = None,
            user_model: type[Any] | None = User,
            environment: str = "testing",
            migrate: Sequence[str] | None = None,
            **tornado_settings: Any,
        ) -> Client:
            settings = Settings.load(environment, project_dir=tmp_path, overrides=overrides)
            application = Application(
                settings, modules=modules, user_model=user_model, **tornado_settings
            )
            await stack.enter_async_context(application)
            for name in application.databases.sql if migrate is None else migrate:
                database = application.databases.sql[name]
                await database.migrations.upgrade()
                async with database.engine.begin() as connection:
                    await connection.run_sync(Base.metadata.create_all)
            listening, port = bind_unused_port()
            server = HTTPServer(application)
            server.add_socket(listening)
            stack.push_async_callback(server.close_all_connections)
            stack.callback(server.stop)
            return await stack.enter_async_context(Client(application, f"http://127.0.0.1:{port}"))

        yield start_site
