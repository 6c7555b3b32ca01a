"""Whether the databases that have no tables, such as Redis or an HTTP service, answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from tornkit.checks.messages import Message, from_error
from tornkit.databases import SQLDatabase
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from tornkit.application import Application
    from tornkit.databases import Bind

__all__ = ["look_at_answers"]


async def look_at_answers(application: Application) -> list[Message]:
    """Return a finding for each open database that does not answer; all are asked at once.

    SQL ones are not among them: looking at their migrations asks them already.
    """
    others = [bind for bind in application.databases.values() if not isinstance(bind, SQLDatabase)]
    found = await asyncio.gather(*(_look_at(bind) for bind in others))
    return [message for messages in found for message in messages]


async def _look_at(bind: Bind) -> list[Message]:
    try:
        await bind.ping()
    except DatabaseError as error:
        level: Literal["error", "warning"] = "error" if bind.required else "warning"
        return [
            replace(message, id="databases.unavailable", level=level, object=bind.name)
            for message in from_error(error)
        ]
    return []
