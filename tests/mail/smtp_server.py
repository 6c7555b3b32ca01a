"""A mail server on a free port of this machine that does what a test tells it to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage


@dataclass
class Delivered:
    sender: str
    recipients: list[str]
    data: bytes
    encrypted: bool
    user: tuple[str, str] | None

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.data, policy=policy.default)


@dataclass
class Behaviour:
    """What the server offers and how it misbehaves; ``at`` is a command, such as ``DATA``."""

    tls: ssl.SSLContext | None = None
    tls_from_the_start: bool = False
    user: tuple[str, str] | None = None
    utf8: bool = False
    refused: dict[str, str] = field(default_factory=dict)  # a recipient or command: the answer
    hang_at: str = ""
    close_at: str = ""


@dataclass
class Server:
    behaviour: Behaviour
    port: int = 0
    delivered: list[Delivered] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    most_connections: int = 0
    open_connections: int = 0
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, scheme: str = "smtp", host: str = "127.0.0.1", more: str = "") -> str:
        return f"{scheme}://{host}:{self.port}{more}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_connections += 1
        self.most_connections = max(self.most_connections, self.open_connections)
        try:
            await _Conversation(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


class _Conversation:
    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.behaviour = server.behaviour
        self.encrypted = self.behaviour.tls_from_the_start
        self.user: tuple[str, str] | None = None
        self.sender, self.recipients = "", list[str]()

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def run(self) -> None:
        if not await self.obey("GREETING"):
            return
        await self.say(self.behaviour.refused.get("GREETING", "220 mail.test"))
        while line := (await self.reader.readline()).decode("utf-8").rstrip("\r\n"):
            verb = line.split(" ")[0].split(":")[0].upper()
            self.server.commands.append(verb)
            if not await self.obey(verb):
                return
            if verb in self.behaviour.refused:
                await self.say(self.behaviour.refused[verb])
                continue
            await getattr(self, f"do_{verb.lower()}")(line)
            if verb == "QUIT":
                return

    async def obey(self, verb: str) -> bool:
        if verb == self.behaviour.hang_at:
            self.server.waiting.set()
            await self.server.go.wait()
        return verb != self.behaviour.close_at

    async def do_ehlo(self, line: str) -> None:
        offers = ["250-mail.test"]
        if self.behaviour.tls and not self.encrypted:
            offers.append("250-STARTTLS")
        if self.behaviour.user:
            offers.append("250-AUTH PLAIN")
        if self.behaviour.utf8:
            offers += ["250-SMTPUTF8", "250-8BITMIME"]
        await self.say(*offers, "250 HELP")

    async def do_starttls(self, line: str) -> None:
        assert self.behaviour.tls
        await self.say("220 go on")
        await self.writer.start_tls(self.behaviour.tls)
        self.encrypted = True

    async def do_auth(self, line: str) -> None:
        _, user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")
        self.user = (user, password)
        right = self.user == self.behaviour.user
        # As some servers do, this one repeats what it was sent.
        await self.say("235 ok" if right else f"535 wrong: {user} {password}")

    async def do_mail(self, line: str) -> None:
        self.sender = line.partition("<")[2].partition(">")[0]
        await self.say("250 ok")

    async def do_rcpt(self, line: str) -> None:
        address = line.partition("<")[2].partition(">")[0]
        refusal = self.behaviour.refused.get(address)
        if refusal is None:
            self.recipients.append(address)
        await self.say(refusal or "250 ok")

    async def do_data(self, line: str) -> None:
        await self.say("354 go on")
        data = (await self.reader.readuntil(b"\r\n.\r\n"))[:-3]
        lines = [each.removeprefix(b".") for each in data.split(b"\r\n")]
        self.server.delivered.append(
            Delivered(self.sender, self.recipients, b"\r\n".join(lines), self.encrypted, self.user)
        )
        await self.say("250 taken")

    async def do_rset(self, line: str) -> None:
        await self.say("250 ok")

    async def do_quit(self, line: str) -> None:
        await self.say("221 bye")


@contextlib.asynccontextmanager
async def serving(behaviour: Behaviour | None = None) -> AsyncIterator[Server]:
    """Serve on 127.0.0.1 inside the block."""
    server = Server(behaviour or Behaviour())
    context = server.behaviour.tls if server.behaviour.tls_from_the_start else None
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.go.set()
        listening.close()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=5)
            assert not late
