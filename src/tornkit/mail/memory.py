"""``memory://``: mail is kept, for tests to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.mail.base import Transport
from tornkit.mail.message import compose

if TYPE_CHECKING:
    from tornkit.mail.message import Message

__all__ = ["MemoryTransport"]

_MOST = 1000


class MemoryTransport(Transport):
    """Keep the last 1000 messages in `outbox`, the latest at its end."""

    def __init__(self) -> None:
        self._outbox: list[Message] = []

    @property
    def outbox(self) -> list[Message]:
        """What was sent, oldest first; a test may empty it."""
        return self._outbox

    async def deliver(self, message: Message, sender: str) -> None:
        """Keep the message, if it can be put together as for a server."""
        compose(message, sender).as_bytes()
        self._outbox.append(message)
        del self._outbox[:-_MOST]
