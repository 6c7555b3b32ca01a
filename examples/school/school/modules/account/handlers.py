"""Register, sign in and out, and see where one is signed in."""

from datetime import UTC, datetime

from tornkit import AppError, BaseHandler, FormError, rate_limit, require_recent_sign_in
from tornkit.errors import EmailTaken, WeakPassword

from school.handlers import Page

from .forms import LoginForm, RegisterForm, SessionsForm


class Register(Page):
    """Open an account, and sign its owner in."""

    async def get(self) -> None:
        self.show_form("account/register.html")

    @rate_limit("60/hour")
    async def post(self) -> None:
        try:
            form = self.parse_form(RegisterForm)
            with FormError.beside(email=EmailTaken, password=WeakPassword):
                user = await self.accounts.create(form.email, form.password)
        except FormError as error:
            self.show_form("account/register.html", error)
            return
        await self.sign_in(user)
        self.session.flash("Welcome! Your account is ready.")
        self.redirect(self.next_url(), status=303)


class Login(Page):
    """Sign in; an unknown address and a wrong password get the same answer."""

    async def get(self) -> None:
        self.show_form("account/login.html")

    async def post(self) -> None:
        try:
            form = self.parse_form(LoginForm)
            user = await self.authenticate(form.email, form.password)
            if user is None:
                raise FormError(message="Address and password do not match.")
        except AppError as error:  # too many attempts, too
            self.show_form("account/login.html", error)
            return
        await self.sign_in(user, remember=form.remember)
        self.redirect(self.next_url(), status=303)


class Logout(BaseHandler):
    """Sign out; only by POST, so that no link can do it."""

    async def post(self) -> None:
        await self.sign_out()
        self.redirect(self.reverse_url("home:home"), status=303)


class IsSignedIn(BaseHandler):
    """Tell a script whether somebody is signed in, and who."""

    async def get(self) -> None:
        user = self.current_user
        self.response_json(
            signed_in=user is not None,
            user_id=user.id if user else None,
            roles=sorted(user.roles) if user else [],
        )


class Profile(BaseHandler):
    """Show one's own account."""

    async def get(self) -> None:
        self.response_html("account/profile.html")


class Sessions(Page):
    """Show where one is signed in, and sign out there."""

    async def get(self) -> None:
        here = self.session.handle
        sessions = sorted(await self.list_sessions(), key=lambda each: each.handle != here)
        self.response_html("account/sessions.html", sessions=sessions, here=here, utc=utc)

    @require_recent_sign_in(minutes=10)
    async def post(self) -> None:
        form = self.parse_form(SessionsForm)
        if form.everywhere:
            await self.sign_out_everywhere(self.current_user)
            self.session.flash("You are signed out everywhere.")
            self.redirect(self.reverse_url("account:login"), status=303)
            return
        if form.others:
            await self.sign_out_everywhere(self.current_user, others_only=True)
            self.session.flash("All other devices are signed out.")
        elif await self.end_session(form.handle):
            self.session.flash("The device is signed out.")
        else:
            self.session.flash("That device was signed out already.")
        self.redirect(self.reverse_url("account:sessions"), status=303)


def utc(seconds: float) -> datetime:
    """Return the moment so many seconds after the epoch."""
    return datetime.fromtimestamp(seconds, UTC)
