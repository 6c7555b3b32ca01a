"""`Transport`: how mail leaves; subclass it for a way of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tornkit.errors import MailError

if TYPE_CHECKING:
    from tornkit.mail.message import Message

__all__ = ["Transport"]


class Transport(ABC):
    """One way for mail to leave."""

    @abstractmethod
    async def deliver(self, message: Message, sender: str) -> None:
        """Hand the message over to whoever takes it from here.

        Args:
            message: what to send; `tornkit.mail.compose` makes an RFC 5322 message of it.
            sender: whom it is from.

        Raises:
            MailError: it was not taken.
        """

    @property
    def outbox(self) -> list[Message]:
        """What was sent, oldest first, where the transport keeps it.

        Raises:
            MailError: it does not.
        """
        raise MailError("sent mail is not kept", hint='set mail.url = "memory://"')
