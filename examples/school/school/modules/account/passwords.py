"""Confirm, change and recover a password."""

from tornkit import AppError, FormError, rate_limit
from tornkit.errors import FieldError, InvalidToken, WeakPassword
from tornkit.mail import Message

from school.handlers import Page
from school.models import User

from .forms import ConfirmForm, ForgotForm, PasswordForm, ResetForm

SITE = "School"


class PasswordPage(Page):
    """A page that asks for a password, or sets one."""

    async def confirm(self, password: str) -> None:
        if not await self.confirm_password(password):
            raise FormError([FieldError("password", "This is not your password.", "wrong")])

    def tell_owner(self, user: User) -> None:
        """Mail the owner that the password was changed, in case it was somebody else."""
        self.mailer.post(self.make_notice(user.email))  # whatever fails there is only logged

    async def make_notice(self, email: str) -> Message:
        link = self.absolute_url(self.reverse_url("account:forgot"))
        text = self.render_template("account/changed_mail.txt", link=link)
        return Message(email, f"{SITE}: your password was changed", text)


class Confirm(PasswordPage):
    """Ask for the password once more, before something that matters."""

    async def get(self) -> None:
        self.show_form("account/confirm.html")

    async def post(self) -> None:
        try:
            await self.confirm(self.parse_form(ConfirmForm).password)
        except AppError as error:
            self.show_form("account/confirm.html", error)
            return
        self.redirect(self.next_url(), status=303)


class Password(PasswordPage):
    """Change the password, and sign out wherever else one is signed in."""

    async def get(self) -> None:
        self.show_form("account/password.html")

    async def post(self) -> None:
        user = self.current_user
        try:
            form = self.parse_form(PasswordForm)
            await self.confirm(form.password)
            with FormError.beside(new_password=WeakPassword):
                await self.accounts.set_password(
                    user, form.new_password, spare=self.session.handle
                )
        except AppError as error:
            self.show_form("account/password.html", error)
            return
        await self.sign_in(user, remember=self.session.remembered)
        self.tell_owner(user)
        self.session.flash("Your password is changed.")
        self.redirect(self.reverse_url("account:profile"), status=303)


class Forgot(Page):
    """Mail a link for a new password; the answer is the same without an account."""

    async def get(self) -> None:
        self.show_form("account/forgot.html")

    @rate_limit("60/hour")
    async def post(self) -> None:
        try:
            form = self.parse_form(ForgotForm)
        except FormError as error:
            self.show_form("account/forgot.html", error)
            return
        self.mailer.post(self.make_mail(form.email))  # in the background: its time tells nothing
        self.response_html("account/forgot_sent.html", email=form.email)

    async def make_mail(self, email: str) -> Message | None:
        token = await self.accounts.make_reset_token(email)
        if token is None:
            return None
        link = self.absolute_url(f"{self.reverse_url('account:reset')}?token={token}")
        minutes = self.config.accounts.reset_timeout // 60
        text = self.render_template("account/reset_mail.txt", link=link, minutes=minutes)
        return Message(email, f"{SITE}: choose a new password", text)


class Reset(PasswordPage):
    """Choose a new password, by the link of the mail."""

    def set_default_headers(self) -> None:
        # The address of this page holds the token: nothing may pass it on.
        self.set_header("Referrer-Policy", "strict-origin")

    async def get(self) -> None:
        try:
            user = await self.accounts.reset_user(self.get_argument("token", ""))
        except InvalidToken:
            self.show_used_up()
            return
        self.show_form("account/reset.html", email=user.email)

    @rate_limit("60/hour")
    async def post(self) -> None:
        try:
            form = self.parse_form(ResetForm)
            with FormError.beside(password=WeakPassword):
                user = await self.accounts.reset_password(form.token, form.password)
        except InvalidToken:
            self.show_used_up()
            return
        except FormError as error:
            self.show_form("account/reset.html", error, email=self.get_argument("email", ""))
            return
        self.tell_owner(user)
        await self.sign_in(user)
        self.session.flash("Your new password is set.")
        self.redirect(self.reverse_url("account:profile"), status=303)

    def show_used_up(self) -> None:
        self.show_form("account/used_up.html", AppError(410, "This link no longer works."))
