"""The fixtures that a project's tests get: its application, a client, settings, databases."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import text

from tests import services
from tests.databases.mongo_server import MongoServer
from tests.plugin import PLUGIN
from tests.sessions.redis_server import RedisServer
from tornkit.databases import Databases
from tornkit.errors import DatabaseError
from tornkit.testing.databases import TestDatabases

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).parents[2] / "src"

FILES = {
    "pyproject.toml": """
        [tool.tornkit]
        app = "shop.app:create_app"

        [tool.pytest.ini_options]
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
    """,
    "shop/__init__.py": "",
    "shop/models.py": """
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from tornkit import UserMixin

        class Base(DeclarativeBase):
            pass

        class User(Base, UserMixin):
            __tablename__ = "users"

        class Note(Base):
            __tablename__ = "notes"
            id: Mapped[int] = mapped_column(primary_key=True)
    """,
    "shop/app.py": """
        from shop.models import User
        from tornkit import Application, Settings

        class ShopSettings(Settings, env_prefix="SHOP_"):
            greeting: str = "hello"

        def create_app():
            return Application(ShopSettings.load(), modules="shop.modules", user_model=User)
    """,
    "shop/modules/__init__.py": "",
    "shop/modules/home.py": """
        from sqlalchemy import func, select
        from shop.models import Note
        from tornado.web import HTTPError
        from tornkit import PUBLIC, BaseHandler, Module, path

        class Notes(BaseHandler):
            async def get(self):
                async with self.db(read_only=True) as session:
                    count = await session.scalar(select(func.count()).select_from(Note))
                self.response_json(count=count, greeting=self.config.greeting)

            async def post(self):
                async with self.db() as session:
                    note = Note()
                    session.add(note)
                    await session.flush()
                    self.response_json(id=note.id)

            async def delete(self):
                async with self.db() as session:
                    session.add(Note())
                    await session.flush()
                    raise HTTPError(409)  # rolled back, but its number is used

        module = Module(access=PUBLIC, routes=[path("/", Notes)])
    """,
    "shop/modules/clerk.py": """
        from tornkit import BaseHandler, Module, path, roles

        class Desk(BaseHandler):
            async def get(self):
                self.response_json(email=self.current_user.email)

        module = Module(access=roles("clerk"), routes=[path("/", Desk)])
    """,
}

TESTS = """
    import pytest
    from tornkit.errors import UnknownRole

    @pytest.mark.parametrize("turn", [1, 2])
    async def test_a_database_is_clean(client, turn):
        assert (await client.get("/")).json()["count"] == 0
        assert (await client.post("/")).json()["id"] == 1
        assert (await client.get("/")).json()["count"] == 1

    @pytest.mark.parametrize("turn", [1, 2])
    async def test_numbers_begin_anew(client, turn):
        if turn == 1:
            assert (await client.delete("/")).status_code == 409
        else:
            assert (await client.post("/")).json()["id"] == 1

    async def test_signing_in(client):
        assert (await client.get("/clerk/")).status_code == 401
        user = await client.sign_in(role="clerk")
        assert (await client.get("/clerk/")).json()["email"] == user.email
        client.sign_out()
        assert (await client.get("/clerk/")).status_code == 401
        again = await client.sign_in(user)
        assert again is user
        assert (await client.get("/clerk/")).status_code == 200
        with pytest.raises(UnknownRole, match="did you mean 'clerk'"):
            await client.sign_in(role="clrek")

    async def test_folders_are_the_tests_own(app, tmp_path):
        assert app.config.environment == "testing"
        assert app.config.paths.data.is_relative_to(tmp_path)

    class TestOverrides:
        @pytest.fixture
        def settings_overrides(self):
            return {"greeting": "good day"}

        async def test_settings(self, client):
            assert (await client.get("/")).json()["greeting"] == "good day"

    async def test_settings_are_not_kept(client):
        assert (await client.get("/")).json()["greeting"] == "hello"
