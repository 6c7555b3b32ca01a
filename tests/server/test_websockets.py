"""A WebSocket on our HTTP server hands messages on in order, and waits where it has to."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
from typing import TYPE_CHECKING, Any

import pytest
import tornado.gen
import tornado.httpserver
import tornado.web
from tornado.netutil import bind_sockets
from tornado.testing import bind_unused_port
from tornado.websocket import (
    WebSocketHandler,
    WebSocketProtocol13,
    websocket_connect,
)

import tornkit
from tests.server.http1.sites import client_tls, run, server_tls, serving, until
from tests.server.raw_websockets import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Echo,
    Frame,
    Recorder,
    Waiting,
    close,
    closed,
    connected,
    frame,
    recording,
    site,
    text,
)
from tornkit import PUBLIC, Application, Module, Settings, logs, path
from tornkit.server import http1
from tornkit.server.websockets.protocol import WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.server.http1.sites import Run

__all__ = ["run"]


def test_it_is_ours_on_our_server_and_tornados_on_tornados(run: Run) -> None:
    kinds = []

    class Handler(WebSocketHandler):
        def open(self) -> None:
            kinds.append(type(self.ws_connection))
            self.close()

    async def main() -> None:
        async with serving(site(Handler)) as port, connected(port) as client:
            await client.receive()
        server = tornado.httpserver.HTTPServer(site(Handler))
        server.add_sockets(sockets := bind_sockets(0, "127.0.0.1"))
        async with connected(sockets[0].getsockname()[1]) as client:
            await client.receive()
        server.stop()
        assert kinds == [WebSocket, WebSocketProtocol13]

    run(main())


def test_a_protocol_of_the_applications_own_is_left_alone(run: Run) -> None:
    class Protocol(WebSocketProtocol13):
        def write_message(self, message: Any, binary: bool = False) -> Any:
            return super().write_message(message.upper(), binary)

    class Handler(Echo):
        def get_websocket_protocol(self) -> Protocol:
            ours = super().get_websocket_protocol()
            assert isinstance(ours, WebSocketProtocol13)
            return Protocol(self, False, ours.params)

    async def main() -> None:
        async with serving(site(Handler)) as port, connected(port) as client:
            client.send(text("hello"))
            assert await client.message() == b"HELLO"

    run(main())


def test_other_upgrades_are_none_of_its_business(run: Run) -> None:
    class Handler(tornado.web.RequestHandler):
        async def get(self) -> None:
            stream = self.detach()
            await stream.write(b"HTTP/1.1 101 x\r\n\r\n" + await stream.read_bytes(5))

    async def main() -> None:
        application = tornado.web.Application([("/", Handler)])
        async with serving(application) as port, connected(port, first=b"hello") as client:
            assert await client.reader.readexactly(5) == b"hello"

    run(main())


def test_a_server_without_keep_alive_has_websockets_too(run: Run) -> None:
    async def main() -> None:
        async with serving(site(Echo), no_keep_alive=True) as port, connected(port) as client:
            client.send(text("hello"))
            assert await client.message() == b"hello"

    run(main())


def test_messages_of_every_size_and_kind_come_back(run: Run) -> None:
    sizes = (0, 1, 125, 126, 65535, 65536, 300_000)
    messages = [b"\xff" * size for size in sizes] + ["é" * size for size in sizes]

    async def main() -> None:
        async with serving(site(Echo)) as port:
            client = await websocket_connect(f"ws://127.0.0.1:{port}/")
            for message in messages:
                await client.write_message(message, binary=isinstance(message, bytes))
                assert await client.read_message() == message
            client.close()

    run(main())


def test_over_tls(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(site(Echo), ssl_options=server_tls()) as port,
            connected(port, tls=client_tls()) as client,
        ):
            client.send(frame(BINARY, b"x" * 200_000), text("second"))
            assert await client.message() == b"x" * 200_000
            assert await client.message() == b"second"
            client.send(frame(3))
            assert await client.rest() == [
                Frame(0x88, b"\x03\xeathe type of a frame is not defined")
            ]

    run(main())


def test_a_message_in_pieces_with_a_ping_between_them(run: Run) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(frame(TEXT, b"\xc3", final=False), frame(PING, b"now"))
            assert await client.receive() == Frame(0x8A, b"now")
            client.send(frame(CONTINUATION, b"\xa9", final=False), frame(PONG))
            client.send(frame(CONTINUATION, b"n"), frame(BINARY), close())
            await client.rest()
            await closed(seen)
        assert seen == [
            "open",
            ("ping", b"now"),
            ("pong", b""),
            "én",
            b"",
            ("close", 1000, None),
        ]

    run(main())


def test_what_comes_with_the_handshake_waits_for_open(run: Run) -> None:
    opened = asyncio.Event()

    async def open_(self: Recorder) -> None:
        await opened.wait()
        self.seen.append("opened")

    handler, seen = recording(open=open_)

    async def main() -> None:
        first = text("first")
        async with serving(site(handler)) as port, connected(port, first=first) as client:
            client.send(text("second"), close())
            await until(lambda: True)
            opened.set()
            await closed(seen)
        assert seen == ["opened", "first", "second", ("close", 1000, None)]

    opened = asyncio.Event()
    run(main())


def test_messages_wait_for_the_handler_of_the_one_before(run: Run) -> None:
    seen: list[Any] = []

    async def main() -> None:
        go = asyncio.Semaphore(0)
        application = tornado.web.Application([("/", Waiting, {"seen": seen, "go": go})])
        async with serving(application) as port, connected(port) as client:
            client.send(text("a"), text("b"), frame(PONG), frame(PING))
            await until(lambda: len(seen) == 2)
            client.send(text("c"), close())
            for _ in range(5):
                go.release()
            await closed(seen)
        names = ["a", "b", b"pong", b"ping", "c"]
        steps = [(step, name) for name in names for step in ("begin", "end")]
        assert seen == ["open", *steps, ("close", 1000, None)]

    run(main())


def test_a_client_waits_while_the_handler_does(run: Run) -> None:
    seen: list[Any] = []
    size = 8 * 1024 * 1024

    async def main() -> None:
        go = asyncio.Semaphore(0)
        application = tornado.web.Application([("/", Waiting, {"seen": seen, "go": go})])
        async with serving(application) as port, connected(port) as client:
            for _ in range(3):
                client.send(frame(BINARY, bytes(size), mask=bytes(4)))
            await until(lambda: len(seen) == 2)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.writer.drain(), 0.05)
            for _ in range(3):
                go.release()
            for _ in range(3):
                assert len(await client.message()) == size

    run(main())


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(
            lambda self, message: self.write_message(message), id="a future that is done"
        ),
        pytest.param(lambda self, message: [self.write_message(message)], id="a list of futures"),
        pytest.param(
            lambda self, message: self.pool.submit(
                asyncio.get_running_loop().call_soon_threadsafe, self.write_message, message
            ),
            id="a future of a thread",
        ),
        pytest.param(
            tornado.gen.coroutine(lambda self, message: self.write_message(message)),
            id="a coroutine of Tornado's",
        ),
    ],
)
def test_a_handler_may_return_what_tornado_can_wait_for(
    run: Run, result: Callable[[Any, Any], Any]
) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        handler, _ = recording(on_message=result, pool=pool)

        async def main() -> None:
            async with serving(site(handler)) as port, connected(port) as client:
                for message in ("one", "two"):
                    client.send(text(message))
                    assert await client.message() == message.encode()

        run(main())


def test_handlers_run_in_the_context_of_their_request(run: Run) -> None:
    name = contextvars.ContextVar("name", default="nobody")
    seen: list[str] = []

    class Handler(WebSocketHandler):
        def prepare(self) -> None:
            name.set("prepared")

        def open(self) -> None:
            seen.append(name.get())
            name.set("opened")

        async def on_pong(self, data: bytes) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            seen.append(name.get())
            name.set("ponged")  # a task has a context of its own

        def on_message(self, message: str | bytes) -> None:
            seen.append(name.get())
            name.set(str(message))

        def on_close(self) -> None:
            seen.append("closed")

    async def main() -> None:
        first = text("one")
        async with serving(site(Handler)) as port, connected(port, first=first) as client:
            await until(lambda: len(seen) == 2)
            client.send(text("two"), frame(PONG), text("three"), close())
            await until(lambda: "closed" in seen)
        assert seen == ["prepared", "opened", "one", "two", "two", "closed"]

    run(main())


def test_the_loops_task_factory_is_respected(run: Run) -> None:
    made = []

    def factory(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coroutine)
        options.pop("eager_start", None)
        return asyncio.Task(coroutine, loop=loop, **options)

    class Handler(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(message)

    async def main() -> None:
        async with serving(site(Handler)) as port, connected(port) as client:
            asyncio.get_running_loop().set_task_factory(factory)
            client.send(text("hello"))
            assert await client.message() == b"hello"
            assert [each.__name__ for each in made] == ["on_message"]

    run(main())


def test_many_messages_at_once_let_others_have_their_turn(run: Run) -> None:
    async def main() -> None:
        turns = 0
        handler, seen = recording()

        async def count() -> None:
            nonlocal turns
            while not seen or seen[-1][0] != "close":
                turns += 1
                await asyncio.sleep(0)

        async with serving(site(handler)) as port, connected(port) as client:
            client.send(text("x") * 5000, close())
            await count()
        assert seen == ["open", *["x"] * 5000, ("close", 1000, None)]
        assert turns > 15

    run(main())


def test_what_may_be_sent(run: Run) -> None:
    def open_(self: Recorder) -> None:
        self.write_message("text")
        self.write_message(b"bytes as text")
        self.write_message("text as bytes", binary=True)
        self.write_message({"a": [1]})
        with pytest.raises(TypeError):
            self.write_message(1)  # type: ignore[arg-type]

    handler, _ = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            assert [await client.receive() for _ in range(4)] == [
                Frame(0x81, b"text"),
                Frame(0x81, b"bytes as text"),
                Frame(0x82, b"text as bytes"),
                Frame(0x81, b'{"a": [1]}'),
            ]

    run(main())


def test_what_it_knows_of_itself(run: Run) -> None:
    seen: list[Any] = []

    class Handler(Echo):
        def select_subprotocol(self, subprotocols: list[str]) -> str | None:
            return subprotocols[-1]

        def on_message(self, message: str | bytes) -> None:
            super().on_message(message)
            protocol: Any = self.ws_connection
            seen.append((self.selected_subprotocol, protocol.stream.socket.getpeername()[0]))
            seen.append((protocol._wire_bytes_in, protocol._wire_bytes_out))
            seen.append((protocol._message_bytes_in, protocol._message_bytes_out))

    async def main() -> None:
        protocols = "Sec-WebSocket-Protocol: a, b"
        async with serving(site(Handler)) as port, connected(port, "/", protocols) as client:
            client.send(text("hello"))
            assert await client.message() == b"hello"
        assert seen == [("b", "127.0.0.1"), (11, 7), (5, 5)]

    run(main())


def test_a_handler_of_a_site_keeps_its_session_and_the_id_of_its_request(
    run: Run, tmp_path: Path
) -> None:
    class Chat(tornkit.WebSocketHandler):
        async def get(self, *args: Any, **kwargs: Any) -> None:
            self.session["name"] = "ann"
            await super().get(*args, **kwargs)

        async def on_message(self, message: str | bytes) -> None:
            assert logs.request_id.get() == self.request_id
            await self.write_message(f"{self.session['name']}: {message!r}")

    async def main() -> None:
        overrides: dict[str, object] = {"session.store": "memory://"}
        settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
        chat = Module(name="chat", access=PUBLIC, routes=[path("/", Chat)])
        async with (
            Application(settings, modules=[chat]) as application,
            serving(application) as port,
            connected(port, "/chat/") as client,
        ):
            client.send(text("hello"))
            assert await client.message() == b"ann: 'hello'"

    run(main())


class Endless(WebSocketHandler):
    """Write as long as nobody else gets a turn."""

    turns = 0

    async def on_message(self, message: str | bytes) -> None:
        asyncio.get_running_loop().call_soon(self._count)
        for number in range(1000):
            await self.write_message("x" * 1000)
            if self.turns:
                self.close(reason=str(number))
                return

    def _count(self) -> None:
        self.turns += 1


async def test_who_writes_without_end_lets_others_have_their_turn() -> None:
    server = http1.HTTPServer(tornado.web.Application([("/", Endless)]))
    socket, port = bind_unused_port()
    server.add_sockets([socket])
    try:
        client = await websocket_connect(f"ws://127.0.0.1:{port}/")
        await client.write_message("go")
        while await client.read_message() is not None:
            pass
        assert int(client.close_reason or "1000") < 500
        client.close()
    finally:
        server.stop()
        await server.close_all_connections()
