"""Ports: opened, named in messages, several in one process."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
import tornado.web
from tornado.httpclient import AsyncHTTPClient

from tornkit.errors import StartError
from tornkit.server import address, bind, new_event_loop, serve


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
        assert type(runner.get_loop()).__module__.startswith("uvloop")
