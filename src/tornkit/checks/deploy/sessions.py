"""How long sessions live, where they are kept, and their cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.checks.deploy.findings import about
from tornkit.sessions import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message
    from tornkit.settings import Settings

__all__ = ["CHECKS"]

DAY = 86_400
LONGEST = 30 * DAY
"""NIST SP 800-63B, section 4.1: whoever signs in with a password does so every 30 days."""


def session_memory(application: Application) -> Iterator[Message]:
    """A store in memory is one for each process."""
    settings = application.config
    # A store that was given in code stands in place of the setting.
    if isinstance(application.sessions.store, MemoryStore):
        yield about(
            settings,
            "session.store",
            "deploy.session-memory",
            "a restart signs everybody out, and processes do not share their sessions",
            'use "database://" and the name of a database, or Redis',
            found=settings.session.store,
        )


def cookie_prefix(application: Application) -> Iterator[Message]:
    """Browsers take such names from encrypted sites only, and ours adds the prefix itself."""
    settings = application.config
    name = settings.session.cookie_name or ""
    if name.lower().startswith(("__host-", "__secure-")):
        yield about(
            settings,
            "session.cookie_name",
            "deploy.cookie-prefix",
            f"production adds the prefix by itself: the cookie is called __Host-{name}, and in"
            " development browsers refuse it",
            "write the name without the prefix",
            found=name,
        )


def idle_timeout(application: Application) -> Iterator[Message]:
    """An idle timeout that is never reached first is none (ASVS 5.0, 7.3.1)."""
    settings = application.config
    idle, absolute = settings.session.idle_timeout, settings.session.absolute_timeout
    if idle >= absolute:
        yield _about(
            settings,
            "idle_timeout",
            "deploy.idle-timeout",
            f"sessions end after {absolute} s whatever happens (session.absolute_timeout), so"
            " that none ever ends for being idle",
            "make it shorter than session.absolute_timeout",
        )


def touch_interval(application: Application) -> Iterator[Message]:
    """A session has to be marked as used before it counts as idle."""
    settings = application.config
    touch, idle = settings.session.touch_interval, settings.session.idle_timeout
    if touch >= idle:
        yield _about(
            settings,
            "touch_interval",
            "deploy.touch-interval",
            f"a visitor who only reads is signed out after {idle} s (session.idle_timeout) in"
            " the middle of a visit",
            "make it a fraction of session.idle_timeout",
        )


def absolute_timeout(application: Application) -> Iterator[Message]:
    """A stolen session is of use for as long as it lives."""
    settings = application.config
    seconds = settings.session.absolute_timeout
    if seconds > LONGEST:
        yield _about(
            settings,
            "absolute_timeout",
            "deploy.absolute-timeout",
            f"sessions live for {seconds // DAY} days; NIST SP 800-63B asks to sign in at"
            " least every 30 days",
            f"set at most {LONGEST}",
        )


def remember_timeout(application: Application) -> Iterator[Message]:
    """Whoever asks to be remembered is not forgotten earlier, nor remembered for ever."""
    settings = application.config
    seconds, absolute = settings.session.remember_timeout, settings.session.absolute_timeout
    if seconds > LONGEST:
        yield _about(
            settings,
            "remember_timeout",
            "deploy.remember-timeout",
            f"remembered visitors stay signed in for {seconds // DAY} days; NIST SP 800-63B"
            " asks to sign in at least every 30 days",
            f"set at most {LONGEST}",
        )
    elif seconds < absolute:
        yield _about(
            settings,
            "remember_timeout",
            "deploy.remember-timeout",
            f"it is shorter than session.absolute_timeout ({absolute}): whoever asks to be"
            " remembered is forgotten first",
            "make it the longer one",
        )


def _about(settings: Settings, name: str, check_id: str, says: str, hint: str) -> Message:
    """Return a finding about a number of seconds."""
    found = getattr(settings.session, name)
    return about(settings, f"session.{name}", check_id, says, hint, found=found)


CHECKS = (
    session_memory,
    cookie_prefix,
    idle_timeout,
    touch_interval,
    absolute_timeout,
    remember_timeout,
)
