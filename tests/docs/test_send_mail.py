"""The guide to mail keeps what it promises."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tests.docs import pages
from tests.docs.test_how_to import served
from tornkit import PUBLIC, Application, Module, Settings, path
from tornkit.errors import MailError
from tornkit.mail import Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.testing import Client

PAGE = pages.DOCS / "how-to" / "send-mail.md"


@pytest.fixture
async def guide(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return (await pages.run(PAGE, monkeypatch))[-1]


@pytest.fixture
async def client(guide: dict[str, Any], tmp_path: Path) -> AsyncIterator[Client]:
    overrides = {"session.store": "memory://"}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    routes = [path(f"/{name}", guide[name.title()]) for name in ("invite", "remind")]
    home = Module(name="home", access=PUBLIC, routes=routes)
    async with served(Application(settings, modules=[home])) as client:
        yield client


async def test_the_test_of_the_guide_passes(guide: dict[str, Any], client: Client) -> None:
    await guide["test_an_invitation_is_sent"](client, client.application)


async def test_what_is_no_address_is_a_422(client: Client) -> None:
    assert (await client.post("/invite", data={"email": "ann@b,eve@c"})).status_code == 422
    assert client.application.mailer.outbox == []


async def test_a_reminder_goes_to_known_addresses_and_the_answer_is_the_same(
    client: Client,
) -> None:
    answers = [
        (await client.post("/remind", data={"email": f"{name}@school.example"})).content
        for name in ("ann", "eve")
    ]
    await client.application.mailer.drain()
    assert answers[0] == answers[1]
    assert [mail.to for mail in client.application.mailer.outbox] == ["ann@school.example"]


async def test_a_service_over_http_is_a_transport(guide: dict[str, Any]) -> None:
    taken: list[Any] = []

    class Taking(tornado.web.RequestHandler):
        def post(self) -> None:
            taken.append((self.request.headers["Authorization"], json.loads(self.request.body)))

    listening, port = bind_unused_port()
    server = HTTPServer(tornado.web.Application([("/send", Taking)]))
    server.add_socket(listening)
    message = Message(["ann@school.example"], "Hello", "Text")
    await guide["Service"](f"http://127.0.0.1:{port}/send", "key").deliver(message, "a@b.example")
    with pytest.raises(MailError, match="404"):
        await guide["Service"](f"http://127.0.0.1:{port}/no", "key").deliver(message, "a@b")
    server.stop()
    await server.close_all_connections()
    assert taken[0][0] == "Bearer key"
    assert taken[0][1]["to"] == ["ann@school.example"]
