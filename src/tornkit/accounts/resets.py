"""Links for a new password: single-use, expiring, stored as hashes.

A token is bound to the security stamp of its user: any change of the password, of the
address or of ``is_active`` ends all of them.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CHAR,
    Column,
    Double,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from tornkit._rates import Rate
from tornkit.accounts.addresses import normal_email
from tornkit.accounts.base import AccountsBase, UserT, logger, reflect
from tornkit.accounts.limiting import RESET, SIGN_IN_ACCOUNT, subject_of
from tornkit.accounts.models import STAMP_LENGTH, make_stamp
from tornkit.errors import AccountError, InvalidToken, SessionError, TooManyRequests

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["Resets", "reset_token_metadata", "reset_token_table"]

RESET_RATE = Rate(5, 3600)
"""How often a link can be made for one account."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)  # 32 bytes
_CLEARED_AT_ONCE = 100

reset_token_metadata = MetaData()

# The library's own migrations make it; a test compares the two.
reset_token_table = Table(
    "tornkit_reset_token",
    reset_token_metadata,
    Column("token_hash", CHAR(64), primary_key=True),
    Column("user_id", Integer, nullable=False, index=True),
    Column("security_stamp", String(STAMP_LENGTH), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False, index=True),
)

_tokens = reset_token_table


class Resets(AccountsBase[UserT]):
    """Let the owner of a mailbox choose a new password."""

    async def make_reset_token(self, email: str) -> str | None:
        """Return a token for a link to be mailed, or None where nobody may have one.

        None stands for an e-mail without an account, an inactive one, and more than five
        tokens in an hour; a page says the same in any case.

        Raises:
            StoreUnavailable: they cannot be counted.
        """
        try:
            await self._limiter.hit(RESET, subject_of(email), RESET_RATE)
            user = await self.get(normal_email(email))
        except TooManyRequests:
            logger.warning("throttled: reset requested, by account")
            return None
        except AccountError:
            user = None
        if user is None or not user.is_active:
            who = "unknown account" if user is None else f"user {user.id}, inactive"
            logger.info("reset requested: %s", who)
            return None
        await self._stamp(user)
        token, now = secrets.token_urlsafe(32), self._clock()
        async with self._open_session() as session:
            await session.execute(
                insert(_tokens).values(
                    token_hash=_hash(token),
                    user_id=user.id,
                    security_stamp=user.security_stamp,
                    created_at=now,
                    expires_at=now + self._reset_timeout,
                )
            )
            await _clear_expired(session, now)
        logger.info("reset requested: user %s", user.id)
        return token

    async def reset_user(self, token: str) -> UserT:
        """Return the user whom a token lets choose a new password; it stays usable.

        Raises:
            InvalidToken: it is used up, expired, outdated or none of ours.
        """
        return (await self._resolve(token))[0]

    async def reset_password(self, token: str, password: str) -> UserT:
        """Use a token up: set the password, end all sessions, and return the user.

        Tries to sign in are counted anew. Of several that use one token at once, one wins.

        Raises:
            InvalidToken: it is used up, expired, outdated or none of ours.
            WeakPassword: the password breaks a rule; the token stays usable.
            AccountError: inside a block of the users' database; call it after the block.
        """
        self._refuse_in_block("reset_password")
        user, row = await self._resolve(token)
        await self.check_password(password, user.email)
        renewed = await self.passwords.hash(password)
        changed = {"password_hash": renewed, "security_stamp": make_stamp()}
        model = self.user_model
        async with self._open_session() as session:
            # The user's row first: all that change it, and the tokens bound to it, wait here.
            result: Any = await session.execute(
                update(model)
                .where(model.id == user.id, model.security_stamp == row.security_stamp)
                .where(model.is_active.is_(True))
                .values(changed)
            )
            won = bool(result.rowcount)
            if won:
                await session.execute(
                    delete(_tokens).where(_tokens.c.token_hash == row.token_hash)
                )
        if not won:
            raise _refused()
        reflect(user, **changed)
        logger.info("reset used, password changed: user %s", user.id)
        await self._end_sessions(user.id)
        await self._forget_tries(user)
        return user

    async def _forget_tries(self, user: UserT) -> None:
        try:
            await self._limiter.forget(SIGN_IN_ACCOUNT, subject_of(user.email))
        except SessionError as failure:  # the password is set already
            logger.warning("tries of user %s could not be counted anew: %s", user.id, failure)

    async def _resolve(self, token: str) -> tuple[UserT, Row[Any]]:
        """Return the user of a living token, and its row."""
        if not _TOKEN.fullmatch(token):
            raise _refused()
        model, now = self.user_model, self._clock()
        wanted = select(_tokens).where(_tokens.c.token_hash == _hash(token))
        async with self._open_session(read_only=True) as session:
            row = (await session.execute(wanted.where(_tokens.c.expires_at > now))).one_or_none()
        if row is None:
            raise _refused()
        user = await self._one(select(model).where(model.id == row.user_id))
        # Compared here, for tables of different collations cannot be joined by a text.
        if user is None or not user.is_active or user.security_stamp != row.security_stamp:
            raise _refused()
        return user, row


async def _clear_expired(session: AsyncSession, now: float) -> None:
    """Delete some expired tokens, in one order, so that two that do it do not deadlock."""
    found = select(_tokens.c.token_hash).where(_tokens.c.expires_at <= now)
    hashes = (await session.scalars(found.limit(_CLEARED_AT_ONCE))).all()
    if hashes:
        await session.execute(delete(_tokens).where(_tokens.c.token_hash.in_(sorted(hashes))))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("ascii")).hexdigest()


def _refused() -> InvalidToken:
    logger.info("reset refused: the token is used up, expired or unknown")
    return InvalidToken("This link is used up or too old.", hint="ask for another one")
