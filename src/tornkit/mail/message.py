"""`Message`: one mail, refused where it is made if it could not be sent as it is meant.

An address is one address: nothing that comes out of a form can add a second recipient, a
header or a body, for line breaks, control characters and commas are errors here.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid
from typing import TYPE_CHECKING

from tornkit._addresses import ascii_domain, is_address
from tornkit._text import printable
from tornkit.errors import MailError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Message", "compose", "mailbox"]

_NAMED = re.compile(r'\s*(?:"([^"<>]+)"|([^"<>]*?))\s*<([^<>]*)>')
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,70}")
_OWN = frozenset(
    ["from", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version"]
)
# Seven bits, because not every server on the way takes eight.
_POLICY = policy.SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Message:
    """One mail.

    Args:
        to: an address, ``ann@school.example`` or ``Ann Lee <ann@school.example>``, or several.
        subject: one line.
        text: the body, as plain text.
        html: the same as a page, for readers that show one.
        reply_to: the address that answers go to, if not the sender's.
        headers: further headers, such as ``List-Unsubscribe``.

    Raises:
        MailError: an address is none, or a header holds a line break or control character.

    Example:
        >>> Message("ann@school.example", "Welcome", "Good to have you here.").recipients
        ('ann@school.example',)
    """

    to: str | Sequence[str]
    subject: str
    # What a mail says is for its reader only: no log and no traceback may show it.
    text: str = field(repr=False)
    html: str | None = field(default=None, repr=False)
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.to, str):
            object.__setattr__(self, "to", tuple(self.to))
        object.__setattr__(self, "headers", dict(self.headers))
        if not self.to:
            raise MailError("a mail needs a recipient", hint="give an address as to=")
        for address in (*self.recipients, *([self.reply_to] if self.reply_to else [])):
            mailbox(address)
        _check_header("Subject", self.subject)
        for name, value in self.headers.items():
            _check_name(name)
            _check_header(name, value)
        for name in ("text", "html"):
            _check_text(name, getattr(self, name))

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses it goes to, as they were given."""
        return (self.to,) if isinstance(self.to, str) else tuple(self.to)


def mailbox(text: str) -> Address:
    """Read one address, with or without a name before it; the domain becomes ASCII (IDNA).

    Raises:
        MailError: it is not exactly one address.
    """
    try:
        found = _NAMED.fullmatch(text)
        name, bare = (found[1] or found[2], found[3]) if found else ("", text)
        if not is_address(bare) or _unprintable(text):
            raise ValueError
        local, _, domain = bare.partition("@")
        return Address(name, local, ascii_domain(domain))
    except (TypeError, ValueError):
        raise MailError(
            f"{printable(text)!r} is not an e-mail address",
            hint="expected name@host, or Name <name@host>, and only one",
        ) from None


def compose(message: Message, sender: str) -> EmailMessage:
    """Return the message as RFC 5322 has it, with a Date and a Message-ID of its own."""
    author = mailbox(sender)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = author
    mail["To"] = tuple(mailbox(each) for each in message.recipients)
    if message.reply_to:
        mail["Reply-To"] = mailbox(message.reply_to)
    mail["Subject"] = message.subject
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = make_msgid(domain=author.domain)
    mail["Auto-Submitted"] = "auto-generated"  # keeps "I am on holiday" away (RFC 3834)
    for name, value in message.headers.items():
        del mail[name]
        mail[name] = value
    mail.set_content(message.text)
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
    return mail


def _check_name(name: str) -> None:
    own = name.lower() in _OWN or name.lower().startswith("content-")
    if own or not _HEADER_NAME.fullmatch(name):
        reason = "is set by the mail itself" if own else "is not the name of a header"
        raise MailError(f"header {printable(name)!r} {reason}", hint="leave it out of headers=")


def _check_header(name: str, value: object) -> None:
    if not isinstance(value, str) or _unprintable(value):
        raise MailError(
            f"the header {name} is not one line of text",
            hint="take line breaks and control characters out of it",
        )


def _check_text(name: str, value: object) -> None:
    try:
        if isinstance(value, str):
            value.encode()
        elif value is not None or name == "text":
            raise TypeError
    except (TypeError, UnicodeEncodeError):
        raise MailError(f"the {name} of a mail is not Unicode text") from None


def _unprintable(value: str) -> bool:
    """Tell whether text holds control characters, line ends of any kind or half characters."""
    return any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in value)
