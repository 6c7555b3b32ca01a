"""There are as many connections as may be; others wait, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
import tornado.websocket
from tornado.httpclient import HTTPRequest
from tornado.netutil import bind_sockets

from tests.server.http1.sites import answer, connected, get, run, running, server_tls, until
from tornkit.server.draining import DrainingHTTPServer
from tornkit.server.http1 import HTTPServer, accepting
from tornkit.server.http1 import server as http1_server
from tornkit.server.http1.accepting import Acceptor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.server.http1.sites import Run

__all__ = ["run"]


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("hello")


class Held(tornado.web.RequestHandler):
    async def get(self) -> None:
        await asyncio.Event().wait()


class Echo(tornado.websocket.WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


SITE = tornado.web.Application([("/", Hello), ("/held", Held), ("/ws", Echo)])


@contextlib.asynccontextmanager
async def several(
    port: int, number: int
) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(port)) for _ in range(number)]


def test_more_than_may_be_open_wait_for_one_to_end(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with running(SITE, max_connections=3) as (server, port):
            async with several(port, 6) as clients:
                for _, writer in clients:
                    writer.write(get())
                for reader, _ in clients[:3]:
                    await answer(reader)
                waiting = asyncio.create_task(answer(clients[3][0]))
                await asyncio.sleep(0.02)
                assert not waiting.done()
                assert len(server._open) == 3
                clients[0][1].close()
                assert (await asyncio.wait_for(waiting, 0.5)).endswith(b"hello")
                for _, writer in clients[1:3]:
                    writer.close()
                await answer(clients[5][0])
            await until(lambda: not server._open)

    with caplog.at_level(logging.WARNING):
        run(main())
    assert [record.message for record in caplog.records] == [
        "new connections have to wait: 3 are open, which is max_connections"
    ]


@pytest.mark.parametrize("path", ["/", "/held"], ids=["idle", "busy"])
def test_while_it_is_full_idle_connections_make_room(
    run: Run, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1_server, "_IDLE_WHEN_FULL", 0.03)
    monkeypatch.setattr(accepting, "_LOOK_AGAIN", 0.02)

    async def main() -> None:
        async with (
            running(SITE, max_connections=2) as (server, port),
            several(port, 3) as clients,
        ):
            for _, writer in clients[:2]:
                writer.write(get(path))
            await until(lambda: len(server._open) == 2)
            clients[2][1].write(get())
            waiting = asyncio.create_task(answer(clients[2][0]))
            idle = path == "/"
            done, _ = await asyncio.wait([waiting], timeout=2 if idle else 0.15)
            assert bool(done) is idle
            waiting.cancel()

    run(main())


def test_a_server_that_can_be_emptied_counts_them_as_well(run: Run) -> None:
    async def main() -> None:
        async with running(SITE, DrainingHTTPServer, max_connections=1) as (server, port):
            for _ in range(3):
                async with connected(port) as (reader, writer):
                    writer.write(get())
                    assert (await answer(reader)).endswith(b"hello")
                    assert len(server._open) == 1
                await until(lambda: not server._open)

    run(main())


def test_a_websocket_is_a_connection_too(run: Run) -> None:
    async def main() -> None:
        async with running(SITE, max_connections=1) as (server, port):
            url = f"ws://127.0.0.1:{port}/ws"
            client = await tornado.websocket.websocket_connect(HTTPRequest(url))
            async with connected(port) as (reader, writer):
                writer.write(get())
                waiting = asyncio.create_task(answer(reader))
                await asyncio.sleep(0.02)
                assert not waiting.done()
                assert not server._connections
                client.close()
                assert await asyncio.wait_for(waiting, 1)

    run(main())


def test_a_handshake_that_fails_leaves_its_place(run: Run) -> None:
    async def main() -> None:
        options: dict[str, Any] = {"ssl_options": server_tls(), "idle_connection_timeout": 0.05}
        async with running(SITE, max_connections=1, **options) as (server, port):
            for sent in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03"):
                async with connected(port) as (reader, writer):
                    writer.write(sent)
                    assert b"HTTP" not in await reader.read()
                await until(lambda: not server._open)

    run(main())


def test_a_part_of_the_files_that_may_be_open_is_left_to_others(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http1_server, "open_files", lambda: 4)

    async def main() -> None:
        async with running(SITE) as (server, port), several(port, 4):
            await until(lambda: len(server._open) == 3)
            await asyncio.sleep(0.02)
            assert len(server._open) == 3

    with caplog.at_level(logging.WARNING):
        run(main())
    assert caplog.records[0].message == (
        "new connections have to wait: 3 are open, and this process may open 4 files in all"
    )


class Exhausted(socket.socket):
    """A listening socket of a process that has no descriptor left, for a while."""

    tries = 0
    failures = 3

    def accept(self) -> tuple[socket.socket, Any]:
        self.tries += 1
        if self.tries <= self.failures:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def exhausted() -> tuple[Exhausted, int]:
    (plain,) = bind_sockets(0, "127.0.0.1")
    port = plain.getsockname()[1]
    return Exhausted(plain.family, plain.type, plain.proto, plain.detach()), port


def test_a_process_without_descriptors_tries_again_and_does_not_spin(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accepting, "_LOOK_AGAIN", 0.02)

    async def main() -> None:
        listening, port = exhausted()
        server = HTTPServer(SITE)
        server.add_socket(listening)
        async with connected(port) as (reader, writer):
            writer.write(get())
            assert (await answer(reader)).endswith(b"hello")
        assert listening.tries <= 6
        server.stop()
        await server.close_all_connections()

    with caplog.at_level(logging.WARNING):
        run(main())
    (said,) = [record.message for record in caplog.records]
    assert said == "new connections have to wait: [Errno 24] Too many open files"


def test_it_tries_again_when_a_connection_ends(run: Run) -> None:
    async def main() -> None:
        listening, port = exhausted()
        taken: list[socket.socket] = []
        acceptor = Acceptor(lambda each, _: taken.append(each), lambda: None, lambda: None)
        end = acceptor.add(listening)
        async with connected(port):
            for tries in range(1, 4):
                await until(lambda tries=tries: listening.tries == tries)  # type: ignore[misc]
                acceptor.connection_ended()
            await until(lambda: taken)
        end()
        taken[0].close()
        listening.close()

    run(main())


def test_a_server_that_waits_can_be_stopped(run: Run) -> None:
    async def main() -> None:
        listening, port = exhausted()
        listening.failures = 1000
        server = HTTPServer(SITE)
        server.add_socket(listening)
        async with connected(port):
            await until(lambda: listening.tries)
            server.stop()
            await server.close_all_connections()
        assert server._acceptor._timer is None
        assert listening.fileno() == -1

    run(main())


@pytest.mark.slow
def test_a_process_that_really_ran_out_of_descriptors_goes_on(run: Run) -> None:
    resource = pytest.importorskip("resource")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with running(SITE, max_connections=None) as (server, port):
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(socket.socket()) for _ in range(20)]
                soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
                with socket.socket() as lowest:
                    few = max([lowest.fileno(), *(each.fileno() for each in clients)]) + 4
                try:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
                    for client in clients:
                        client.setblocking(False)
                        await loop.sock_connect(client, ("127.0.0.1", port))
                    await until(lambda: server._acceptor._paused)
                    for client in clients:
                        await loop.sock_sendall(client, get())
                        assert (await loop.sock_recv(client, 4096)).endswith(b"hello")
                        client.close()
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    run(main())


@pytest.mark.parametrize("options", [{"max_connections": 0}, {"stall_timeout": -1.0}], ids=str)
def test_limits_that_allow_nothing_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} is .*; expected more than 0, or None"):
        HTTPServer(SITE, **options)
