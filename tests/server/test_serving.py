"""Ports: opened, named in messages, several in one process."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

import pytest
import tornado.web
from tornado.httpclient import AsyncHTTPClient

import tornkit.server
from tornkit import Application, Settings
from tornkit.errors import StartError
from tornkit.server import (
    HTTPServer,
    Options,
    address,
    bind,
    is_uvloop,
    new_event_loop,
    serve,
    start,
)
from tornkit.settings import ServerSettings


class Named(tornado.web.RequestHandler):
    def initialize(self, name: str) -> None:
        self.name = name

    def get(self) -> None:
        self.write(self.name)


class Site(tornado.web.Application):
    """An application that notes when it was started and shut down."""

    def __init__(self, name: str) -> None:
        super().__init__([("/", Named, {"name": name})])
        self.life: list[str] = []

    async def startup(self) -> None:
        self.life.append("startup")

    async def shutdown(self) -> None:
        self.life.append("shutdown")


async def test_several_applications_are_served_each_on_its_port() -> None:
    first, second = Site("first"), Site("second")
    client = AsyncHTTPClient(force_instance=True)
    async with serve([(first, 0), (second, 0)]) as ports:
        bodies = [(await client.fetch(f"http://127.0.0.1:{port}/")).body for port in ports]
        assert first.life == second.life == ["startup"]
    client.close()
    assert bodies == [b"first", b"second"]
    assert first.life == second.life == ["startup", "shutdown"]


class Plain(tornado.web.Application):
    """Somebody's own, with names that mean something else there."""

    def __init__(self) -> None:
        super().__init__([("/", Named, {"name": "plain"})])
        self.config = {"port": 1}

    def startup(self) -> None:
        raise AssertionError("nobody asked for this")

    shutdown = startup


async def test_a_plain_application_and_a_site_share_a_process(tmp_path: Path) -> None:
    overrides = {"session.store": "memory://", "databases": {}}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    site = Application(settings, modules=[])
    client = AsyncHTTPClient(force_instance=True)

    async def asked(port: int, path: str) -> tuple[int, bytes]:
        answer = await client.fetch(f"http://127.0.0.1:{port}{path}", raise_error=False)
        return answer.code, answer.body

    options = Options.of(settings.server)
    async with serve([(Plain(), 0), (site, 0)], options=options) as (plain_port, site_port):
        assert await asked(plain_port, "/") == (200, b"plain")
        assert await asked(plain_port, "/health/live") == (404, (await asked(plain_port, "/x"))[1])
        assert (await asked(site_port, "/health/ready"))[0] == 200
        assert (await asked(site_port, "/"))[0] == 404
    client.close()
    assert (await site.health()).draining


@pytest.mark.parametrize(
    ("engine", "kind"), [(None, HTTPServer), ("tornkit", HTTPServer), ("tornado", None)]
)
async def test_our_own_server_is_the_default(
    engine: Literal["tornkit", "tornado"] | None, kind: type | None
) -> None:
    options = None if engine is None else Options(engine=engine)
    server = start(Site("x"), [], options)
    assert isinstance(server, HTTPServer) is (kind is HTTPServer)


async def test_the_limits_of_options_are_those_of_the_server() -> None:
    server = start(Site("x"), [], Options(stall_timeout=7.0, max_connections=9, body_timeout=8.0))
    assert isinstance(server, HTTPServer)
    assert (server.stall_timeout, server.max_connections) == (7.0, 9)
    assert server.conn_params.body_timeout == 8.0


def test_options_are_read_from_settings(tmp_path: Path) -> None:
    given = {
        "server.engine": "tornado",
        "server.idle_timeout": 5,
        "server.trusted_proxies": ["::1"],
    }
    settings = Settings.load("testing", project_dir=tmp_path, overrides=given)
    options = Options.of(settings.server)
    assert (options.engine, options.idle_timeout) == ("tornado", 5)
    assert options.trusted_proxies == ["::1"]
    assert Options.of(Settings.load("testing", project_dir=tmp_path).server) == replace(
        Options(), trusted_proxies=[]
    )


@pytest.mark.parametrize("name", Options.__dataclass_fields__)
def test_every_option_is_a_setting(name: str) -> None:
    assert name in ServerSettings.model_fields


@pytest.mark.parametrize(
    "name", [*tornkit.server.__all__, *(each.name for each in fields(Options))]
)
def test_every_public_name_and_option_is_in_the_reference(name: str) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "server.md"
    assert re.search(rf"`(await )?{name}\b", page.read_text("utf-8"))


async def test_a_port_in_use_shuts_down_what_was_started() -> None:
    site = Site("x")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartError) as caught:
            async with serve([(site, taken.getsockname()[1])]):
                pytest.fail("it was served")
    assert caught.value.check_id == "server.port"
    assert site.life == ["startup", "shutdown"]


@pytest.mark.parametrize(
    ("host", "words"),
    [("no.such.host.invalid", "no address of this machine"), ("192.0.2.1", "no address")],
)
def test_a_host_that_is_not_ours_is_named(host: str, words: str) -> None:
    with pytest.raises(StartError) as caught:
        bind(host, 0)
    assert words in str(caught.value)
    assert "--host" in caught.value.hint


def test_a_port_that_needs_more_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:  # root, whom CI may run as, is refused nothing
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tornkit.server.binding._open", refuse)
    with pytest.raises(StartError) as caught:
        bind("127.0.0.1", 80)
    assert "port 80" in caught.value.message
    assert "1024" in caught.value.hint


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_the_address_has_the_real_port(host: str, shown: str) -> None:
    sockets = bind(host, 0)
    port = sockets[0].getsockname()[1]
    assert address(sockets, host) == f"http://{shown}:{port}"
    for each in sockets:
        each.close()


def test_tornado_works_on_the_loop_that_servers_run_on() -> None:
    async def work() -> bytes:
        client = AsyncHTTPClient(force_instance=True)
        async with serve([(Site("uvloop"), 0)]) as ports:
            body = (await client.fetch(f"http://127.0.0.1:{ports[0]}/")).body
        client.close()
        return body

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(work()) == b"uvloop"
        assert is_uvloop(runner.get_loop())
    with asyncio.Runner() as runner:
        assert not is_uvloop(runner.get_loop())
