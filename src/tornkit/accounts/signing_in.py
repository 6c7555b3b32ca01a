"""`authenticate`: whom a password belongs to, counted before it is hashed.

Unknown, inactive and wrong take the same queries and one verification each: the user is
loaded only when the password was right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select, update
from sqlalchemy.exc import SQLAlchemyError

from tornkit._text import printable
from tornkit.accounts.addresses import known_email
from tornkit.accounts.base import AccountsBase, UserT, logger, reflect
from tornkit.accounts.limiting import CONFIRM, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, subject_of
from tornkit.errors import AccountError, AppError, DatabaseError, TooManyRequests

if TYPE_CHECKING:
    from tornkit._rates import Rate

__all__ = ["SigningIn"]


class SigningIn(AccountsBase[UserT]):
    """Find out whom an e-mail and a password belong to."""

    async def authenticate(
        self, email: str, password: str, *, address: str | None = None
    ) -> UserT | None:
        """Return the active user whom this password belongs to, or None.

        A try counts for the account and for the address before anything is hashed; one that
        works starts the account's count anew and gives the address its own back, and one that
        could not be hashed counts for neither. An e-mail
        without an account takes the time that a wrong password takes. A hash of outdated
        parameters is made anew.

        Args:
            email: as it was typed.
            password: as it was typed.
            address: the visitor's IP address; without one, only the account is counted.

        Raises:
            TooManyRequests: too many tries, whether or not the e-mail has an account.
            StoreUnavailable: they cannot be counted.
            AppError: too many passwords wait to be hashed (503, with ``retry_after``).
        """
        account, place = subject_of(email), printable(address or "unknown address")
        await self._count(account, address, place)
        try:
            row, right = await self._verify(email, password)
        except AppError:  # nobody has looked at it
            await self._limiter.forgive(SIGN_IN_ACCOUNT, account, self._per_account)
            await self._forgive_address(address)
            raise
        if row is None:
            logger.info("unknown: unknown account from %s", place)
            return None
        if not right or not row.is_active:
            logger.info("%s: user %s from %s", _refusal(right=right), row.id, place)
            return None
        user = await self._load_verified(row)
        if user is None:
            logger.info("changed meanwhile: user %s from %s", row.id, place)
            return None
        await self._welcome(user, password, account, address)
        logger.info("signed in: user %s from %s", user.id, place)
        return user

    async def confirm(self, user: UserT, password: str, *, address: str | None = None) -> bool:
        """Tell whether a password is that of a user who is signed in already.

        Tries are counted for the user, apart from those to sign in: somebody outside who uses
        those up does not keep the owner from a change of the password.

        Args:
            user: who is signed in.
            password: as it was typed.
            address: the visitor's IP address, for the log.

        Raises:
            TooManyRequests: too many tries.
            StoreUnavailable: they cannot be counted.
            AppError: too many passwords wait to be hashed (503, with ``retry_after``).
        """
        subject, place = str(user.id), printable(address or "unknown address")
        await self._hit(CONFIRM, subject, self._per_account, place)
        try:
            row, right = await self._verify(user.email, password)
        except AppError:  # nobody has looked at it
            await self._limiter.forgive(CONFIRM, subject, self._per_account)
            raise
        confirmed = right and row is not None and row.id == user.id and bool(row.is_active)
        if confirmed:
            await self._limiter.forget(CONFIRM, subject)
        outcome = "confirmed" if confirmed else "wrong password"
        logger.info("%s: user %s from %s", outcome, user.id, place)
        return confirmed

    async def _verify(self, email: str, password: str) -> tuple[Row[Any] | None, bool]:
        """Return the credentials of an account, if there is one, and whether they fit."""
        row = await self._credentials(email)
        right = await self.passwords.verify(row.password_hash if row else None, password)
        return row, right

    async def _credentials(self, email: str) -> Row[Any] | None:
        model = self.user_model
        try:
            wanted = known_email(email)
        except AccountError:
            wanted = ""  # asked for all the same, as an unknown one is
        columns = (model.id, model.email, model.password_hash, model.is_active)
        async with self._open_session(read_only=True) as session:
            found: Any = await session.execute(select(*columns).where(model.email == wanted))
            row: Row[Any] | None = found.one_or_none()
        # MySQL finds é where e is asked for.
        return row if row is not None and wanted and row.email == wanted else None

    async def _load_verified(self, row: Row[Any]) -> UserT | None:
        """Return the user; None if the password that was verified is no longer the user's."""
        model = self.user_model
        found = select(model).where(model.id == row.id, model.is_active.is_(True))
        # In a surrounding block an object from before may stand for the row.
        user = await self._one(found.execution_options(populate_existing=True))
        return user if user is not None and user.password_hash == row.password_hash else None

    async def _welcome(
        self, user: UserT, password: str, account: str, address: str | None
    ) -> None:
        await self._limiter.forget(SIGN_IN_ACCOUNT, account)
        await self._forgive_address(address)
        await self._stamp(user)
        if self.passwords.is_outdated(user.password_hash):
            await self._rehash(user, password)

    async def _rehash(self, user: UserT, password: str) -> None:
        model, before = self.user_model, user.password_hash
        change = update(model).where(model.id == user.id, model.password_hash == before)
        try:
            renewed = await self.passwords.hash(password)
            change = change.values(password_hash=renewed)
            async with self._open_session() as session:
                await session.execute(change.execution_options(synchronize_session=False))
        except (AppError, DatabaseError, SQLAlchemyError):
            logger.warning("the password hash of user %s could not be renewed", user.id)
        else:
            reflect(user, password_hash=renewed)

    # --- counting ------------------------------------------------------------------------

    async def _count(self, account: str, address: str | None, place: str) -> None:
        # By address first: whoever is stopped there does not lock the account's owner out.
        if address:
            network = self._network_of(address)
            await self._hit(SIGN_IN_ADDRESS, network, self._per_address, place)
        await self._hit(SIGN_IN_ACCOUNT, account, self._per_account, place)

    async def _forgive_address(self, address: str | None) -> None:
        if address:
            network = self._network_of(address)
            await self._limiter.forgive(SIGN_IN_ADDRESS, network, self._per_address)

    async def _hit(self, name: str, subject: str, rate: Rate, place: str) -> None:
        try:
            await self._limiter.hit(name, subject, rate)
        except TooManyRequests:
            logger.warning("throttled: sign-in from %s, by %s", place, _COUNTED_BY[name])
            raise


_COUNTED_BY = {SIGN_IN_ACCOUNT: "account", SIGN_IN_ADDRESS: "address", CONFIRM: "confirmation"}


def _refusal(*, right: bool) -> str:
    return "inactive" if right else "wrong password"
