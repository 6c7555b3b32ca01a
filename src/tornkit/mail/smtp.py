"""``smtp://`` and ``smtps://``: mail is given to a server, one connection for each message.

Connections are encrypted and the server's certificate and name are checked, except to this
machine where no password is sent. `smtplib` blocks, so that each delivery is a thread's work.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import threading
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from tornkit._text import printable
from tornkit.errors import MailError
from tornkit.mail._failures import explain, refusals
from tornkit.mail.base import Transport
from tornkit.mail.message import compose, mailbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornkit.mail.message import Message

__all__ = ["SCHEMES", "SMTPTransport"]

SCHEMES = {"smtp": 25, "smtps": 465}
_CONNECTIONS = 4
_EXPECTED = "expected smtp://user:password@host:25, or smtps://… on port 465"


@dataclass(frozen=True, slots=True)
class _Server:
    """Where mail goes, as the URL says it."""

    host: str
    port: int
    tls: bool
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'smtps' if self.tls else 'smtp'}://{host}:{self.port}"

    @property
    def starttls(self) -> bool:
        """Whether the connection has to be encrypted on the way."""
        return not self.tls and (bool(self.user) or not _is_this_machine(self.host))


class SMTPTransport(Transport):
    """Give messages to a server; at most four are on their way at once.

    Args:
        url: ``smtp://`` or ``smtps://``, with ``user:password@`` and ``?ca=FILE`` as needed.
        folder: where a relative file of ``ca`` starts.
        timeout: seconds that the server has for each of its answers.

    Raises:
        MailError: the URL does not work; the message says what was expected.
    """

    def __init__(self, url: str, folder: Path | None = None, *, timeout: float = 10.0) -> None:
        self._server = _parse(url)
        self._timeout = timeout
        self._context = _context(self._server.ca, folder) if self._server.ca else None
        self._free = asyncio.Semaphore(_CONNECTIONS)

    async def deliver(self, message: Message, sender: str) -> None:
        """Send the message; the server has taken it when this returns.

        Raises:
            MailError: the server cannot be reached, is not who it should be, or refuses.
        """
        await self._in_thread(lambda: self._send(message, sender))

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(failure: BaseException | None) -> None:
            self._free.release()
            if done.done():
                return
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)

        def run() -> None:
            failure: BaseException | None = None
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(settle, failure)

        # No executor: at exit Python waits for its threads, a server that hangs included.
        try:
            threading.Thread(target=run, name="tornkit-mail", daemon=True).start()
        except BaseException:
            self._free.release()
            raise
        await done

    # --- in the thread -------------------------------------------------------------------

    def _send(self, message: Message, sender: str) -> None:
        mail = compose(message, sender)
        recipients = [mailbox(each).addr_spec for each in message.recipients]
        try:
            smtp = self._connect()
            try:
                refused = smtp.send_message(mail, mailbox(sender).addr_spec, recipients)
            finally:
                # Whatever becomes of the farewell, the mail is taken or refused by now.
                with contextlib.suppress(OSError):
                    smtp.quit()
                smtp.close()
        except (OSError, ValueError) as failure:
            raise MailError(f"{self._server}: {explain(failure, self._timeout)}") from None
        if refused:
            raise MailError(
                f"{self._server}: the mail was sent, but not to {refusals(refused)}",
            )

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        context = self._tls_context() if server.tls or server.starttls else None
        if server.tls:
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._timeout, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
        try:
            if server.starttls:
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:  # only now: reading the system's authorities takes a while
            self._context = ssl.create_default_context()
        return self._context


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _parse(url: str) -> _Server:
    """Read a URL; its errors show nothing of it, for it may hold a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    except ValueError:
        raise MailError(_EXPECTED) from None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not host or port == 0 or parts.path not in ("", "/") or parts.fragment:
        hint = "percent-encode / ? # @ and : of a user name or password"
        raise MailError(_EXPECTED, hint=hint)
    if set(query) - {"ca"} or query.get("ca") == "":
        raise MailError(f"{_EXPECTED}, with ?ca=FILE at most")
    if bool(user) != bool(password):
        raise MailError("expected a user name and a password, or neither")
    if not f"{user}{password}".isascii() or not f"{user}{password}".isprintable():
        raise MailError("expected a user name and a password in printable ASCII")
    scheme = parts.scheme
    return _Server(
        host, port or SCHEMES[scheme], scheme == "smtps", user, password, query.get("ca")
    )


def _context(file: str, folder: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and name
    path = (folder or Path()) / Path(file).expanduser()
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise MailError(
            f"expected ?ca= to name a file of certificates (PEM); {printable(path)}: "
            f"{printable(reason)}"
        ) from None
    return context
