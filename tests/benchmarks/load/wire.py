"""Connections, and what travels over them, byte by byte."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Connection", "LoadError", "echoed", "frame_of", "is_answer", "request_of", "upgrade"]

_PATIENCE = 10.0  # seconds for a handshake
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MASK = bytes((0x12, 0x34, 0x56, 0x78))
_TEXT = 0x81  # a whole message of text (RFC 6455, section 5.2)


class LoadError(Exception):
    """The server did not do what a load needs; the text says what."""


class Connection:
    """A connection, and the exchange that is under way on it.

    Attributes:
        unsent: what of the request the kernel has not taken yet.
        received: what of the answer has arrived.
        intended: when the exchange should have begun.
    """

    __slots__ = ("intended", "received", "socket", "unsent")

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unsent = memoryview(b"")
        self.received = b""
        self.intended = 0.0

    def begin(self, request: bytes, intended: float) -> bool:
        """Send a request as far as it goes; tell whether that is all of it."""
        self.intended = intended
        self.received = b""
        sent = self.socket.send(request)
        self.unsent = memoryview(request)[sent:]
        return not self.unsent

    def go_on(self) -> bool:
        """Send more of a request; tell whether that was the rest."""
        self.unsent = self.unsent[self.socket.send(self.unsent) :]
        return not self.unsent

    def receive(self) -> bytes:
        """Return what has arrived of the answer so far.

        Raises:
            LoadError: the server has closed the connection.
        """
        chunk = self.socket.recv(65536)
        if not chunk:
            raise LoadError("the server closed a connection")
        self.received = self.received + chunk if self.received else chunk
        return self.received


def request_of(
    host: str, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> bytes:
    """Return a request as it travels."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def is_answer(received: bytes) -> bool:
    """Tell whether ``received`` is a whole answer of 200.

    Raises:
        LoadError: it is another answer.
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return False
    if not received.startswith(b"HTTP/1.1 200 "):
        raise LoadError(f"the server answered {received[:40]!r}")
    length = _LENGTH.search(received, 0, end)
    if length is None:
        return received.endswith(b"\r\n0\r\n\r\n")  # chunked
    return len(received) >= end + 4 + int(length[1])


def upgrade(connection: Connection, request: bytes) -> None:
    """Turn a connection into a WebSocket.

    Raises:
        LoadError: the server does not agree.
    """
    connection.begin(request, 0.0)
    while b"\r\n\r\n" not in connection.receive():
        pass
    if not connection.received.startswith(b"HTTP/1.1 101 "):
        raise LoadError(f"the server answered {connection.received[:40]!r} to a WebSocket")


def frame_of(text: bytes) -> bytes:
    """Return a client's message as it travels: masked, of up to 125 bytes."""
    masked = bytes(byte ^ _MASK[index % 4] for index, byte in enumerate(text))
    return bytes((_TEXT, 0x80 | len(text))) + _MASK + masked


def echoed(text: bytes) -> bytes:
    """Return what a server sends that repeats a message."""
    return bytes((_TEXT, len(text))) + text
