"""Giving and taking roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, delete, insert, select

from tornkit._text import did_you_mean, listing, printable
from tornkit.accounts.base import AccountsBase, UserT, logger
from tornkit.errors import AccountError, UnknownRole

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RoleChanges", "role_table"]


class RoleChanges(AccountsBase[UserT]):
    """Change who holds which roles."""

    async def change_roles(
        self, email: str, add: Iterable[str] = (), remove: Iterable[str] = ()
    ) -> UserT:
        """Give and take roles, and return the user; safe when two do it at once.

        A role that no module names any more can still be taken.

        Raises:
            UnknownRole: a role to give is none, or one to take is neither known nor held.
            AccountError: a role is both to be given and to be taken.
            UnknownUser: the address has no account.
        """
        given, taken = self._checked(add), set(remove)
        if both := given & taken:
            raise AccountError(f"{listing(both)}: a role is to be given and taken at once")
        user_id = (await self._known(email)).id
        model, rows = self.user_model, role_table(self.user_model)
        async with self._open_session() as session:
            # Whoever changes the same user's roles waits here.
            await session.execute(select(model.id).where(model.id == user_id).with_for_update())
            of_user = rows.c.user_id == user_id
            held = set(await session.scalars(select(rows.c.role).where(of_user).with_for_update()))
            self._check_known(taken - held)
            if taken & held:
                await session.execute(
                    delete(rows).where(of_user, rows.c.role.in_(sorted(taken & held)))
                )
            missing = [{"user_id": user_id, "role": role} for role in sorted(given - held)]
            if missing:
                await session.execute(insert(rows), missing)
            found = select(model).where(model.id == user_id)
            fresh = await session.scalars(found.execution_options(populate_existing=True))
            user = fresh.unique().one()
        if given - held or taken & held:
            roles = printable(listing(user.roles), limit=400)
            logger.info("roles changed: user %s has %s", user_id, roles)
        return user

    def _checked(self, roles: Iterable[str]) -> set[str]:
        if isinstance(roles, str):
            raise TypeError(f"roles are given as a list, not as the text {roles!r}")
        chosen = set(roles)
        self._check_known(chosen)
        return chosen

    def _check_known(self, roles: Iterable[str]) -> None:
        for role in sorted(roles):
            if role not in self.known_roles:
                raise UnknownRole(
                    f"no module names the role {printable(role)!r}"
                    f" (known: {listing(self.known_roles)})",
                    hint=did_you_mean(role, self.known_roles) or "roles are named by modules",
                )


def role_table(model: Any) -> Table:
    """Return the table that holds the roles of a user model."""
    table: Table = model.role_rows.property.mapper.local_table
    return table
