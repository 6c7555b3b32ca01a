"""Look at an application that could be built: settings, templates, databases, roles, port."""

from __future__ import annotations

import asyncio
import http.client
import logging
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit import logs
from tornkit._text import did_you_mean, listing, printable
from tornkit.checks.databases import look_at_answers
from tornkit.checks.messages import Message, from_error, from_setting
from tornkit.checks.migrations import look_at_migrations
from tornkit.checks.tasks import look_at_task_queue
from tornkit.errors import (
    DatabaseError,
    MissingDriver,
    SettingsError,
    StartError,
    StoreUnavailable,
    TornkitError,
)
from tornkit.server import check_port

if TYPE_CHECKING:
    from tornkit.application import Application

__all__ = [
    "look_at",
    "look_at_logging",
    "look_at_port",
    "look_at_roles",
    "look_at_session_store",
    "look_at_settings",
    "look_at_templates",
]

_PATIENCE = 5.0  # seconds


async def look_at(application: Application, *, databases: bool = True) -> list[Message]:
    """Return what is to say about an application; what it opens is closed again.

    Args:
        application: the one to look at.
        databases: whether to look into the databases, the session store and the task queue too.
    """
    messages = look_at_settings(application) + look_at_logging(application)
    messages += await asyncio.to_thread(look_at_templates, application)
    if databases:
        messages += await _look_at_databases(application)
        messages += await look_at_session_store(application)
        messages += await look_at_task_queue(application)
    return messages


def look_at_settings(application: Application) -> list[Message]:
    """Return the settings that had no effect, such as variables of unknown names."""
    warnings = application.config.warnings
    return [from_setting(each, level="warning", check_id="settings.unknown") for each in warnings]


def look_at_templates(application: Application) -> list[Message]:
    """Return the templates that do not compile or refer to missing ones."""
    return [each for error in application.check_templates() for each in from_error(error)]


async def _look_at_databases(application: Application) -> list[Message]:
    try:
        application.config.create_paths()
        await application.databases.open()
    except TornkitError as error:
        return from_error(error)
    try:
        messages = await look_at_migrations(application) + await look_at_answers(application)
        if not messages:
            messages += await look_at_roles(application)
    finally:
        await application.databases.close()
    return messages


async def look_at_session_store(application: Application) -> list[Message]:
    """Return an error where the session store does not answer, or has no driver.

    One that is among the databases is looked at with them.
    """
    if application.session_bind is not None:
        return []
    store = application.sessions.store
    try:
        async with asyncio.timeout(_PATIENCE):
            await store.open()
            await store.ping()
    except (MissingDriver, StoreUnavailable) as error:
        (found,) = from_error(error)
        return [replace(found, id="sessions.unavailable")]
    except TimeoutError:
        said = f"the session store gave no answer within {_PATIENCE:g} s"
        return [Message("sessions.unavailable", "error", said, "check that its server runs")]
    finally:
        await store.close()
    return []


async def look_at_roles(application: Application) -> list[Message]:
    """Return a warning for each role that users hold and no module names."""
    if application.accounts is None:
        return []
    try:
        users = await application.accounts.list()
    except DatabaseError as error:
        return from_error(error)
    held: dict[str, int] = {}
    for user in users:
        for role in user.roles:
            held[role] = held.get(role, 0) + 1
    known = application.known_roles
    return [
        Message(
            "accounts.unknown-role",
            "warning",
            f"{held[role]} {'user holds' if held[role] == 1 else 'users hold'} the role"
            f" {printable(role)!r}, which no module names",
            did_you_mean(role, known) or f"the roles are: {listing(known)}",
            object=role,
        )
        for role in sorted(held.keys() - set(known))
    ]


def look_at_logging(application: Application) -> list[Message]:
    """Return what is wrong with the setting ``logging``; this process keeps its own."""
    config, root = application.config, logging.getLogger()
    before, level = root.handlers[:], root.level
    with tempfile.TemporaryDirectory() as folder:
        try:
            logs.configure(
                config.logging, debug=config.debug, log_dir=folder, level=config.log_level
            )
        except SettingsError as error:
            return from_error(error)
        finally:
            for handler in set(root.handlers) - set(before):
                handler.close()
            root.handlers[:] = before
            root.setLevel(level)
    return []


def look_at_port(application: Application) -> list[Message]:
    """Return an error where the port cannot be had, a warning where a site of ours has it."""
    host, port = application.config.host, application.config.port
    try:
        check_port(host, port)
    except StartError as error:
        (found,) = from_error(error)
        found = replace(found, object=str(port))
        if _serves_a_site(host, port):
            # Most likely this very one, under `tornkit run` in another terminal.
            return [replace(found, level="warning", hint="a site of tornkit answers there")]
        return [found]
    return []


def _serves_a_site(host: str, port: int) -> bool:
    asked = http.client.HTTPConnection(host, port, timeout=0.5)
    try:
        asked.request("GET", "/health/live")
        answer = asked.getresponse()
        return answer.status == 200 and answer.headers.get("X-Request-ID") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()
