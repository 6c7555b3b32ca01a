"""Changes of one account: its password, its address, whether it is active, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from tornkit.accounts.addresses import normal_email
from tornkit.accounts.base import AccountsBase, UserT, gone, logger, reflect
from tornkit.accounts.models import make_stamp
from tornkit.errors import AccountError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["Changes"]


class Changes(AccountsBase[UserT]):
    """Change accounts; ``user`` is a user or the address of one.

    A user object that is passed in has the new values afterwards.
    """

    async def set_password(
        self, user: UserT | str, password: str, *, spare: str | None = None
    ) -> None:
        """Give a user another password; all the user's sessions and reset links end.

        Args:
            user: whose it is.
            password: what the user chose.
            spare: the handle of a session that is to keep its data; it goes on when the user
                is signed in there once more.

        Raises:
            WeakPassword: the password breaks a rule.
            UnknownUser: there is no such account.
            AccountError: inside a block of the users' database; call it after the block.
        """
        self._refuse_in_block("set_password")
        owner = await self._known(user)
        await self.check_password(password, owner.email)
        renewed = await self.passwords.hash(password)
        async with self._open_session() as session:
            changed = await self._change(session, owner, password_hash=renewed)
        reflect(owner, **changed)
        logger.info("password changed: user %s", owner.id)
        await self._end_sessions(owner.id, spare)

    async def set_active(self, user: UserT | str, active: bool) -> None:
        """Let a user in, or keep the user out at once, sessions included.

        Raises:
            UnknownUser: there is no such account.
            AccountError: inside a block of the users' database; call it after the block.
        """
        self._refuse_in_block("set_active")
        owner = await self._known(user)
        model, stamp = self.user_model, make_stamp()
        change = update(model).where(model.id == owner.id, model.is_active != active)
        async with self._open_session() as session:
            result: Any = await session.execute(
                change.values(is_active=active, security_stamp=stamp)
            )
            changed = bool(result.rowcount)
            found = changed or await session.get(model, owner.id) is not None
        if not found:
            raise gone(owner)
        reflect(owner, is_active=active, **({"security_stamp": stamp} if changed else {}))
        logger.info("%s: user %s", "enabled" if active else "disabled", owner.id)
        if not active:
            await self._end_sessions(owner.id)

    async def set_email(self, user: UserT | str, new: str, *, spare: str | None = None) -> None:
        """Give a user another address; all the user's sessions and reset links end.

        Args:
            user: whose it is.
            new: the address.
            spare: the handle of a session that is to keep its data; it goes on when the user
                is signed in there once more.

        Raises:
            AccountError: it is no address, or a block of the users' database is open; call it
                after the block.
            EmailTaken: it has an account.
            UnknownUser: there is no such account.
        """
        self._refuse_in_block("set_email")
        address = normal_email(new)
        owner = await self._known(user)
        if owner.email == address:
            return

        async def work(session: AsyncSession) -> dict[str, Any]:
            return await self._change(session, owner, email=address)

        reflect(owner, **await self._unless_taken(address, work))
        logger.info("e-mail changed: user %s", owner.id)
        await self._end_sessions(owner.id, spare)

    async def renew_stamp(self, user: UserT | str) -> None:
        """Make all sessions and reset links of a user invalid, wherever they are kept.

        Raises:
            UnknownUser: there is no such account.
            AccountError: inside a block of the users' database; call it after the block.
        """
        self._refuse_in_block("renew_stamp")
        owner = await self._known(user)
        async with self._open_session() as session:
            changed = await self._change(session, owner)
        reflect(owner, **changed)
        logger.info("signed out everywhere: user %s", owner.id)

    async def delete(self, user: UserT | str) -> None:
        """Delete a user, the user's sessions, and by their foreign key the roles.

        Raises:
            AccountError: rows of the project's own refer to the user, or a block of the users'
                database is open; call it after the block.
            UnknownUser: there is no such account.
        """
        self._refuse_in_block("delete")
        owner = await self._known(user)
        model = self.user_model
        try:
            async with self._open_session() as session:
                result: Any = await session.execute(delete(model).where(model.id == owner.id))
                found = bool(result.rowcount)
        except IntegrityError as error:
            raise AccountError(
                f"user {owner.id} cannot be deleted: other rows refer to it",
                hint="delete those first, or disable the user",
            ) from error
        if not found:
            raise gone(owner)
        logger.info("deleted: user %s", owner.id)
        await self._end_sessions(owner.id)