"""


def make(folder: Path, url: str) -> None:
    """Write the project with its first migration, its database at ``url``."""
    files = {**FILES, "settings.toml": f'[databases]\ndefault = "{url}"\n', "test_shop.py": TESTS}
    write(folder, files)
    run(folder, "tornkit", "db", "revision", "first")


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content))


def run(folder: Path, *arguments: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**kept, **variables, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed(folder: Path, **variables: str) -> str:
    command = ("pytest", "-q", "-p", "no:cacheprovider", *PLUGIN)
    return run(folder, *command, **variables).splitlines()[-1]


@pytest.mark.slow
def test_the_fixtures_keep_their_promises_on_sqlite(tmp_path: Path) -> None:
    make(tmp_path, "sqlite:///data/site.db")
    (tmp_path / "data").mkdir(exist_ok=True)
    before = (tmp_path / "data" / "site.db").read_bytes()
    assert passed(tmp_path).startswith("8 passed")
    assert (tmp_path / "data" / "site.db").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("server", ["postgresql_url", "mysql_url"])
async def test_the_fixtures_keep_their_promises_on_a_server(
    tmp_path: Path, server: str, request: pytest.FixtureRequest
) -> None:
    """The database of the run is one of its own, and dropped at the end."""
    url: str = request.getfixturevalue(server)
    make(tmp_path, url)
    assert passed(tmp_path).startswith("8 passed")
    assert [name for name in await databases_of(url) if "_test_" in name] == []


OTHERS = {
    "shop/__init__.py": "",
    "shop/app.py": """
        from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path

        class Seen(BaseHandler):
            async def get(self):
                redis, mongo = self.redis("cache"), self.mongo("catalog")
                visits = await redis.incr("visits")
                await mongo.visits.insert_one({"number": visits})
                self.response_json(visits=visits, kept=await mongo.visits.count_documents({}))

        home = Module(name="home", access=PUBLIC, routes=[path("/", Seen)])

        def create_app():
            return Application(Settings.load(), modules=[home])
    """,
    "pyproject.toml": """
        [tool.tornkit]
        app = "shop.app:create_app"

        [tool.pytest.ini_options]
        asyncio_mode = "auto"
    """,
    "test_shop.py": """
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        async def test_they_are_clean(client, turn):
            assert (await client.get("/")).json()["visits"] == 1
            answer = await client.get("/")
            assert (answer.json()["visits"], answer.json()["kept"]) == (2, 2)
    """,
}


@pytest.mark.slow
async def test_mongodb_and_redis_are_the_runs_own_too(tmp_path: Path) -> None:
    """What the configured ones hold stays as it is, and nothing is left of the run."""
    with RedisServer() as redis, MongoServer() as mongo:
        urls = {"cache": redis.url, "catalog": mongo.url}
        write(tmp_path, {**OTHERS, "settings.toml": databases_toml(urls)})
        async with Databases(urls, library=()) as databases:
            await databases.redis["cache"].client.set("visits", 40)
            await databases.mongodb["catalog"].database.visits.insert_one({"number": 40})
            assert passed(tmp_path).startswith("2 passed")
            client = databases.redis["cache"].client
            assert await client.get("visits") == "40"
            assert await client.dbsize() == 1
            assert set(await client.info("keyspace")) == {"db0"}
            names = await databases.mongodb["catalog"].client.list_database_names()
            assert [name for name in names if "_test_" in name] == []
            assert await databases.mongodb["catalog"].database.visits.count_documents({}) == 1


@pytest.mark.slow
async def test_what_a_test_names_itself_is_never_emptied(tmp_path: Path) -> None:
    """An override leads to a database that may be anybody's."""
    overriding = """

        @pytest.fixture
        def settings_overrides():
            import os
            return {"databases.cache": os.environ["OWN_REDIS"]}

        async def test_it_is_as_it_was(client):
            assert (await client.get("/")).json()["visits"] == 41
    """
    with RedisServer() as configured, RedisServer() as own, MongoServer() as mongo:
        urls = {"cache": configured.url, "catalog": mongo.url}
        write(tmp_path, {**OTHERS, "settings.toml": databases_toml(urls)})
        write(tmp_path, {"test_shop.py": f"        import pytest\n{overriding}"})
        async with Databases({"cache": own.url}, library=()) as databases:
            await databases.redis["cache"].client.set("visits", 40)
            assert passed(tmp_path, OWN_REDIS=own.url).startswith("1 passed")
            assert await databases.redis["cache"].client.get("visits") == "41"


