"""A client of a WebSocket that is slow, deaf or greedy harms nobody."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from tornado.websocket import (
    WebSocketClosedError,
    WebSocketHandler,
)

from tests.server.http1.sites import run, serving, until
from tests.server.raw_websockets import (
    BINARY,
    CONTINUATION,
    DEFLATE,
    PING,
    PONG,
    TEXT,
    Echo,
    Frame,
    Recorder,
    close,
    closed,
    connected,
    deflated,
    frame,
    recording,
    site,
    text,
)

if TYPE_CHECKING:
    from tests.server.http1.sites import Run

pytestmark = pytest.mark.slow


__all__ = ["run"]


def test_who_awaits_a_message_waits_for_a_slow_client(run: Run) -> None:
    written: list[int] = []

    async def open_(self: Recorder) -> None:
        for _ in range(64):
            await self.write_message(bytes(1024 * 1024), binary=True)
            written.append(1)

    handler, _ = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            await asyncio.sleep(0.05)
            assert len(written) < 20
            for _ in range(64):
                assert len(await client.message()) == 1024 * 1024
            await until(lambda: len(written) == 64)

    run(main())


def test_who_awaits_a_message_learns_that_the_client_has_gone(run: Run) -> None:
    ends: list[Any] = []

    async def open_(self: Recorder) -> None:
        stream: Any = self.ws_connection.stream  # type: ignore[union-attr]
        while not stream.write_paused:  # until then what it waits for is its next turn
            sent = self.write_message(bytes(1024 * 1024), binary=True)
        ends.append("waits")
        with pytest.raises(WebSocketClosedError):
            await sent
        ends.append("knows")

    handler, seen = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as port:
            async with connected(port):
                await until(lambda: ends)
            await closed(seen)
        assert ends == ["waits", "knows"]

    run(main())


def test_a_client_that_does_not_read_is_not_read(run: Run) -> None:
    handlers: list[WebSocketHandler] = []

    class Handler(Echo):
        def open(self) -> None:
            handlers.append(self)

    async def main() -> None:
        limit = 100_000
        application = site(Handler, websocket_max_message_size=limit)
        async with serving(application) as port, connected(port) as client:
            message = frame(BINARY, bytes(limit), mask=bytes(4))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    while True:
                        client.send(message)
                        await client.writer.drain()
            stream: Any = handlers[0].ws_connection.stream  # type: ignore[union-attr]
            assert limit < stream.unsent() < 10 * limit
            for _ in range(20):
                assert len(await client.message()) == limit

    run(main())


def test_a_flood_of_pings_makes_no_flood_of_pongs(run: Run) -> None:
    handlers: list[WebSocketHandler] = []
    handler, seen = recording(open=lambda self: handlers.insert(0, self))

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            await until(lambda: handlers)
            stream: Any = handlers[0].ws_connection.stream  # type: ignore[union-attr]
            stream.pause_writing()  # as the transport does when the client does not read
            client.send(*[frame(PING, str(number)) for number in range(100)])
            await until(lambda: len(seen) == 100)
            stream.resume_writing()
            assert [await client.message() for _ in range(2)] == [b"0", b"99"]
            client.send(close())
            assert await client.rest() == [Frame(0x88, b"\x03\xe8")]

    run(main())


def test_a_client_reads_why_its_message_is_refused_while_it_still_sends(run: Run) -> None:
    receivers: list[Any] = []

    def open_(self: Recorder) -> None:
        receivers.append(self.ws_connection.stream._receiver)  # type: ignore[union-attr]

    handler, seen = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(frame(BINARY, bytes(20 * 1024 * 1024), mask=bytes(4)))
            assert await client.rest() == [Frame(0x88, b"\x03\xf1message too big")]
            await client.writer.drain()  # no reset
            assert not receivers[0]._left
            client.writer.close()
            await closed(seen)
        assert seen == [("close", None, None)]

    run(main())


def test_a_length_that_is_too_big_is_refused_before_anything_else_comes(run: Run) -> None:
    handler, _ = recording()

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(frame(BINARY, bytes(20 * 1024 * 1024))[:10])  # not even the mask
            assert await client.rest() == [Frame(0x88, b"\x03\xf1message too big")]

    run(main())


@pytest.mark.parametrize("sizes", [[101], [50, 51], [100, 0, 1]], ids=str)
def test_the_limit_is_for_all_frames_of_a_message(run: Run, sizes: list[int]) -> None:
    handler, seen = recording()

    async def main() -> None:
        application = site(handler, websocket_max_message_size=100)
        async with serving(application) as port, connected(port) as client:
            client.send(frame(BINARY, bytes(100)))
            for at, size in enumerate(sizes):
                opcode, final = 0 if at else BINARY, at == len(sizes) - 1
                client.send(frame(opcode, bytes(size), final=final))
            assert await client.rest() == [Frame(0x88, b"\x03\xf1message too big")]
            client.writer.close()
            await closed(seen)
        assert seen == ["open", bytes(100), ("close", None, None)]

    run(main())


def compressing(**methods: Any) -> tuple[type[Recorder], list[Any]]:
    return recording(get_compression_options=dict, **methods)


@pytest.mark.parametrize(
    "data",
    [frame(TEXT, b"x\xff", final=False), frame(TEXT, b"x\xff" * 100)[:-100]],
    ids=["message", "frame"],
)
def test_the_rest_of_what_is_no_text_is_not_waited_for(run: Run, data: bytes) -> None:
    handler, seen = recording()

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            client.send(data)
            assert await client.rest() == [Frame(0x88, b"\x03\xefa text is not valid UTF-8")]
            client.writer.close()
            await closed(seen)

    run(main())


def test_compressed_messages(run: Run) -> None:
    handler, _ = compressing(on_message=Echo.on_message)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port, "/", DEFLATE) as client:
            client.send(frame(TEXT, deflated(b"hello"), reserved=0x40), text("plain"))
            shrink = zlib.decompressobj(-15)
            for message in (b"hello", b"plain"):
                first, payload = await client.receive()
                assert first == 0xC1
                assert shrink.decompress(payload + b"\x00\x00\xff\xff") == message

    run(main())


def test_a_ping_between_compressed_pieces_changes_nothing(run: Run) -> None:
    handler, seen = compressing()
    data = deflated(b"hello" * 10)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port, "/", DEFLATE) as client:
            client.send(frame(TEXT, data[:3], reserved=0x40, final=False), frame(PING))
            client.send(frame(CONTINUATION, data[3:]), close())
            await client.rest()
            await closed(seen)
        assert seen == ["open", ("ping", b""), "hello" * 10, ("close", 1000, None)]

    run(main())


def test_a_compressed_stream_that_ends_is_followed_by_another(run: Run) -> None:
    handler, seen = compressing()
    ended = frame(TEXT, deflated(b"hello", zlib.Z_FINISH), reserved=0x40)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port, "/", DEFLATE) as client:
            client.send(ended, ended, ended, close())
            await client.rest()
            await closed(seen)
        assert seen == ["open", "hello", "hello", "hello", ("close", 1000, None)]

    run(main())


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (deflated(bytes(200_000)), b"\x03\xf1message too big after decompression"),
        (b"\xff" * 20, b"\x03\xefa message cannot be decompressed"),
    ],
    ids=["bomb", "garbage"],
)
def test_what_cannot_be_decompressed_is_refused(run: Run, data: bytes, answer: bytes) -> None:
    handler, seen = compressing()

    async def main() -> None:
        application = site(handler, websocket_max_message_size=100_000)
        async with serving(application) as port, connected(port, "/", DEFLATE) as client:
            client.send(frame(BINARY, data, reserved=0x40))
            assert await client.rest() == [Frame(0x88, answer)]
            client.writer.close()
            await closed(seen)
        assert seen == ["open", ("close", None, None)]

    run(main())


@pytest.mark.parametrize("offer", ["", "; server_no_context_takeover=1"], ids=["", "forgetful"])
def test_compression_takes_no_memory_before_the_first_message(run: Run, offer: str) -> None:
    protocols: list[Any] = []
    handler, _ = compressing(
        open=lambda self: protocols.append(self.ws_connection), on_message=Echo.on_message
    )

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port, "/", DEFLATE + offer) as client:
            await until(lambda: protocols)
            protocol = protocols.pop()
            assert protocol._compressor._compressor is None  # nothing has been compressed
            assert protocol._decompressor._decompressor is None
            for _ in range(2):
                client.send(frame(TEXT, deflated(b"hello"), reserved=0x40))
                assert (await client.receive()).first == 0xC1
            assert (protocol._compressor._compressor is None) == bool(offer)
            del protocol

    run(main())


def test_a_client_that_answers_pings_stays(run: Run) -> None:
    handler, seen = recording()

    async def main() -> None:
        application = site(handler, websocket_ping_interval=0.02)
        async with serving(application) as port, connected(port) as client:
            for _ in range(3):
                assert await client.receive() == Frame(0x89, b"")
                client.send(frame(PONG))
            client.send(close())
            assert await client.rest() == [Frame(0x88, b"\x03\xe8")]
            await closed(seen)
        assert seen[1:4] == [("pong", b"")] * 3

    run(main())


def test_a_client_that_does_not_answer_pings_is_let_go(run: Run) -> None:
    handler, seen = recording()

    async def main() -> None:
        application = site(handler, websocket_ping_interval=0.05, websocket_ping_timeout=0.02)
        async with serving(application) as port, connected(port) as client:
            assert await client.receive() == Frame(0x89, b"")
            client.send(frame(PONG))
            assert await client.receive() == Frame(0x89, b"")
            client.send(text("alive, but deaf"))
            assert await client.receive() == Frame(0x88, b"\x03\xe8ping timed out")
            client.writer.close()
            await closed(seen)
        assert seen == ["open", ("pong", b""), "alive, but deaf", ("close", None, None)]

    run(main())


def test_a_client_that_has_gone_is_not_pinged(run: Run) -> None:
    faults: list[Any] = []
    handler, seen = recording(open=lambda self: asyncio.sleep(0.03))

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        async with serving(site(handler, websocket_ping_interval=0.01)) as port:
            async with connected(port) as client:
                client.reset()
            await closed(seen)
        assert faults == []

    run(main())


def test_pings_need_not_be_answered_in_time(run: Run) -> None:
    async def main() -> None:
        application = site(Echo, websocket_ping_interval=0.01, websocket_ping_timeout=0)
        async with serving(application) as port, connected(port) as client:
            for _ in range(4):
                assert await client.receive() == Frame(0x89, b"")

    run(main())


def test_pings_of_the_handlers_own(run: Run) -> None:
    def open_(self: Recorder) -> None:
        self.ping("hello")
        self.ping(b"x" * 125)
        with pytest.raises(ValueError, match="125"):
            self.ping(b"x" * 126)
        self.set_nodelay(True)
        with pytest.raises(ValueError, match="fragmented"):
            self.ws_connection._write_frame(False, PING, b"")  # type: ignore[union-attr]

    handler, _ = recording(open=open_)

    async def main() -> None:
        async with serving(site(handler)) as port, connected(port) as client:
            assert await client.receive() == Frame(0x89, b"hello")
            assert await client.receive() == Frame(0x89, b"x" * 125)

    run(main())
