"""What the how-to guides promise."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import tornado.httpclient
import tornado.websocket
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tests.docs import pages, project
from tornkit import Application, Settings
from tornkit.testing import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HOW_TO = pages.DOCS / "how-to"


@asynccontextmanager
async def served(app: Application) -> AsyncIterator[Client]:
    async with app:
        listening, port = bind_unused_port()
        server = HTTPServer(app)
        server.add_socket(listening)
        try:
            async with Client(app, f"http://127.0.0.1:{port}") as client:
                yield client
        finally:
            server.stop()
            await server.close_all_connections()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings.load(overrides={"session.store": "memory://"})


class TestFromPlainTornado:
    async def run(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        return await pages.run(HOW_TO / "from-plain-tornado.md", monkeypatch)

    async def test_the_list_works_inside_a_module(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "map.txt").write_text("a map")
        _before, moved, *_ = await self.run(monkeypatch)
        app = Application(settings, modules=[moved["module"]])
        assert app.reverse_url("student:chat") == "/student/chat"
        async with served(app) as client:
            await client.sign_in(role="student")
            assert (await client.get("/student/timetable/3")).json() == {"week": 3}
            assert (await client.get("/student/timetable/99")).status_code == 404
            assert (await client.get("/student/files/map.txt")).text == "a map"
            cookie = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
            assert await self.echo(client, {"Cookie": cookie}) == "hello"

    async def test_every_entry_is_behind_the_door(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _before, moved, *_ = await self.run(monkeypatch)
        async with served(Application(settings, modules=[moved["module"]])) as client:
            for path in ("timetable/3", "chat", "files/map.txt"):
                assert (await client.get(f"/student/{path}")).status_code == 401
            with pytest.raises(tornado.httpclient.HTTPClientError, match="401"):
                await self.echo(client, {})
            await client.sign_in()
            for path in ("timetable/3", "chat", "files/map.txt"):
                assert (await client.get(f"/student/{path}")).status_code == 403

    async def echo(self, client: Client, headers: dict[str, str]) -> object:
        url = str(client.base_url).replace("http", "ws", 1) + "/student/chat"
        request = tornado.httpclient.HTTPRequest(url, headers=headers)
        connection = await tornado.websocket.websocket_connect(request)
        await connection.write_message("hello")
        answer = await connection.read_message()
        connection.close()
        return answer

    async def test_the_typed_handler_is_mounted_in_its_place(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        *_, typed, _xsrf, _settings = await self.run(monkeypatch)
        async with served(Application(settings, modules=[typed["module"]])) as client:
            await client.sign_in(role="student")
            assert (await client.get("/student/timetable/soon")).status_code == 404
            assert (await client.get("/student/timetable/99")).status_code == 404

    async def test_tokens_can_be_kept(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        *_, last = await self.run(monkeypatch)
        app = last["create_app"]()
        assert app.settings["xsrf_cookies"]
        assert app.settings["cross_origin_protection"]
        assert last["SchoolSettings"].load().weeks == 53

    @pytest.mark.slow
    def test_the_application_runs_as_it_is(self, tmp_path: Path) -> None:
        before, *_ = pages.blocks(HOW_TO / "from-plain-tornado.md", "python")
        (tmp_path / "legacy.py").write_text(before.text, "utf-8")
        listed = project.tornkit("routes", "--json", "--app", "legacy:make_app", cwd=tmp_path)
        assert json.loads(listed)[0]["path"] == "/student/timetable/([0-9]+)"
        with project.Running("--app", "legacy:make_app", cwd=tmp_path) as site:
            answer = project.get(f"{site.url}/student/timetable/3")
            assert answer.status_code == 302


@pytest.mark.slow
def test_the_tests_of_the_guide_pass_in_a_new_project(tmp_path: Path) -> None:
    project.tornkit("new", "school", "--modules", "teacher,student", cwd=tmp_path)
    code = "\n\n".join(block.text for block in pages.blocks(HOW_TO / "test-a-site.md", "python"))
    (tmp_path / "school" / "tests" / "test_guide.py").write_text(code, "utf-8")
    printed = project.pytest("tests/test_guide.py", cwd=tmp_path / "school")
    assert f"{code.count('async def test_')} passed" in printed


class TestWriteASessionStore:
    PAGE = HOW_TO / "write-a-session-store.md"

    @pytest.mark.slow
    def test_the_store_passes_the_contract(self, tmp_path: Path) -> None:
        store, contract, _use = pages.blocks(self.PAGE, "python")
        (tmp_path / "test_store.py").write_text(f"{store.text}\n\n{contract.text}", "utf-8")
        (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = strict\n")
        printed = project.pytest("test_store.py", cwd=tmp_path)
        counted = re.search(r"(\d+) passed", printed)
        assert counted
        assert int(counted[1]) >= 80
        assert "skipped" not in printed

    async def test_the_application_keeps_its_sessions_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        *_, last = await pages.run(self.PAGE, monkeypatch)
        settings = Settings.load(overrides={"databases": {}})
        async with served(last["create_app"](settings)) as client:
            await client.sign_in()
            assert (await client.get("/health/ready")).status_code == 200
        (kept,) = json.loads((tmp_path / "sessions.json").read_text("utf-8")).values()
        assert kept["user_id"]
