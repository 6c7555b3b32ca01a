"""Sign-in: how often it may be tried, how long a reset works, how passwords are hashed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from argon2 import PasswordHasher, Type

from tornkit._rates import Rate
from tornkit.checks.deploy.findings import about
from tornkit.checks.messages import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application

__all__ = ["CHECKS"]

DAY = 86_400
ACCOUNT_TRIES = 100
"""Tries an hour; NIST SP 800-63B, section 3.2.2: at most 100 wrong ones for one account."""
ADDRESS_TRIES = 3600
"""Tries an hour from one address, behind which there may be a whole school."""
# OWASP's password storage cheat sheet: memory in KiB, and the rounds that it needs at least.
_ENOUGH = ((47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5))


def limits_memory(application: Application) -> Iterator[Message]:
    """Counts that a restart forgets, and that processes do not share, limit little."""
    settings = application.config
    if settings.limits.store == "memory://":
        yield about(
            settings,
            "limits.store",
            "deploy.limits-memory",
            "a restart forgets the tries, and every process counts for itself",
            'leave it empty for the store of the sessions, or use "database://" and a name',
            found="memory://",
        )


def sign_in_rate(application: Application) -> Iterator[Message]:
    """Whoever may guess without end guesses right."""
    settings = application.config
    for key, most in (
        ("sign_in_per_account", ACCOUNT_TRIES),
        ("sign_in_per_address", ADDRESS_TRIES),
    ):
        text = getattr(settings.accounts, key)
        rate = Rate.parse(text)
        # All at once, and then one more whenever its part of the period has passed.
        hourly = rate.times + (rate.times * 3600 - 1) // rate.period
        if hourly > most:
            yield about(
                settings,
                f"accounts.{key}",
                "deploy.sign-in-rate",
                f"{hourly} passwords can be tried within an hour",
                f"allow at most {most}, those that may come at once among them; the default"
                f" is {_default(application, key)}",
                found=text,
            )


def _default(application: Application, key: str) -> object:
    return type(application.config.accounts).model_fields[key].default


def reset_timeout(application: Application) -> Iterator[Message]:
    """A mailbox keeps a link for longer than its owner remembers it."""
    settings = application.config
    seconds = settings.accounts.reset_timeout
    if seconds > DAY:
        yield about(
            settings,
            "accounts.reset_timeout",
            "deploy.reset-timeout",
            "a link that sets a password works for more than a day; NIST SP 800-63B allows"
            " 24 hours for what is sent by mail",
            f"set at most {DAY}",
            found=seconds,
        )


def weak_hashing(application: Application) -> Iterator[Message]:
    """Hashes that are cheap to make are cheap to guess."""
    if application.accounts is None:
        return
    hasher = getattr(application.accounts.passwords, "_hasher", None)
    if isinstance(hasher, PasswordHasher) and not _is_enough(hasher):
        yield Message(
            "deploy.weak-hashing",
            "error",
            f"{type(application.accounts).__name__} hashes passwords with argon2"
            f"{hasher.type.name.lower()}, {hasher.memory_cost} KiB of memory and"
            f" {hasher.time_cost} rounds, which is below OWASP's minimum",
            "take the defaults, or at least argon2id with 19456 KiB and 2 rounds",
            object="hasher",
        )


def _is_enough(hasher: PasswordHasher) -> bool:
    return hasher.type is Type.ID and any(
        hasher.memory_cost >= memory and hasher.time_cost >= rounds for memory, rounds in _ENOUGH
    )


CHECKS = (limits_memory, sign_in_rate, reset_timeout, weak_hashing)
