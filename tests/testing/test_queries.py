"""A test sees the queries of the requests that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.docs.test_how_to import served
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.testing import count_queries

if TYPE_CHECKING:
    from pathlib import Path


class Home(BaseHandler):
    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            await session.execute(text("SELECT 1"))
        async with self.db() as session:
            await session.execute(text("SELECT 2"))
        self.response_json()


async def test_the_queries_of_a_request_are_counted(tmp_path: Path) -> None:
    overrides = {"databases.default": "sqlite://", "session.store": "memory://"}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    home = Module(name="home", access=PUBLIC, routes=[path("/", Home)])
    async with served(Application(settings, modules=[home])) as client:
        with count_queries() as queries:
            assert (await client.get("/")).status_code == 200
        assert queries.statements == ["SELECT 1", "SELECT 2"]
        with pytest.raises(AssertionError, match="2 queries: SELECT 1, SELECT 2"):
            assert len(queries) == 3
        with pytest.raises(AssertionError, match=r"2 queries\s+1. SELECT 1\s+2. SELECT 2"):
            assert len(queries) == 3, str(queries)
