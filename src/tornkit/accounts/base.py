"""What every operation on accounts stands on: finding a user, changing a row, one log line."""

from __future__ import annotations

import builtins
import logging
import time
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.attributes import set_committed_value

from tornkit._rates import Rate
from tornkit._text import printable
from tornkit.accounts import rules
from tornkit.accounts.addresses import known_email
from tornkit.accounts.limiting import Unlimited
from tornkit.accounts.models import UserMixin, make_stamp
from tornkit.accounts.passwords import Passwords
from tornkit.errors import AccountError, EmailTaken, SessionError, UnknownUser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from contextlib import AbstractAsyncContextManager

    from argon2 import PasswordHasher
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncSession

    from tornkit.accounts.limiting import Limiter

__all__ = ["AccountsBase", "OpenSession", "UserT"]

UserT = TypeVar("UserT", bound=UserMixin)
T = TypeVar("T")

_LARGEST_ID = 2**31 - 1

logger = logging.getLogger("tornkit.accounts")


class OpenSession(Protocol):
    """Open a block, as `SQLDatabase.session` does."""

    def __call__(self, *, read_only: bool = False) -> AbstractAsyncContextManager[AsyncSession]:
        """Return the block to enter."""


class AccountsBase(Generic[UserT]):
    """Find users, and hold what `tornkit.accounts.Accounts` was given."""

    hasher: PasswordHasher | None = None
    """The parameters of a subclass, where the constructor is given none."""

    def __init__(
        self,
        user_model: type[UserT],
        open_session: OpenSession,
        known_roles: Collection[str],
        *,
        in_block: Callable[[], bool] = lambda: False,
        hasher: PasswordHasher | None = None,
        password_length: int = rules.PASSWORD_LENGTH,
        reset_timeout: float = 3600,
        limiter: Limiter | None = None,
        sign_in_per_account: Rate = Rate(10, 900),  # noqa: B008 - it is frozen
        sign_in_per_address: Rate = Rate(100, 900),  # noqa: B008 - it is frozen
        network_of: Callable[[str], str] = str,
        end_sessions: Callable[[int, str | None], Awaitable[object]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.user_model = user_model
        self.known_roles = known_roles
        self.passwords = Passwords(hasher or self.hasher)
        self.password_length = password_length
        self._open_session = open_session
        self._in_block = in_block
        self._reset_timeout = reset_timeout
        self._limiter: Limiter = limiter or Unlimited()
        self._per_account = sign_in_per_account
        self._per_address = sign_in_per_address
        self._network_of = network_of
        self._delete_sessions = end_sessions
        self._clock = clock

    # --- finding -------------------------------------------------------------------------

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
        address = known_email(email)
        user = await self._one(select(self.user_model).where(self.user_model.email == address))
        # MySQL finds é where e is asked for.
        return user if user is not None and user.email == address else None

    async def list(self) -> builtins.list[UserT]:
        """Return all users by their addresses."""
        async with self._open_session(read_only=True) as session:
            found = await session.scalars(select(self.user_model).order_by(self.user_model.email))
            return builtins.list(found.unique())

    async def check_password(self, password: str, email: str = "") -> None:
        """Refuse a password that breaks a rule; nothing is set.

        Args:
            password: what somebody chose.
            email: whose it is to be.

        Raises:
            WeakPassword: with a message for who chose it.
        """
        await rules.check_password(password, email=email, length=self.password_length)

    async def _one(self, found: Select[Any]) -> UserT | None:
        async with self._open_session(read_only=True) as session:
            user: UserT | None = (await session.scalars(found)).unique().one_or_none()
            return user

    async def _known(self, user: UserT | str) -> UserT:
        """Return the user, looked up where an address is given."""
        if not isinstance(user, str):
            return user
        found = await self.get(user)
        if found is None:
            raise UnknownUser(
                f"no account has the address {printable(user)}",
                hint="see `tornkit user list`",
            )
        return found

    # --- changing ------------------------------------------------------------------------

    def _refuse_in_block(self, name: str) -> None:
        """Refuse what ends sessions where it may still be undone.

        Raises:
            AccountError: a block is open; sessions would be gone if it rolled back.
        """
        if self._in_block():
            raise AccountError(
                f"{name}() inside a block of the users' database", hint="call it after the block"
            )

    async def _change(self, session: AsyncSession, user: UserT, **values: Any) -> dict[str, Any]:
        """Set columns and a new stamp in one statement; return all of them.

        Raises:
            UnknownUser: the row is gone.
        """
        model = self.user_model
        values["security_stamp"] = make_stamp()
        change = update(model).where(model.id == user.id).values(values)
        result: Any = await session.execute(change)
        if not result.rowcount:
            raise gone(user)
        return values

    async def _unless_taken(self, address: str, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Do what gives an account that address.

        Raises:
            EmailTaken: another one has it; a block around this one can go on.
        """
        refused = None
        async with self._open_session() as session:
            try:
                # Undone alone, so that a block around this one can go on.
                async with session.begin_nested():
                    done = await work(session)
            except IntegrityError as error:
                refused = error
            if refused is not None and not await self._is_taken(session, address):
                raise refused
        if refused is not None:
            raise EmailTaken(
                f"{printable(address)} has an account already", hint="sign in, or use another"
            ) from refused
        return done

    async def _is_taken(self, session: AsyncSession, address: str) -> bool:
        model = self.user_model
        # A locking read sees what was committed since this transaction began.
        found = select(model.id).where(model.email == address).with_for_update()
        return await session.scalar(found) is not None

    async def _stamp(self, user: UserT) -> None:
        """Give a row that was inserted by hand the stamp that it lacks."""
        if user.security_stamp:
            return
        model, stamp = self.user_model, make_stamp()
        change = update(model).where(model.id == user.id, model.security_stamp == "")
        async with self._open_session() as session:
            await session.execute(
                change.values(security_stamp=stamp).execution_options(synchronize_session=False)
            )
            # Whoever did it first was right.
            kept = await session.scalar(select(model.security_stamp).where(model.id == user.id))
        reflect(user, security_stamp=kept or stamp)

    async def _end_sessions(self, user_id: int, spare: str | None = None) -> None:
        """Delete a user's sessions from their store; those that stay there are over as well."""
        if self._delete_sessions is None:
            return
        try:
            await self._delete_sessions(user_id, spare)
        except SessionError as failure:
            logger.warning(
                "the sessions of user %s are over, but still in their store: %s", user_id, failure
            )


def reflect(user: UserMixin, **values: object) -> None:
    """Put what was written to the row into the object that stands for it."""
    for name, value in values.items():
        set_committed_value(user, name, value)


def gone(user: UserMixin) -> UnknownUser:
    """Return the error of a user whose row is not there."""
    return UnknownUser(f"there is no user {user.id}", hint="it may have been deleted")
