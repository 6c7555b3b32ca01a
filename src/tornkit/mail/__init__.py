"""Mail: a message, checked where it is made, and a mailer that sends it.

How mail leaves is a `Transport`: ``console.py``, ``memory.py``, ``smtp.py``. Which one, and
from whom, is for the caller to say; nothing here reads settings.
"""

from __future__ import annotations

from tornkit.mail.base import Transport
from tornkit.mail.console import ConsoleTransport
from tornkit.mail.mailer import Mailer
from tornkit.mail.memory import MemoryTransport
from tornkit.mail.message import Message, compose
from tornkit.mail.smtp import SMTPTransport
from tornkit.mail.urls import default_sender, default_url, transport_of

__all__ = [
    "ConsoleTransport",
    "Mailer",
    "MemoryTransport",
    "Message",
    "SMTPTransport",
    "Transport",
    "compose",
    "default_sender",
    "default_url",
    "transport_of",
]
