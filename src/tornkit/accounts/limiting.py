"""What accounts ask of a limiter, and the subjects that they count by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tornkit.accounts.addresses import known_email
from tornkit.errors import AccountError

if TYPE_CHECKING:
    from tornkit._rates import Rate

__all__ = [
    "CONFIRM",
    "RESET",
    "SIGN_IN_ACCOUNT",
    "SIGN_IN_ADDRESS",
    "Limiter",
    "Unlimited",
    "subject_of",
]

SIGN_IN_ACCOUNT = "accounts.sign-in-account"
SIGN_IN_ADDRESS = "accounts.sign-in-address"
CONFIRM = "accounts.confirm"
RESET = "accounts.reset"


class Limiter(Protocol):
    """Count how often something happens, as `tornkit.security.limits.Limiter` does.

    It keeps no subject in the clear: people type their password where the address belongs.
    """

    async def hit(self, name: str, subject: str, rate: Rate) -> None:
        """Count once; raise TooManyRequests where the rate is used up."""

    async def forgive(self, name: str, subject: str, rate: Rate) -> None:
        """Give one back."""

    async def forget(self, name: str, subject: str) -> None:
        """Start the count anew."""


class Unlimited:
    """The limiter of accounts that were given none."""

    async def hit(self, name: str, subject: str, rate: Rate) -> None:
        """Let it pass."""

    async def forgive(self, name: str, subject: str, rate: Rate) -> None:
        """Have nothing to give back."""

    async def forget(self, name: str, subject: str) -> None:
        """Have nothing to forget."""


def subject_of(email: str) -> str:
    """Return what the tries for an account are counted by, whether or not it exists.

    That is the address as it is looked up, so that no other way of writing it has a count of
    its own.
    """
    try:
        return known_email(email)
    except AccountError:
        return email.strip().lower()
