"""What is done with accounts: create, authenticate, load, change.

No database block is open while a password is hashed.
"""

from __future__ import annotations

import builtins
import logging
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm.attributes import set_committed_value

from tornkit._text import did_you_mean, listing, printable
from tornkit.accounts.addresses import normal_email
from tornkit.accounts.models import UserMixin
from tornkit.accounts.passwords import Passwords
from tornkit.errors import AccountError, DatabaseError, EmailTaken, UnknownRole, UnknownUser

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from contextlib import AbstractAsyncContextManager

    from argon2 import PasswordHasher
    from sqlalchemy import Select, Table
    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["Accounts", "OpenSession"]

UserT = TypeVar("UserT", bound=UserMixin)

_LARGEST_ID = 2**31 - 1

logger = logging.getLogger(__name__)


class OpenSession(Protocol):
    """Open a block, as `SQLDatabase.session` does."""

    def __call__(self, *, read_only: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """Return the block to enter."""


class Accounts(Generic[UserT]):
    """The accounts of a site.

    Args:
        user_model: a mapped class with `UserMixin`.
        open_session: opens a block of the database that holds it.
        known_roles: the roles that exist; giving any other is refused.
        hasher: argon2 parameters other than the default, such as fast ones for tests.
    """

    hasher: PasswordHasher | None = None
    """The parameters of a subclass, where the constructor is given none."""

    def __init__(
        self,
        user_model: type[UserT],
        open_session: OpenSession,
        known_roles: Collection[str],
        *,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.user_model = user_model
        self.known_roles = known_roles
        self.passwords = Passwords(hasher or self.hasher)
        self._open_session = open_session

    async def create(
        self, email: str, password: str, roles: Iterable[str] = (), **columns: object
    ) -> UserT:
        """Create an account and return its user; ``columns`` fill those of the project's own.

        Raises:
            AccountError: the address or the password breaks its rule.
            EmailTaken: the address has an account.
            UnknownRole: no module names one of the roles.
        """
        address = normal_email(email)
        chosen = self._checked(roles)
        user = self.user_model()
        user.email = address
        user.password_hash = await self.passwords.hash(password)
        user.role_rows = set()  # known to be empty, so that nothing is left to load later
        user.roles = chosen
        for name, value in columns.items():
            if not hasattr(self.user_model, name):
                raise TypeError(f"{self.user_model.__name__} has no column {name!r}")
            setattr(user, name, value)
        refused = None
        async with self._open_session() as session:
            try:
                # Undone alone, so that a block around this one can go on.
                async with session.begin_nested():
                    session.add(user)
            except IntegrityError as error:
                refused = error
            if refused is not None and not await self._is_taken(session, address):
                raise refused
        if refused is not None:
            raise EmailTaken(
                f"{printable(address)} has an account already", hint="sign in, or use another"
            ) from refused
        return user

    async def _is_taken(self, session: AsyncSession, address: str) -> bool:
        model = self.user_model
        # A locking read sees what was committed since this transaction began.
        found = select(model.id).where(model.email == address).with_for_update()
        return await session.scalar(found) is not None

    async def authenticate(self, email: str, password: str) -> UserT | None:
        """Return the active user whom this password belongs to, or None.

        An address without an account takes the time that a wrong password takes. A hash of
        outdated parameters is made anew.
        """
        try:
            user = await self.get(email)
        except AccountError:
            user = None
        right = await self.passwords.verify(user.password_hash if user else None, password)
        if user is None or not right or not user.is_active:
            return None
        if self.passwords.is_outdated(user.password_hash):
            await self._rehash(user, password)
        return user

    async def _rehash(self, user: UserT, password: str) -> None:
        try:
            renewed = await self.passwords.hash(password)
        except AccountError:  # a password from before today's rule still opens the door
            return
        model, before = self.user_model, user.password_hash
        change = update(model).where(model.id == user.id, model.password_hash == before)
        change = change.values(password_hash=renewed)
        try:
            async with self._open_session() as session:
                await session.execute(change.execution_options(synchronize_session=False))
        except (DatabaseError, SQLAlchemyError):
            logger.warning("the password hash of user %s could not be renewed", user.id)
        else:
            set_committed_value(user, "password_hash", renewed)

    async def load(self, user_id: str | int) -> UserT | None:
        """Return the active user of that id, as sessions keep it, or None."""
        text = str(user_id)
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_ID))):
            return None
        number = int(text)
        if number > _LARGEST_ID:
            return None
        found = select(self.user_model).where(self.user_model.id == number)
        user = await self._one(found)
        return user if user is not None and user.is_active else None

    async def get(self, email: str) -> UserT | None:
        """Return the user of that address, active or not, or None.

        Raises:
            AccountError: it is no address.
        """
        address = normal_email(email)
        user = await self._one(select(self.user_model).where(self.user_model.email == address))
        # MySQL finds é where e is asked for.
        return user if user is not None and user.email == address else None

    async def list(self) -> builtins.list[UserT]:
        """Return all users by their addresses."""
        async with self._open_session(read_only=True) as session:
            found = await session.scalars(select(self.user_model).order_by(self.user_model.email))
            return builtins.list(found.unique())

    async def set_password(self, user: UserT | str, password: str) -> None:
        """Give a user, or the owner of an address, another password.

        Sessions live on; ending them is the caller's.

        Raises:
            AccountError: the password breaks its rule.
            UnknownUser: there is no such account.
        """
        user_id = user.id if not isinstance(user, str) else (await self._known(user)).id
        renewed = await self.passwords.hash(password)
        model = self.user_model
        change = update(model).where(model.id == user_id).values(password_hash=renewed)
        async with self._open_session() as session:
            result: Any = await session.execute(change)
            found = result.rowcount
        if not found:
            raise UnknownUser(f"there is no user {user_id}", hint="it may have been deleted")
        if not isinstance(user, str):
            set_committed_value(user, "password_hash", renewed)

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
        model, rows = self.user_model, _role_table(self.user_model)
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
            return fresh.unique().one()

    async def _one(self, found: Select[Any]) -> UserT | None:
        async with self._open_session(read_only=True) as session:
            user: UserT | None = (await session.scalars(found)).unique().one_or_none()
            return user

    async def _known(self, email: str) -> UserT:
        user = await self.get(email)
        if user is None:
            raise UnknownUser(
                f"no account has the address {printable(email)}",
                hint="see `tornkit user list`",
            )
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


def _role_table(model: Any) -> Table:
    table: Table = model.role_rows.property.mapper.local_table
    return table