@pytest.mark.slow
async def test_a_redis_without_an_empty_number_is_told(tmp_path: Path) -> None:
    with RedisServer() as redis:
        urls = {"cache": redis.url}
        async with AsyncExitStack() as stack:
            for number in range(1, 16):
                each = Databases({"cache": f"{redis.url[:-1]}{number}"}, library=())
                await (await stack.enter_async_context(each)).redis["cache"].client.set("mine", 1)
            databases = TestDatabases(tmp_path)
            with pytest.raises(DatabaseError, match="none of the numbers 1 to 15"):
                await databases.prepare(Databases(urls, library=()), urls)
            async with Databases(urls, library=()) as configured:
                assert await configured.redis["cache"].client.dbsize() == 0


@pytest.mark.slow
async def test_each_bind_of_redis_gets_a_number_of_its_own(tmp_path: Path) -> None:
    with RedisServer("--databases", "4") as redis:
        urls = {"sessions": f"{redis.url[:-1]}1", "cache": redis.url}
        databases = TestDatabases(tmp_path)
        await databases.prepare(Databases(urls, library=()), urls)
        assert {url[-1] for url in databases.urls.values()} == {"2", "3"}
        async with Databases(databases.urls, library=()) as own:
            await own.redis["cache"].client.set("mine", 1)
            await databases.empty(own, databases.urls)
            assert await own.redis["cache"].client.get("mine") is None
            # Still claimed: another run would not take it.
            again = TestDatabases(tmp_path)
            await again.prepare(Databases({"cache": redis.url}, library=()), {"cache": redis.url})
            assert again.urls["cache"][-1] == "1"
            await again.drop()
        await databases.drop()
        async with Databases({"cache": redis.url}, library=()) as configured:
            assert await configured.redis["cache"].client.info("keyspace") == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["n" * 63, "with-dash", "MixedCase", "per%cent"])
async def test_the_configured_database_is_never_the_runs_own(tmp_path: Path, name: str) -> None:
    services.require("postgresql")
    admin = Databases({"default": services.url("postgresql", "postgres")}, library=())
    async with admin:
        engine = admin.sql["default"].engine.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            quoted = connection.dialect.identifier_preparer.quote(name)
            await connection.exec_driver_sql(f"CREATE DATABASE {quoted}")
        try:
            url = services.url("postgresql", quote(name))
            urls = {"default": url, "archive": url}
            databases = TestDatabases(tmp_path)
            await databases.prepare(Databases(urls, library=()), urls)
            assert len(set(databases.urls.values())) == 2
            async with Databases(databases.urls, library=()) as own:
                await own.sql["default"].ping()
            await databases.drop()
            names = await databases_of(services.url("postgresql", "postgres"))
            async with engine.connect() as connection:
                found = set(await connection.scalars(text("SELECT datname FROM pg_database")))
            assert name in found
            assert [each for each in found | set(names) if each.startswith(f"{name[:20]}_")] == []
        finally:
            async with engine.connect() as connection:
                await connection.exec_driver_sql(f"DROP DATABASE {quoted}")


def databases_toml(urls: Mapping[str, str]) -> str:
    return "[databases]\n" + "".join(f'{name} = "{url}"\n' for name, url in urls.items())


async def databases_of(url: str) -> list[str]:
    """Return the databases of a server whose names begin like that of ``url``."""
    async with Databases({"default": url}) as databases:
        database = databases.sql["default"]
        postgresql = database.dialect == "postgresql"
        names = "SELECT datname FROM pg_database" if postgresql else "SHOW DATABASES"
        async with database.connect(write=False) as connection:
            found = await connection.scalars(text(names))
        own = database.backend.url.database or ""
        return [name for name in found if name.startswith(own)]
