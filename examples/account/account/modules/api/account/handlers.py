"""What the API does with accounts."""

from datetime import UTC, datetime

from tornkit import AppError, FormError, rate_limit
from tornkit.errors import EmailTaken, FieldError, WeakPassword
from tornkit.sessions import SessionInfo

from account.errors import (
    EMAIL_TAKEN,
    PASSWORD_NEEDED,
    WEAK_PASSWORD,
    WRONG_PASSWORD,
    WRONG_SIGN_IN,
)
from account.handlers import Api
from account.models import User

from .bodies import Changes, Proof, Registration, SignIn

PROOF_LASTS = 10 * 60  # seconds


class Register(Api):
    """Open an account, and sign its owner in."""

    @rate_limit("20/hour", by="address")
    async def post(self) -> None:
        body = self.parse_json(Registration)
        with FormError.beside(
            email=(EmailTaken, EMAIL_TAKEN), password=(WeakPassword, WEAK_PASSWORD)
        ):
            user: User = await self.accounts.create(body.email, body.password, name=body.name)
        await self.sign_in(user)
        self.response_json(status_code=201, account=user)


class Login(Api):
    """Sign in; an unknown e-mail and a wrong password get the same answer."""

    async def post(self) -> None:
        body = self.parse_json(SignIn)
        user: User | None = await self.authenticate(body.email, body.password)
        if user is None:
            raise AppError(WRONG_SIGN_IN)
        await self.sign_in(user, remember=body.remember)
        self.response_json(account=user)


class IsLoggedIn(Api):
    """Tell a client that starts whether somebody is signed in, and who."""

    async def get(self) -> None:
        user: User | None = self.current_user
        self.response_json(logged_in=user is not None, account=user)


class Logout(Api):
    """End the session; whoever has none is signed out as well."""

    async def post(self) -> None:
        await self.sign_out()
        self.response_json()


class Info(Api):
    """Show one's account, and where one is signed in."""

    async def get(self) -> None:
        sessions = await self.list_sessions()
        self.response_json(
            account=self.current_user, sessions=[self.describe(each) for each in sessions]
        )

    def describe(self, session: SessionInfo) -> dict[str, object]:
        return {
            "browser": session.browser,
            "ip": session.ip,
            "signed_in_at": datetime.fromtimestamp(session.created_at, UTC),
            "seen_at": datetime.fromtimestamp(session.seen_at, UTC),
            "is_this_one": session.handle == self.session.handle,
        }


class Edit(Api):
    """Change one's name, or the e-mail that one signs in with."""

    async def patch(self) -> None:
        changes = self.parse_json(Changes)
        user: User = self.current_user
        if changes.email is not None and changes.email != user.email:
            await self.change_email(user, changes.email)
        if changes.name is not None:
            await self.change_name(user, changes.name)
        self.response_json(account=user)

    async def change_email(self, user: User, email: str) -> None:
        # Somebody who finds a browser open must not be able to take the account over.
        if not self.signed_in_within(PROOF_LASTS):
            raise AppError(PASSWORD_NEEDED)
        with FormError.beside(email=(EmailTaken, EMAIL_TAKEN)):
            await self.accounts.set_email(user, email, spare=self.session.handle)
        await self.sign_out_everywhere(user, others_only=True)

    async def change_name(self, user: User, name: str) -> None:
        async with self.db() as session:
            session.add(user)
            user.name = name


class Confirm(Api):
    """Prove who one is once more, for what needs a recent proof."""

    async def post(self) -> None:
        body = self.parse_json(Proof)
        if not await self.confirm_password(body.password):
            problem = FieldError("password", WRONG_PASSWORD.message, "wrong")
            raise FormError([problem], code=WRONG_PASSWORD)
        self.response_json()
