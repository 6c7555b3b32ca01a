"""`Accounts`: all that is done with accounts, each subject in a module of its own.

No database block is open while a password is hashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.accounts.addresses import normal_email
from tornkit.accounts.base import OpenSession, UserT, logger
from tornkit.accounts.changes import Changes
from tornkit.accounts.resets import Resets
from tornkit.accounts.roles import RoleChanges
from tornkit.accounts.signing_in import SigningIn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["Accounts", "OpenSession"]


class Accounts(SigningIn[UserT], Resets[UserT], Changes[UserT], RoleChanges[UserT]):
    """The accounts of a site.

    Args:
        user_model: a mapped class with `UserMixin`.
        open_session: opens a block of the database that holds it.
        in_block: tells whether the running task is inside such a block.
        known_roles: the roles that exist; giving any other is refused.
        hasher: argon2 parameters other than the default, such as fast ones for tests.
        password_length: characters of the shortest password.
        reset_timeout: seconds that a link for a new password works.
        limiter: counts tries; without one, nothing is counted.
        sign_in_per_account: how often somebody may try to sign in to one account.
        sign_in_per_address: how often from one network.
        network_of: returns the network that an IP address is counted with.
        end_sessions: deletes the sessions of a user's id, but for one by its handle.
        clock: returns seconds since the epoch.
    """

    async def create(
        self, email: str, password: str, roles: Iterable[str] = (), **columns: object
    ) -> UserT:
        """Create an account and return its user; ``columns`` fill those of the project's own.

        Raises:
            AccountError: it is no address.
            WeakPassword: the password breaks a rule.
            EmailTaken: the address has an account.
            UnknownRole: no module names one of the roles.
        """
        address = normal_email(email)
        chosen = self._checked(roles)
        await self.check_password(password, address)
        user = self.user_model()
        user.email = address
        user.password_hash = await self.passwords.hash(password)
        user.role_rows = set()  # known to be empty, so that nothing is left to load later
        user.roles = chosen
        for name, value in columns.items():
            if not hasattr(self.user_model, name):
                raise TypeError(f"{self.user_model.__name__} has no column {name!r}")
            setattr(user, name, value)

        async def work(session: AsyncSession) -> None:
            session.add(user)

        await self._unless_taken(address, work)
        logger.info("created: user %s", user.id)
        return user
