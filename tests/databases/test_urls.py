"""URLs lead to their backend, and never show a password."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests import services
from tornkit.databases import Databases, SQLDatabase
from tornkit.errors import DatabaseError, MissingDriver, UnknownDatabase

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hun%40ter:2"


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("postgress://u:p@h/d", "did you mean 'postgres"),
        ("postgresql+asyncpg://u:p@h/d", "write postgresql://"),
        ("site.db", "not a URL"),
        ("", "not a URL"),
        (f"mysql://u:{SECRET}@h:port/d", "cannot be read"),
    ],
)
def test_a_wrong_url_is_refused(url: str, match: str) -> None:
    with pytest.raises(DatabaseError, match=match) as caught:
        SQLDatabase("default", url)
    told = f"{caught.value!r} {caught.value} {caught.value.__cause__} {caught.value.__context__}"
    assert "ter:2" not in told


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "postgres", "mariadb"])
def test_the_password_is_masked(scheme: str) -> None:
    database = SQLDatabase("default", f"{scheme}://user:{SECRET}@host/name?sslpassword={SECRET}")
    assert "word=***" in database.url
    assert "user:***@host/name" in database.url
    assert "ter:2" not in f"{database.url} {database!r}"
    assert database.backend.url.password == "hun@ter:2"


def test_an_unknown_bind_is_told_with_a_near_miss() -> None:
    databases = Databases({"default": "sqlite://", "archive": "sqlite://"})
    with pytest.raises(UnknownDatabase, match="did you mean 'archive'"):
        databases.sql["archiv"]
    assert list(databases) == ["default", "archive"]
    assert "archiv" not in databases


def test_a_bind_is_got_as_of_any_mapping() -> None:
    databases = Databases({"default": "sqlite://", "cache": "redis://host"}, library=())
    assert databases.get("nope") is databases.sql.get("cache") is None
    assert databases.get("cache") is databases.redis.get("cache") is not None
    with pytest.raises(UnknownDatabase) as caught:
        databases["nope"]
    assert str(caught.value).startswith("asked for database 'nope', which")


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_an_unreachable_server_is_told(scheme: str) -> None:
    url = f"{scheme}://user:{SECRET}@127.0.0.1:{closed_port()}/name"
    async with Databases({"default": url}) as databases:
        database = databases.sql["default"]
        for attempt in (database.ping(), database.migrations.upgrade()):
            with pytest.raises(DatabaseError, match="cannot be reached") as caught:
                await attempt
            assert "\n" not in str(caught.value)
            assert "ter:2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
@pytest.mark.slow
async def test_a_server_that_says_nothing_is_told_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = (
            f"{scheme}://user:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/name?connect_timeout=2"
        )
        database = SQLDatabase("default", url)
        await database.open()
        with pytest.raises(DatabaseError, match=r"no answer within 0\.1 s"):
            await database.ping(timeout=0.1)
        await database.close()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_refused_user_is_told_without_the_password(scheme: str) -> None:
    services.require(scheme)
    url = services.url(scheme)
    url = url.replace(f"{services.USERS[scheme]}@", f"nobody_here:{SECRET}@")
    async with Databases({"default": url}) as databases:
        with pytest.raises(DatabaseError, match="refused the user or the password") as caught:
            await databases.sql["default"].ping()
    assert "ter:2" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_missing_database_is_told(scheme: str) -> None:
    services.require(scheme)
    async with Databases({"default": services.url(scheme, "tornkit_none")}) as databases:
        with pytest.raises(DatabaseError, match="has no such database"):
            await databases.sql["default"].ping()


async def test_a_missing_driver_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    database = SQLDatabase("default", "postgresql://host/name")
    monkeypatch.setattr(database.backend, "package", "no_such_driver")
    with pytest.raises(MissingDriver, match=r'pip install "tornkit\[postgresql\]"'):
        await database.open()


@pytest.mark.parametrize("name", ["50%.db", "what?.db", "no#1.db", "a b.db", "é.db"])
async def test_a_file_of_any_name_is_opened_where_it_is(tmp_path: Path, name: str) -> None:
    encoded = f"{tmp_path}/{name}".replace("%", "%25").replace("?", "%3F")
    databases = Databases({"default": f"sqlite:///{encoded}"})
    async with databases, databases.sql["default"].session() as session:
        await session.execute(text("CREATE TABLE x (y)"))
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208  a blocking call is fine in a test
