"""Register, sign in and out, and look after one's own account."""

from tornkit import BaseHandler, FormError
from tornkit.errors import EmailTaken, FieldError

from school.handlers import Page
from school.models import User

from .forms import LoginForm, PasswordForm, RegisterForm


class Register(Page):
    """Open an account, and sign its owner in."""

    async def get(self) -> None:
        self.show_form("account/register.html")

    async def post(self) -> None:
        try:
            user = await self.create_user(self.parse_form(RegisterForm))
        except FormError as error:
            self.show_form("account/register.html", error)
            return
        await self.sign_in(user)
        self.session.flash("Welcome! Your account is ready.")
        self.redirect(self.next_url(), status=303)

    async def create_user(self, form: RegisterForm) -> User:
        try:
            user: User = await self.accounts.create(form.email, form.password)
        except EmailTaken as error:
            problem = FieldError("email", "This address has an account already.", "taken")
            raise FormError([problem], {"email": form.email}) from error
        return user


class Login(Page):
    """Sign in; an unknown address and a wrong password get the same answer."""

    async def get(self) -> None:
        self.show_form("account/login.html")

    async def post(self) -> None:
        try:
            user = await self.authenticate(self.parse_form(LoginForm))
        except FormError as error:
            self.show_form("account/login.html", error)
            return
        await self.sign_in(user)
        self.redirect(self.next_url(), status=303)

    async def authenticate(self, form: LoginForm) -> User:
        user: User | None = await self.accounts.authenticate(form.email, form.password)
        if user is None:
            raise FormError(
                values={"email": form.email}, message="Address and password do not match."
            )
        return user


class Logout(BaseHandler):
    """Sign out; only by POST, so that no link can do it."""

    async def post(self) -> None:
        await self.sign_out()
        self.redirect(self.reverse_url("home:home"), status=303)


class Profile(BaseHandler):
    """Show one's own account."""

    async def get(self) -> None:
        self.response_html("account/profile.html")


class Password(Page):
    """Change the password, and sign out wherever else one is signed in."""

    async def get(self) -> None:
        self.show_form("account/password.html")

    async def post(self) -> None:
        try:
            form = self.parse_form(PasswordForm)
            user = await self.confirm(form.password)
        except FormError as error:
            self.show_form("account/password.html", error)
            return
        await self.accounts.set_password(user, form.new_password)
        await self.sign_out_everywhere(user)
        await self.sign_in(user)
        self.session.flash("Your password is changed.")
        self.redirect(self.reverse_url("account:profile"), status=303)

    async def confirm(self, password: str) -> User:
        email = self.current_user.email
        user: User | None = await self.accounts.authenticate(email, password)
        if user is None:
            raise FormError([FieldError("password", "This is not your password.", "wrong")])
        return user


class IsSignedIn(BaseHandler):
    """Tell a script whether somebody is signed in, and who."""

    async def get(self) -> None:
        user = self.current_user
        self.response_json(
            signed_in=user is not None,
            user_id=user.id if user else None,
            roles=sorted(user.roles) if user else [],
        )
