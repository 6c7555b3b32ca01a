"""Answers leave in fewer steps than Tornado's, and are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.websocket import WebSocketHandler, websocket_connect

from tests.routing.requests import request
from tornkit import PUBLIC, BaseHandler, Module, path
from tornkit.routing import RoutedApplication

if TYPE_CHECKING:
    from pathlib import Path

    from tests.handlers.conftest import StartSite
    from tornkit.testing import Client


class Json(BaseHandler):
    async def get(self) -> None:
        self.response_json(hello="world")


class Page(BaseHandler):
    async def get(self) -> None:
        self.response("<p>hello", "text/html; charset=utf-8")


async def site(start: StartSite, *handlers: type[BaseHandler]) -> Client:
    routes = [path(f"/{each.__name__.lower()}", each) for each in handlers]
    return await start(Module(name="home", access=PUBLIC, routes=routes))


async def test_pages_have_a_tag_json_only_if_asked(start: StartSite) -> None:
    class Asked(Json):
        uses_etag = True

    class ByHand(BaseHandler):
        async def get(self) -> None:
            self.write({"hello": "world"})
            self.set_etag_header()
            if self.check_etag_header():
                self._write_buffer.clear()
                self.set_status(304)

    class Never(Page):
        uses_etag = False

    client = await site(start, Json, Page, Asked, ByHand, Never)
    for name, has_tag in [("json", 0), ("page", 1), ("asked", 1), ("byhand", 1), ("never", 0)]:
        answer = await client.get(f"/{name}")
        assert ("Etag" in answer.headers) == bool(has_tag), name
        assert answer.headers["Content-Length"] == str(len(answer.content))
        known = {"If-None-Match": answer.headers.get("Etag", '"x"')}
        again = await client.get(f"/{name}", headers=known)
        assert again.status_code == (304 if has_tag else 200), name
        assert ("Content-Type" in again.headers) == (not has_tag), name
        head = await client.head(f"/{name}")
        assert head.headers.get("Etag") == answer.headers.get("Etag")
        assert head.headers["Content-Length"] == str(len(answer.content))
        assert not head.content


async def test_a_flush_of_the_handlers_own_is_called_by_finish(start: StartSite) -> None:
    class Own(Json):
        def flush(self, include_footers: bool = False) -> Any:
            self.set_header("X-Flushed", str(include_footers))
            return super().flush(include_footers)

    class Heir(Own):
        pass

    client = await site(start, Own, Heir)
    for name in ("own", "heir"):
        answer = await client.get(f"/{name}")
        assert answer.headers["X-Flushed"] == "True"
        assert answer.json()["hello"] == "world"


async def test_a_body_where_none_may_be_is_an_error(start: StartSite) -> None:
    class Nothing(BaseHandler):
        async def get(self) -> None:
            self.response("x", "text/plain", 204)

    class Empty(BaseHandler):
        async def get(self) -> None:
            self.set_status(204)

    client = await site(start, Nothing, Empty)
    assert (await client.get("/nothing")).status_code == 500
    answer = await client.get("/empty")
    assert answer.status_code == 204
    assert not {"Content-Type", "Content-Length", "Etag"} & {*map(str.title, answer.headers)}


async def test_compressed_answers_go_tornados_way(start: StartSite) -> None:
    class Long(BaseHandler):
        async def get(self) -> None:
            self.response("<p>" + "hello " * 1000, "text/html; charset=utf-8")

    client = await start(
        Module(name="home", access=PUBLIC, routes=[path("/", Long)]), compress_response=True
    )
    answer = await client.get("/")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.text == "<p>" + "hello " * 1000


class Shout(tornado.web.UIModule):
    def render(self, word: str) -> str:
        return word.upper()


def test_tornados_templates_have_their_modules_and_methods(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        "{% module Shout('a') %}{{ low('B') }}{{ modules.Shout('c') }}"
    )

    class Tornado(BaseHandler):
        def get(self) -> None:
            self.render("page.html")

    application = RoutedApplication(
        [path("/", Tornado)],
        template_path=str(tmp_path),
        ui_modules={"Shout": Shout},
        ui_methods={"low": lambda handler, text: text.lower()},
    )
    asked = request("/")

    class Connection:
        def set_close_callback(self, callback: Any) -> None: ...

    asked.connection = Connection()  # type: ignore[assignment]
    handler = Tornado(application, asked)
    assert handler.render_string("page.html") == b"AbC"
    assert handler.ui is handler.ui
    handler._break_cycles()
    assert handler._ui is None


@pytest.mark.parametrize("status", [200, 201, 404])
async def test_the_status_of_an_answer_is_the_one_given(start: StartSite, status: int) -> None:
    class Own(BaseHandler):
        async def get(self) -> None:
            self.set_status(418, "Other")
            self.response_json(status_code=status)

    answer = await (await site(start, Own)).get("/own")
    assert (answer.status_code, answer.reason_phrase) != (200, "Other")
    assert answer.status_code == status


class Noted:
    """A mixin that begins in its own way."""

    noted = False

    def __init__(self) -> None:
        super().__init__()
        self.noted = True


async def test_classes_behind_ours_begin_as_they_would_behind_tornados(start: StartSite) -> None:
    class Mixed(BaseHandler, Noted):
        async def get(self) -> None:
            self.ui = {"own": True}  # type: ignore[assignment]  # as Tornado lets it be
            self.response_json(noted=self.noted, ui=self.ui)

    class Socket(BaseHandler, WebSocketHandler):
        def prepare(self) -> None:
            assert self.ws_connection is None

        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(message)

    client = await site(start, Mixed, Socket)
    found = (await client.get("/mixed")).json()
    assert (found["noted"], found["ui"]) == (True, {"own": True})
    url = f"{client.base_url}".replace("http:", "ws:")
    connection = await websocket_connect(f"{url}/socket")
    await connection.write_message("hello")
    assert await connection.read_message() == "hello"
    connection.close()
    assert await connection.read_message() is None


async def test_a_tag_of_the_handlers_own_is_sent_with_json_too(start: StartSite) -> None:
    class Own(Json):
        def compute_etag(self) -> str:
            return '"v1"'

    class Adopted(tornado.web.RequestHandler):
        def get(self) -> None:
            self.write({"hello": "world"})

    client = await start(
        Module(name="home", access=PUBLIC, routes=[path("/own", Own), ("/adopted", Adopted)])
    )
    for name in ("own", "adopted"):
        answer = await client.get(f"/{name}")
        known = {"If-None-Match": answer.headers["Etag"]}
        assert (await client.get(f"/{name}", headers=known)).status_code == 304
