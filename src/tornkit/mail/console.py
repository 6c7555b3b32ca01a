"""``console://``: mail is shown where the site runs, for development."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tornkit._text import printable
from tornkit.mail.base import Transport
from tornkit.mail.message import compose

if TYPE_CHECKING:
    from tornkit.mail.message import Message

__all__ = ["ConsoleTransport"]

_LONGEST_LINE = 10_000
_HIDDEN = {"mime-version", "content-type", "content-transfer-encoding"}


class ConsoleTransport(Transport):
    """Print messages to standard error, decoded, so that a link in one can be followed."""

    async def deliver(self, message: Message, sender: str) -> None:
        """Print the message in one piece."""
        mail = compose(message, sender)
        lines = ["", "---- mail ----"]
        lines += [f"{name}: {value}" for name, value in mail.items() if _is_shown(name)]
        lines += ["", *message.text.splitlines()]
        if message.html is not None:
            lines += ["", "---- the same as HTML ----", *message.html.splitlines()]
        lines += ["---- end of mail ----", ""]
        # Escaped, for the text of a visitor must not command the developer's terminal.
        shown = [printable(line, limit=_LONGEST_LINE) for line in lines]
        sys.stderr.write("\n".join([*shown, ""]))
        sys.stderr.flush()


def _is_shown(name: str) -> bool:
    return name.lower() not in _HIDDEN
