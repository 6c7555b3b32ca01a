"""WebSockets in bytes, frames good and bad, and handlers that remember what they see."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import tornado.web
from tornado.websocket import WebSocketHandler

from tests.server.http1.sites import until

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK = b"\x12\x34\x56\x78"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


class Frame(NamedTuple):
    """A frame that a server has sent."""

    first: int
    payload: bytes

    @property
    def opcode(self) -> int:
        return self.first & 0x0F


def frame(
    opcode: int,
    payload: bytes | str = b"",
    *,
    final: bool = True,
    reserved: int = 0,
    mask: bytes | None = MASK,
    form: int | None = None,
) -> bytes:
    """Return a frame as a client sends it; ``form`` is the size of its length, in bytes."""
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data)
    if form is None:
        form = 1 if size < 126 else 2 if size < 65536 else 8
    masked = 0x80 if mask else 0
    head = bytes([(0x80 if final else 0) | reserved | opcode])
    if form == 1:
        head += bytes([masked | size])
    else:
        head += bytes([masked | (126 if form == 2 else 127)]) + size.to_bytes(form, "big")
    if mask and any(mask):
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
    return head + (mask or b"") + data


def text(message: str) -> bytes:
    return frame(TEXT, message)


def close(code: int | None = 1000, reason: bytes | str = b"") -> bytes:
    said = reason.encode() if isinstance(reason, str) else reason
    return frame(CLOSE, (b"" if code is None else struct.pack(">H", code)) + said)


def deflated(message: bytes, mode: int = zlib.Z_SYNC_FLUSH) -> bytes:
    """Return a message compressed, as it is in frames with the first reserved bit."""
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(message) + compressor.flush(mode)
    return data.removesuffix(b"\x00\x00\xff\xff")


def request(path: str = "/", *headers: str) -> bytes:
    """Return the client's half of a handshake."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
    ]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def frames_of(answer: bytes) -> list[Frame]:
    """Return the frames in ``answer``, which a server has sent and which are whole."""
    frames = []
    while answer:
        first, size = answer[0], answer[1]
        at = 2
        if size > 125:
            at += 2 if size == 126 else 8
            size = int.from_bytes(answer[2:at], "big")
        assert len(answer) >= at + size, answer
        frames.append(Frame(first, answer[at : at + size]))
        answer = answer[at + size :]
    return frames


class Client:
    """A client that has shaken hands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))

    async def receive(self) -> Frame:
        """Read one frame."""
        first, size = await self.reader.readexactly(2)
        if size > 125:
            more = await self.reader.readexactly(2 if size == 126 else 8)
            size = int.from_bytes(more, "big")
        return Frame(first, await self.reader.readexactly(size))

    async def message(self) -> bytes:
        """Read one message."""
        return (await self.receive()).payload

    async def rest(self) -> list[Frame]:
        """Read all that comes before the end."""
        return frames_of(await self.reader.read())

    def reset(self) -> None:
        """Go in a way that the other end notices at once."""
        opened = self.writer.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@contextlib.asynccontextmanager
async def connected(
    port: int,
    path: str = "/",
    *headers: str,
    tls: ssl.SSLContext | None = None,
    first: bytes = b"",
) -> AsyncIterator[Client]:
    """Shake hands; ``first`` is sent in one piece with the request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, limit=2**20)
    try:
        writer.write(request(path, *headers) + first)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


class Recorder(WebSocketHandler):
    """Remembers in ``seen`` all that it is told."""

    def initialize(self, seen: list[Any]) -> None:
        self.seen = seen

    def open(self, *args: str) -> None:
        self.seen.append("open")

    def on_message(self, message: str | bytes) -> Any:
        self.seen.append(message)

    def on_ping(self, data: bytes) -> None:
        self.seen.append(("ping", data))

    def on_pong(self, data: bytes) -> None:
        self.seen.append(("pong", data))

    def on_close(self) -> None:
        self.seen.append(("close", self.close_code, self.close_reason))


class Waiting(Recorder):
    """Deals with one message at a time, when the test says so."""

    def initialize(self, seen: list[Any], go: asyncio.Semaphore) -> None:  # type: ignore[override]
        super().initialize(seen)
        self.go = go

    async def on_message(self, message: str | bytes) -> None:
        self.seen.append(("begin", message))
        await self.go.acquire()
        self.seen.append(("end", message))
        await self.write_message(message)

    async def on_pong(self, data: bytes) -> None:  # type: ignore[override]
        await self.on_message(b"pong")

    async def on_ping(self, data: bytes) -> None:  # type: ignore[override]
        await self.on_message(b"ping")


class Echo(WebSocketHandler):
    """Sends messages back."""

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def site(handler: type[WebSocketHandler], **settings: Any) -> tornado.web.Application:
    return tornado.web.Application([("/", handler)], **settings)


def recording(**methods: Any) -> tuple[type[Recorder], list[Any]]:
    """Return a handler with these methods, and what its instances will have seen."""
    seen: list[Any] = []

    def initialize(self: Recorder) -> None:
        Recorder.initialize(self, seen)

    return type("Handler", (Recorder,), {"initialize": initialize, **methods}), seen


async def closed(seen: list[Any]) -> None:
    """Wait until a handler has seen the end."""
    await until(lambda: seen and seen[-1][0] == "close")
