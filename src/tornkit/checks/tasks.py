"""Whether the task queue of a site answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit.checks.messages import Message, from_error
from tornkit.errors import TaskError

if TYPE_CHECKING:
    from tornkit.application import Application

__all__ = ["look_at_task_queue"]

_PATIENCE = 5.0  # seconds


async def look_at_task_queue(application: Application) -> list[Message]:
    """Return an error where the queue does not answer, or holds what is not ours."""
    tasks = application.tasks
    if tasks is None:
        return []
    try:
        async with asyncio.timeout(_PATIENCE), tasks:
            await tasks.ping()
    except TaskError as error:
        (found,) = from_error(error)
        return [replace(found, id="tasks.unavailable")]
    except TimeoutError:
        said = f"the task queue gave no answer within {_PATIENCE:g} s"
        return [Message("tasks.unavailable", "error", said, "check that its server runs")]
    return []
