"""`Mailer`: send now and know, or post and go on."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING

from tornkit.errors import MailError
from tornkit.mail.message import Message, mailbox

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tornkit.mail.base import Transport

__all__ = ["Mailer"]

_log = logging.getLogger("tornkit.mail")


class Mailer:
    """Send mail by one transport, from one sender.

    Args:
        transport: how mail leaves.
        sender: the address it comes from.
        at_once: how many posted mails are made and sent side by side.
        most_posted: how many may wait; one more is dropped, and logged.

    Raises:
        MailError: the sender is not an address.
    """

    def __init__(
        self, transport: Transport, *, sender: str, at_once: int = 8, most_posted: int = 1000
    ) -> None:
        mailbox(sender)
        self.sender = sender
        self._transport = transport
        self._most_posted = most_posted
        self._turns = asyncio.Semaphore(at_once)
        self._posted: dict[asyncio.Task[None], object] = {}
        self._closed = False

    @property
    def outbox(self) -> list[Message]:
        """What was sent, oldest first; with ``memory://`` only.

        Raises:
            MailError: the transport keeps nothing.
        """
        return self._transport.outbox

    async def send(self, message: Message) -> None:
        """Send a message; it has been taken for delivery when this returns.

        Raises:
            MailError: it was not sent, or not to everybody.
        """
        await self._transport.deliver(message, self.sender)

    def post(self, mail: Message | Awaitable[Message | None] | None) -> None:
        """Send a message in the background, so that the time of an answer tells nothing.

        Nothing is raised: a failure is logged, without the text of the mail.

        Args:
            mail: a message, or what will return one when it is awaited; None sends nothing.
        """
        if mail is None:
            return
        if self._closed or len(self._posted) >= self._most_posted:
            reason = "the site has stopped" if self._closed else f"{len(self._posted)} are waiting"
            _log.error("a mail was dropped: %s", reason)
            _forget(mail)
            return
        task = asyncio.create_task(self._deliver(mail))
        self._posted[task] = mail
        task.add_done_callback(self._posted.pop)

    async def _deliver(self, mail: Message | Awaitable[Message | None]) -> None:
        try:
            async with self._turns:
                message = mail if isinstance(mail, Message) else await mail
                if message is not None:
                    await self.send(message)
        except MailError as failure:
            _log.error("a mail was not sent: %s", failure)
        except Exception:  # noqa: BLE001 - nobody waits for it
            _log.exception("a posted mail could not be made or sent")

    async def open(self) -> None:
        """Take posted mail, also after a `close`."""
        self._closed = False

    async def drain(self, patience: float = 10.0) -> None:
        """Wait until what is posted has left or failed, ``patience`` seconds at most."""
        if self._posted:
            await asyncio.wait([*self._posted], timeout=patience)

    async def close(self, patience: float = 10.0) -> None:
        """Take no more posted mail, and give what waits ``patience`` seconds to leave."""
        self._closed = True
        await self.drain(patience)
        lost = dict(self._posted)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        for mail in lost.values():
            _forget(mail)
        if lost:
            _log.error("%d posted mails were lost when the site stopped", len(lost))


def _forget(mail: object) -> None:
    if inspect.iscoroutine(mail):
        mail.close()  # otherwise Python would warn that nobody awaited it
