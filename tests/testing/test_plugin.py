"""The fixtures that a project's tests get: its application, a client, settings, databases."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.plugin import PLUGIN
from tornkit.databases import Databases

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
        from tornkit import PUBLIC, BaseHandler, Module, path

        class Notes(BaseHandler):
            async def get(self):
                async with self.db(read_only=True) as session:
                    count = await session.scalar(select(func.count()).select_from(Note))
                self.response_json(count=count, greeting=self.config.greeting)

            async def post(self):
                async with self.db() as session:
                    session.add(Note())
                    self.response_json()

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
        await client.post("/")
        assert (await client.get("/")).json()["count"] == 1

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
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content))
    run(folder, "tornkit", "db", "revision", "first")


def run(folder: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed(folder: Path) -> str:
    return run(folder, "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN).splitlines()[-1]


@pytest.mark.slow
def test_the_fixtures_keep_their_promises_on_sqlite(tmp_path: Path) -> None:
    make(tmp_path, "sqlite:///data/site.db")
    (tmp_path / "data").mkdir(exist_ok=True)
    before = (tmp_path / "data" / "site.db").read_bytes()
    assert passed(tmp_path).startswith("6 passed")
    assert (tmp_path / "data" / "site.db").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("server", ["postgresql_url", "mysql_url"])
async def test_the_fixtures_keep_their_promises_on_a_server(
    tmp_path: Path, server: str, request: pytest.FixtureRequest
) -> None:
    """The database of the run is one of its own, and dropped at the end."""
    url: str = request.getfixturevalue(server)
    make(tmp_path, url)
    assert passed(tmp_path).startswith("6 passed")
    assert [name for name in await databases_of(url) if "_test_" in name] == []


async def databases_of(url: str) -> list[str]:
    """Return the databases of a server whose names begin like that of ``url``."""
    async with Databases({"default": url}) as databases:
        database = databases["default"]
        postgresql = database.dialect == "postgresql"
        names = "SELECT datname FROM pg_database" if postgresql else "SHOW DATABASES"
        async with database.connect(write=False) as connection:
            found = await connection.scalars(text(names))
        own = database.backend.url.database or ""
        return [name for name in found if name.startswith(own)]
