"""What the guide to several databases promises, with real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tornado.web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tests.databases.mongo_server import MongoServer
from tests.docs import pages
from tests.docs.test_how_to import served
from tests.sessions.redis_server import RedisServer
from tornkit import Application, Settings

if TYPE_CHECKING:
    from pathlib import Path

PAGE = pages.DOCS / "how-to" / "use-several-databases.md"


class Weather(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write({"sun": self.get_argument("city") == "Ulm"})


@pytest.mark.slow
async def test_its_handlers_reach_what_they_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *_, last = await pages.run(PAGE, monkeypatch)
    listening, port = bind_unused_port()
    weather = HTTPServer(tornado.web.Application([("/v1/today", Weather)]))
    weather.add_socket(listening)
    with RedisServer() as redis, MongoServer() as mongo:
        settings = Settings.load(
            "testing",
            project_dir=tmp_path,
            overrides={
                "databases.archive": f"sqlite:///{tmp_path}/archive.db",
                "databases.catalog": mongo.url,
                "databases.counters": redis.url,
                "databases.weather": f"http://127.0.0.1:{port}/v1",
            },
        )
        app = Application(settings, modules=[last["module"]])
        async with served(app) as client:
            async with app.databases.sql["archive"].connect(write=True) as connection:
                await connection.run_sync(last["ArchiveBase"].metadata.create_all)
            async with app.db("archive") as session:
                session.add(last["Report"](year=1999, text="Good."))
            assert (await client.get("/school/reports/1999")).json()["reports"] == ["Good."]
            assert (await client.post("/school/visits")).json()["number"] == 1
            found = (await client.get("/school/today")).json()
            assert found == {"code": 0, "message": "", "visits": "1", "weather": {"sun": True}}
    weather.stop()
    await weather.close_all_connections()
