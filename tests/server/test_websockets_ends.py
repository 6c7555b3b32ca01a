"""A WebSocket ends once, whoever ends it and however."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import tornado.gen
import tornado.httpserver
import tornado.web
from tornado.websocket import (
    WebSocketClosedError,
)

from tests.server.http1.sites import run, serving, until
from tests.server.raw_websockets import (
    DEFLATE,
    PING,
    PONG,
    TEXT,
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

if TYPE_CHECKING:
    from tests.server.http1.sites import Run


__all__ = ["run"]


def raise_(self: Any, *args: Any) -> None:
    raise ZeroDivisionError


async def raise_later(self: Any, *args: Any) -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError


def be_cancelled(self: Any, *args: Any) -> None:
    raise asyncio.CancelledError


async def be_cancelled_later(self: Any, *args: Any) -> None:
    await asyncio.sleep(0)
    raise asyncio.CancelledError


@pytest.mark.parametrize("method", ["on_message", "on_ping", "on_pong"])
@pytest.mark.parametrize("fault", [raise_, raise_later, be_cancelled, be_cancelled_later])
def test_a_fault_of_the_handler_is_logged_and_ends_the_connection(
    run: Run, caplog: pytest.LogCaptureFixture, method: str, fault: Any
) -> None:
    handler, seen = recording(**{method: fault})

    async def main() -> None:
        opcode = {"on_message": TEXT, "on_ping": PING, "on_pong": PONG}[method]
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(frame(opcode), text("never seen"))
            assert [each.opcode for each in await client.rest()] in ([], [PONG])
            await closed(seen)
        assert seen == ["open", ("close", None, None)]
        (record,) = caplog.records
        assert record.name == "tornado.application"
        assert record.message.startswith("Uncaught exception GET /")

    with caplog.at_level(logging.INFO):
        logging.getLogger("tornado.access").setLevel(logging.ERROR)
        run(main())


@pytest.mark.parametrize("fault", [raise_, raise_later])
def test_who_fails_to_open_is_not_told_of_the_end(
    run: Run, caplog: pytest.LogCaptureFixture, fault: Any
) -> None:
    handler, seen = recording(open=fault)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            assert await client.rest() == []
        assert seen == []
        assert "Uncaught exception GET /" in caplog.text

    run(main())


def test_a_fault_in_on_close_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    handler, _ = recording(on_close=raise_)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(close())
            await client.rest()
            await until(lambda: "Uncaught exception GET /" in caplog.text)

    run(main())


def test_a_fault_in_the_log_does_not_keep_the_connection(run: Run) -> None:
    handler, seen = recording(on_message=raise_later, log_exception=raise_)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(text("hello"))
            assert await client.rest() == []
            await closed(seen)

    run(main())


@pytest.mark.parametrize(
    ("said", "answer", "told"),
    [
        (close(None), b"", (None, None)),
        (close(1000), b"\x03\xe8", (1000, None)),
        (close(1001, "é"), b"\x03\xe9", (1001, "é")),
        (close(4999, "x" * 123), b"\x13\x87", (4999, "x" * 123)),
    ],
    ids=["no code", "code", "reason", "long reason"],
)
def test_a_client_that_closes_gets_its_code_back(
    run: Run, said: bytes, answer: bytes, told: tuple[Any, Any]
) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(said, text("too late"))
            assert await client.rest() == [Frame(0x88, answer)]
            await closed(seen)
        assert seen == ["open", ("close", *told)]

    run(main())


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def test_a_code_that_is_never_sent_is_not_sent_back(run: Run, code: int) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(close(code))
            ((first, payload),) = await client.rest()
            assert (first, payload[:2]) == (0x88, b"\x03\xea")
            await closed(seen)
        assert seen == ["open", ("close", code, None)]

    run(main())


def test_a_server_that_closes_waits_for_the_client(run: Run) -> None:
    def on_message(self: Recorder, message: str | bytes) -> None:
        Recorder.on_message(self, message)
        if message == "close":
            self.close(1001, "going")
            with pytest.raises(WebSocketClosedError):
                self.write_message("late")
            with pytest.raises(WebSocketClosedError):
                self.ping()

    handler, seen = recording(on_message=on_message)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(text("close"))
            assert await client.receive() == Frame(0x88, b"\x03\xe9going")
            client.send(text("sent before the close was read"), frame(PING), close(1001))
            assert await client.rest() == []
            await closed(seen)
        assert seen == [
            *("open", "close", "sent before the close was read"),
            ("ping", b""),
            ("close", 1001, None),
        ]

    run(main())


@pytest.mark.slow
def test_a_server_that_closes_does_not_wait_for_ever(run: Run) -> None:
    handler, seen = recording(open=lambda self: self.close())

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            began = asyncio.get_running_loop().time()
            assert await client.rest() == [Frame(0x88, b"")]
            assert 4 < asyncio.get_running_loop().time() - began < 7
            await closed(seen)
        assert seen == [("close", None, None)]

    run(main())


def test_a_client_that_just_goes(run: Run) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as port:
            async with connected(port) as client:
                client.send(text("hello"))
                await until(lambda: "hello" in seen)
            await closed(seen)
        assert seen == ["open", "hello", ("close", None, None)]

    run(main())


@pytest.mark.parametrize("abrupt", [False, True], ids=["ends", "resets"])
def test_what_came_before_the_client_went_is_handled(run: Run, abrupt: bool) -> None:
    seen: list[Any] = []

    class Handler(Waiting):
        async def on_message(self, message: str | bytes) -> None:
            self.seen.append(message)
            await self.go.acquire()
            if not abrupt:
                await self.write_message(message)

    async def main() -> None:
        go = asyncio.Semaphore(0)
        application = tornado.web.Application([("/", Handler, {"seen": seen, "go": go})])
        async with serving(application) as port, connected(port) as client:
            client.send(text("a"), text("b"))
            await until(lambda: "a" in seen)
            client.send(text("c"))
            await asyncio.sleep(0.02)  # it has to arrive before the end does
            if abrupt:
                client.reset()
            else:
                client.writer.write_eof()
            await asyncio.sleep(0.02)
            assert seen == ["open", "a"]
            for _ in range(3):
                go.release()
            if not abrupt:
                assert [each.payload for each in await client.rest()] == [b"a", b"b", b"c"]
            await closed(seen)
        assert seen == ["open", "a", "b", "c", ("close", None, None)]

    run(main())


def test_who_ends_without_reading_is_not_waited_for(run: Run) -> None:
    async def on_message(self: Recorder, message: str | bytes) -> None:
        await asyncio.sleep(0.01)
        self.write_message(bytes(20 * 1024 * 1024), binary=True)

    handler, seen = recording(on_message=on_message)

    async def main() -> None:
        application = site(handler, websocket_max_message_size=1000)
        async with serving(application) as port, connected(port) as client:
            client.send(text("hello"))
            client.writer.write_eof()
            await closed(seen)

    run(main())


def test_a_request_that_is_cancelled_ends_its_websocket(run: Run) -> None:
    tasks: list[Any] = []

    def open_(self: Recorder) -> None:
        tasks.append(asyncio.current_task())

    handler, seen = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            await until(lambda: tasks)
            tasks[0].cancel()
            assert await client.rest() == []
            await closed(seen)
        assert seen == [("close", None, None)]

    run(main())


@pytest.mark.parametrize("ends", ["client", "server", "mistake", "going", "server and going"])
def test_nothing_is_left_for_the_garbage_collector(run: Run, ends: str) -> None:
    alive: list[weakref.ref[Any]] = []

    def open_(self: Recorder) -> None:
        alive.extend(map(weakref.ref, [self, self.ws_connection, self.ws_connection.stream]))  # type: ignore[union-attr]

    def on_message(self: Recorder, message: str | bytes) -> None:
        self.write_message(message)
        if ends.startswith("server"):
            self.close()

    handler, seen = recording(open=open_, on_message=on_message, get_compression_options=dict)
    last = b"" if ends.endswith("going") else frame(3) if ends == "mistake" else close()

    async def main() -> None:
        async with serving(site(handler)) as port:
            async with connected(port, "/", DEFLATE) as client:
                client.send(text("hello"), frame(PING))
                await client.message()
                client.send(last)
                if last:
                    await client.reader.read()
            await closed(seen)
            for _ in range(10):
                await asyncio.sleep(0)
            assert [each() for each in alive] == [None] * 3

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()
