"""The server accepts connections of every kind, and ends them."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.netutil import bind_unix_socket

from tests.server.http1.sites import (
    answer,
    client_tls,
    connected,
    get,
    run,
    server_tls,
    serving,
    until,
)
from tornkit.server.http1 import HTTPServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.http1.sites import Run

__all__ = ["run"]


class Certificate(tornado.web.RequestHandler):
    def get(self) -> None:
        found: Any = self.request.get_ssl_certificate()
        binary = self.request.get_ssl_certificate(binary_form=True)
        name = dict(pair for (pair,) in found["subject"])["commonName"] if found else "nobody"
        self.write(f"{name} {self.request.protocol} {isinstance(binary, bytes)}")


@pytest.mark.parametrize("certificate", [True, False], ids=["certificate", "none"])
def test_a_handler_sees_the_certificate_of_a_client(run: Run, certificate: bool) -> None:
    async def main() -> None:
        site = tornado.web.Application([("/", Certificate)])
        async with (
            serving(site, ssl_options=server_tls()) as port,
            connected(port, ssl=client_tls(certificate)) as (reader, writer),
        ):
            writer.write(get())
            body = (await answer(reader)).split(b"\r\n\r\n")[1]
            assert body == (
                b"foo.example.com https True" if certificate else b"nobody https False"
            )

    run(main())


def test_what_is_no_tls_is_logged_in_one_line(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        site = tornado.web.Application([("/", Certificate)])
        async with (
            serving(site, ssl_options=server_tls()) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(get())
            assert b"HTTP" not in await reader.read()

    with caplog.at_level(logging.WARNING):
        run(main())
    assert [record.message[:9] for record in caplog.records] == ["SSL Error"]
    assert not caplog.records[0].exc_info


def test_a_unix_socket_has_no_address(run: Run, tmp_path: Path) -> None:
    class Address(tornado.web.RequestHandler):
        def get(self) -> None:
            self.write(str(self.request.remote_ip))

    async def main() -> None:
        server = HTTPServer(tornado.web.Application([("/", Address)]))
        server.add_socket(bind_unix_socket(str(tmp_path / "s")))
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(get())
        assert (await answer(reader)).endswith(b"0.0.0.0")
        writer.close()
        server.stop()
        await server.close_all_connections()

    run(main())


def test_all_connections_are_closed_also_those_that_come(run: Run) -> None:
    async def main() -> None:
        server = HTTPServer(tornado.web.Application(), ssl_options=server_tls())
        server.listen(0, "127.0.0.1")
        (opened,) = server._sockets.values()
        with socket.socket() as client:
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, opened.getsockname())
            await until(lambda: server._arriving)  # it never finishes its handshake
            server.stop()
            await server.close_all_connections()
            assert not server._arriving
            assert not server._connections
            assert await loop.sock_recv(client, 100) == b""

    run(main())


def test_a_connection_is_forgotten_when_it_is_closed(run: Run) -> None:
    async def main() -> None:
        class Count(tornado.web.RequestHandler):
            def get(self) -> None:
                self.write(str(len(server._connections)))

        server = HTTPServer(tornado.web.Application([("/", Count)]))
        server.listen(0, "127.0.0.1")
        (opened,) = server._sockets.values()
        for _ in range(3):
            async with connected(opened.getsockname()[1]) as (reader, writer):
                writer.write(get("/", "Connection: close"))
                assert (await reader.read()).endswith(b"1")
            await until(lambda: not server._connections)
        server.stop()

    run(main())
