"""What a mail server's refusal says, in one line and without what was sent to it."""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import TYPE_CHECKING

from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["explain", "refusals"]

_MOST = 5  # refused addresses that are named


def explain(failure: Exception, timeout: float) -> str:
    """Return why a delivery failed; ``timeout`` is what the server had for each answer."""
    match failure:
        case _ if _timed_out(failure):
            text = f"the server does not answer within {timeout:g} s"
        case smtplib.SMTPRecipientsRefused(recipients=refused):
            text = f"the server refuses {refusals(refused)}"
        case smtplib.SMTPAuthenticationError(smtp_code=code):
            # Not in the server's words: some repeat what they were sent.
            text = f"the server refuses the user name or the password ({code})"
        case smtplib.SMTPResponseException(smtp_code=code, smtp_error=words):
            text = f"the server refuses: {_reply(code, words)}"
        case smtplib.SMTPServerDisconnected():
            text = "the server closed the connection"
        case smtplib.SMTPNotSupportedError():
            text = f"the server cannot do what is needed: {failure}"
        case ssl.SSLCertVerificationError(verify_message=reason):
            text = f"the server's certificate is not valid: {reason}"
        case socket.gaierror():
            text = "the server's name is not known"
        case OSError(strerror=str(reason)):
            text = reason
        case _:
            text = str(failure) or type(failure).__name__
    return printable(text, limit=400)


def refusals(refused: Mapping[str, tuple[int, bytes]]) -> str:
    """Return the addresses that a server refused, each with its words."""
    named = list(refused.items())[:_MOST]
    return "; ".join(f"{printable(address)} ({_reply(*answer)})" for address, answer in named)


def _timed_out(failure: BaseException) -> bool:
    # smtplib reports a socket's timeout as a lost connection.
    return isinstance(failure, TimeoutError) or isinstance(failure.__context__, TimeoutError)


def _reply(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return printable(f"{code} {' '.join(text.split())}", limit=200)
