"""Bytes to a server and back, for requests that no polite client sends."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cli.processes import Running

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 is a connection closed without a word."""

    status: int
    head: str
    body: str

    def header(self, name: str) -> str:
        values = [
            line.partition(":")[2].strip()
            for line in self.head.split("\r\n")[1:]
            if line.partition(":")[0].lower() == name.lower()
        ]
        return ", ".join(values)

    @property
    def cookie(self) -> str:
        return self.header("Set-Cookie").partition(";")[0]


@dataclass(frozen=True)
class Wire:
    """A way to a running server."""

    url: str
    running: Running

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def send(self, data: bytes) -> Answer:
        name, _, port = self.host.partition(":")
        received = b""
        with socket.create_connection((name, int(port)), 20) as connection:
            connection.settimeout(20)
            connection.sendall(data)
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionError:
                pass
        head, _, body = received.decode("latin-1").partition("\r\n\r\n")
        return Answer(int(head.split(" ")[1]) if head else 0, head, body)

    def ask(
        self, method: str, path: str, headers: Headers = (), body: bytes | str = b""
    ) -> Answer:
        content = body.encode() if isinstance(body, str) else body
        lines = [f"{method} {path} HTTP/1.1", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers]
        if not any(name.lower() == "host" for name, _ in headers):
            lines.append(f"Host: {self.host}")
        if content:
            lines.append(f"Content-Length: {len(content)}")
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + content)

    def post(self, path: str, fields: Mapping[str, str] | bytes, headers: Headers = ()) -> Answer:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        form = ("Content-Type", "application/x-www-form-urlencoded")
        return self.ask("POST", path, (form, *headers), body)
