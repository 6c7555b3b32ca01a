"""A server that stops says goodbye to its WebSockets, in bytes, on each event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.websocket import WebSocketHandler, WebSocketProtocol, WebSocketProtocol13

from tests.cli.processes import Running
from tests.server.http1.sites import client_tls, run, until
from tests.server.raw_websockets import (
    BINARY,
    DEFLATE,
    Client,
    Frame,
    Recorder,
    close,
    connected,
    recording,
    request,
    site,
    text,
)
from tests.server.test_draining_tls import serving_tls
from tornkit.server import DrainingServer, Options, bind, draining, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.http1.sites import Run

__all__ = ["run"]

GOODBYE = Frame(0x88, b"\x03\xe9the server is going away")


@contextlib.asynccontextmanager
async def serving(application: Any) -> AsyncIterator[tuple[DrainingServer, int]]:
    """Serve inside the block; give the server and its port."""
    sockets = bind("127.0.0.1", 0)
    server = start(application, sockets, Options())
    try:
        yield server, sockets[0].getsockname()[1]
    finally:
        await server.drain(0)


async def wait_for_ever(*args: Any) -> None:
    await asyncio.Event().wait()


def raise_(*args: Any) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("headers", [(), (DEFLATE,)], ids=["plain", "compressed"])
def test_a_websocket_is_told_that_the_server_goes_away(run: Run, headers: tuple[str, ...]) -> None:
    handler, seen = recording(get_compression_options=lambda self: {})

    async def main() -> None:
        async with (
            serving(site(handler)) as (server, port),
            connected(port, "/", *headers) as client,
        ):
            stopping = asyncio.create_task(server.drain(8))
            assert await client.receive() == GOODBYE
            client.send(text("sent before the close was read"), close(1001))
            assert await client.rest() == []
            assert await stopping == 0
            # on_close() has run by now: what a site needs for it is closed next.
            assert seen == ["open", "sent before the close was read", ("close", 1001, None)]

    run(main())


async def take_leave(client: Client) -> None:
    """Answer the server's goodbye as clients do; nothing else comes."""
    assert await client.receive() == GOODBYE
    client.send(close(1001))
    assert await client.rest() == []


def test_a_websocket_over_tls_is_told_so_too(run: Run) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with (
            serving_tls(site(handler)) as (server, port),
            connected(port, tls=client_tls()) as client,
        ):
            stopping = asyncio.create_task(server.drain(8))
            await take_leave(client)
            assert await stopping == 0
            assert seen == ["open", ("close", 1001, None)]

    run(main())


def test_a_websocket_that_does_not_answer_is_cut_in_the_end(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            began = asyncio.get_running_loop().time()
            assert await server.drain(0.1) == 0
            assert 0.1 <= asyncio.get_running_loop().time() - began < 1
            assert seen == ["open", ("close", None, None)]
            assert await client.rest() == [GOODBYE]
            assert "1 WebSockets did not close in time and were cut off" in caplog.text

    with caplog.at_level(logging.INFO):
        run(main())


def test_who_does_not_answer_is_not_waited_for_as_long_as_requests_are(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_FAREWELL", 0.1)
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port):
            began = asyncio.get_running_loop().time()
            assert await server.drain(9) == 0
            assert 0.1 <= asyncio.get_running_loop().time() - began < 2
            assert seen == ["open", ("close", None, None)]

    run(main())


@pytest.mark.slow
def test_a_client_may_answer_until_the_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "_FAREWELL", 9)
    handler, seen = recording(on_message=lambda self, message: self.close())

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            stopping = asyncio.create_task(server.drain(9))
            assert await client.receive() == GOODBYE
            client.send(text("close"))  # which begins nothing anew
            await asyncio.sleep(5.5)  # Tornado gives up after five seconds
            client.send(close(1001))
            assert await client.rest() == []
            assert await stopping == 0
            assert seen == ["open", ("close", 1001, None)]

    run(main())


def test_what_waits_for_a_slow_reader_comes_first(run: Run) -> None:
    message = bytes(20_000)

    def open_(self: Recorder) -> None:
        for _ in range(500):
            self.write_message(message, binary=True)

    handler, seen = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            stopping = asyncio.create_task(server.drain(8))
            for number in range(500):
                assert await client.receive() == Frame(0x80 | BINARY, message)
                if number % 100 == 0:
                    await asyncio.sleep(0.01)
                    assert not stopping.done()
            assert await client.receive() == GOODBYE
            client.send(close(1001))
            assert await stopping == 0
            assert seen == [("close", 1001, None)]

    run(main())


def test_a_reader_that_takes_nothing_is_cut_in_the_end(run: Run) -> None:
    def open_(self: Recorder) -> None:
        self.write_message(bytes(20 * 1024 * 1024), binary=True)

    handler, seen = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            assert await server.drain(0.05) == 0
            assert seen == [("close", None, None)]
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.receive()

    run(main())


@pytest.mark.parametrize("how", ["reset", "eof"])
def test_clients_that_die_while_the_server_stops_are_not_waited_for(run: Run, how: str) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            stopping = asyncio.create_task(server.drain(8))
            assert await client.receive() == GOODBYE
            if how == "reset":
                client.reset()
            else:
                client.writer.write_eof()
            assert await asyncio.wait_for(stopping, 4) == 0
            assert seen == ["open", ("close", None, None)]

    run(main())


def test_a_websocket_that_is_closing_is_told_once(run: Run) -> None:
    handler, seen = recording(on_message=lambda self, message: self.close(4000, "enough"))

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            client.send(text("close"))
            assert await client.receive() == Frame(0x88, b"\x0f\xa0enough")
            stopping = asyncio.create_task(server.drain(8))
            await asyncio.sleep(0.02)
            client.send(close(4000))
            assert await client.rest() == []
            assert await stopping == 0
            assert seen == ["open", ("close", 4000, None)]

    run(main())


def test_a_handshake_under_way_is_finished_before_the_goodbye(run: Run) -> None:
    async def main() -> None:
        started, go = asyncio.Event(), asyncio.Event()

        async def prepare(self: Recorder) -> None:
            started.set()
            await go.wait()

        def open_(self: Recorder) -> None:
            self.write_message("hello")

        handler, seen = recording(prepare=prepare, open=open_)
        async with serving(site(handler)) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request())
            await started.wait()
            stopping = asyncio.create_task(server.drain(8))
            await asyncio.sleep(0.02)
            go.set()
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            assert b"\r\nConnection: Upgrade\r\n" in head
            client = Client(reader, writer)
            assert await client.receive() == Frame(0x81, b"hello")
            await take_leave(client)
            assert await stopping == 0
            assert seen == [("close", 1001, None)]
            writer.close()

    run(main())


def test_a_handshake_that_never_ends_is_cut(run: Run) -> None:
    async def main() -> None:
        handler, _ = recording(prepare=wait_for_ever)
        async with serving(site(handler)) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request())
            await until(lambda: server.in_flight)
            assert await server.drain(0.05) == 1
            assert await reader.read() == b""
            writer.close()

    run(main())


@pytest.mark.parametrize("method", ["open", "on_message"])
def test_a_handler_that_is_busy_holds_nothing_up(
    run: Run, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(draining, "_TELL_GRACE", 0.05)
    handler, _ = recording(**{method: wait_for_ever})

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            client.send(text("hello"))
            await asyncio.sleep(0.02)
            began = asyncio.get_running_loop().time()
            assert await server.drain(0.05) == 0
            assert asyncio.get_running_loop().time() - began < 1
            assert await client.rest() == [GOODBYE]

    run(main())


def test_an_on_close_that_raises_is_logged_and_the_others_run(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    class Fails(WebSocketHandler):
        def on_close(self) -> None:
            seen.append(1)
            raise ZeroDivisionError

    async def main() -> None:
        async with serving(site(Fails)) as (server, port), contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(port)) for _ in range(3)]
            stopping = asyncio.create_task(server.drain(8))
            for client in clients:
                assert await client.receive() == GOODBYE
                client.send(close(1001))
            assert await stopping == 0
            assert seen == [1, 1, 1]
        assert caplog.text.count("ZeroDivisionError") >= 3

    run(main())


def test_others_have_their_turn_while_many_are_told(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_AT_ONCE", 5)
    handler, _ = recording()

    async def main() -> None:
        async with serving(site(handler)) as (server, port), contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(port)) for _ in range(15)]
            assert isinstance(server, draining.DrainingHTTPServer)
            counts: set[int] = set()
            stopping = asyncio.create_task(server.drain(8))
            while len(server._leaving) < 15:
                counts.add(len(server._leaving))
                await asyncio.sleep(0)
            assert counts >= {5, 10}
            for client in clients:
                assert await client.receive() == GOODBYE
                client.send(close(1001))
            assert await stopping == 0

    run(main())


def test_a_protocol_of_the_applications_own_is_told_so_too(run: Run) -> None:
    class Own(WebSocketProtocol13):
        pass

    def own(self: Recorder) -> WebSocketProtocol:
        standard = WebSocketHandler.get_websocket_protocol(self)
        assert isinstance(standard, WebSocketProtocol13)
        return Own(self, False, standard.params)

    handler, seen = recording(get_websocket_protocol=own)

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            stopping = asyncio.create_task(server.drain(8))
            await take_leave(client)
            assert await stopping == 0
            assert seen == ["open", ("close", 1001, None)]

    run(main())


def test_a_protocol_that_fails_to_say_goodbye_is_cut(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(WebSocketProtocol13):
        def is_closing(self) -> bool:
            raise ZeroDivisionError

    def broken(self: Recorder) -> WebSocketProtocol:
        standard = WebSocketHandler.get_websocket_protocol(self)
        assert isinstance(standard, WebSocketProtocol13)
        return Broken(self, False, standard.params)

    handler, seen = recording(get_websocket_protocol=broken)

    async def main() -> None:
        async with serving(site(handler)) as (server, port), connected(port) as client:
            assert await server.drain(0.05) == 0
            assert await client.rest() == []
            assert seen == ["open", ("close", None, None)]
        assert "ZeroDivisionError" in caplog.text

    run(main())


def test_a_connection_that_speaks_something_else_is_not_waited_for(run: Run) -> None:
    class Other(tornado.web.RequestHandler):
        def get(self) -> None:
            self._auto_finish = False
            assert self.request.connection is not None
            stream = self.request.connection.detach()  # type: ignore[attr-defined]
            stream.write(b"something else")

    async def main() -> None:
        async with serving(tornado.web.Application([("/", Other)])) as (server, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request())
            assert await reader.readexactly(14) == b"something else"
            assert await asyncio.wait_for(server.drain(8), 4) == 0
            assert await reader.read() == b""
            writer.close()

    run(main())


ECHO = """
import tornado.web, tornado.websocket

class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)

    def on_close(self):
        print("CLOSED", self.close_code, flush=True)

def create_app():
    return tornado.web.Application([("/", Echo)])
"""


@pytest.mark.slow
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "silent"])
def test_tornkit_run_says_goodbye(tmp_path: Path, answers: bool) -> None:
    (tmp_path / "echo_app.py").write_text(ECHO)
    arguments = ["run", "--app", "echo_app:create_app", "--port", "0", "--no-reload"]
    patience = {"TORNKIT_SERVER__SHUTDOWN_TIMEOUT": "8" if answers else "1"}

    async def main(running: Running, port: int) -> None:
        async with connected(port) as client:
            client.send(text("hello"))
            assert await client.message() == b"hello"
            running.process.send_signal(signal.SIGTERM)
            assert await client.receive() == GOODBYE
            if answers:
                client.send(close(1001))
            assert await client.rest() == []

    with Running(*arguments, cwd=tmp_path, **patience) as running:
        port = int(running.wait_for(r"Serving on .*:(\d+)").group(1))
        asyncio.run(asyncio.wait_for(main(running, port), 20))
        running.wait_for("CLOSED 1001" if answers else "CLOSED None")
        assert running.process.wait(10) == 0
